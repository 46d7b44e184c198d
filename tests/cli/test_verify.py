import json

from doubles.tiny_chain import BUDGET, contents


def test_verify_puts_predicted_measured_budget_and_accuracy_side_by_side(edgewright, own_run):
    found = edgewright("verify", own_run, "--finalists", "1", "--json").json()
    assert len(found["finalists"]) == 2
    for row in found["finalists"]:
        assert row["verdict"] == "met"
        assert row["measured_ms"] < row["budget_ms"] == 50
        assert row["predicted_ms"] > 0
        assert row["memory_bytes"] is None or row["memory_bytes"] > 0
        assert row["load_ms"] > 0
        assert (row["energy_mj"] is None) == row["energy_note"].startswith("no energy sensor")
        assert abs(row["accuracy_artifact"] - row["accuracy_torch"]) < 0.05
    header = edgewright("verify", own_run, "--finalists", "1").out.splitlines()[0]
    assert all(
        name in header
        for name in ("predicted", "measured", "budget", "accuracy of file", "peak memory", "load", "parity")
    )


def test_finalists_can_be_fine_tuned_first(edgewright, own_run):
    command = ("verify", own_run, "--finalists", "1", "--fine-tune", "1", "--json")
    rows = edgewright(*command).json()["finalists"]
    assert [row["parity"] for row in rows] == ["passed", "passed"]
    assert all("-tuned/" in row["artifact"] for row in rows)
    assert all("the best epoch of 1: validation accuracy" in row["note"] for row in rows)


def test_a_violated_budget_is_status_3_and_says_by_how_much(edgewright, own_run):
    path = own_run / "searches" / "default" / "search.json"
    described = json.loads(path.read_text())
    described["asked"] = {"cpu": 1e-4, "litert": 50.0}  # as if a slower network had slipped through
    path.write_text(json.dumps(described))
    found = edgewright("verify", own_run, "--finalists", "1")
    line = found.refusal(3, "1 of 2", "local-cpu-onnxruntime", "edgewright front pick")
    assert "%" in line
    assert "violated" in found.out
    told = edgewright("verify", own_run, "--finalists", "1", "--json")
    assert told.status == 3
    document = json.loads(told.out)  # one, with both
    assert document["exit_code"] == 3
    assert "local-cpu-onnxruntime" in document["error"]
    assert [row["verdict"] for row in document["finalists"]] == ["violated", "met"]
    # It is on record, and shown in the report.
    assert edgewright("report", own_run).status == 0


def test_a_search_that_has_nothing_to_verify(edgewright, trained_only, own_run):
    edgewright("verify", trained_only).refusal(2, "no search 'default'", "edgewright search")
    edgewright("verify", own_run, "--name", "other").refusal(2, "no search 'other'", "edgewright search")
    (own_run / "searches" / "default" / "search.json").unlink()
    before = contents(own_run)
    edgewright("verify", own_run).refusal(2, "search.json does not exist", "edgewright search")
    assert contents(own_run) == before


def test_a_description_that_was_edited(edgewright, chain, own_run):
    path = own_run / "searches" / "default" / "search.json"
    whole = path.read_text()
    for text in (
        whole[:50],
        "{}",
        whole.replace('"precision"', '"precisely"'),
        '{"devices": 3, "asked": {}}',
    ):
        path.write_text(text)
        edgewright("verify", own_run).refusal(2, "search.json", "edgewright search")
        edgewright("report", own_run).refusal(2, "search.json", "edgewright search")
    # The mend works: the same search again writes it anew.
    mend = ("search", "--run", own_run, "--budget", BUDGET, "--evaluations", "20", "--tables", chain.tables)
    assert edgewright(*mend, "--no-verify").status == 0
    assert json.loads(path.read_text())["asked"] == json.loads(whole)["asked"]
