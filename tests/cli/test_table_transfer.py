import json

import numpy as np
import pytest
from doubles.tiny_chain import DEVICES

from edgewright.latency.encoding_predictor import EncodingPredictor
from edgewright.pipeline.device_costs import latency_cost

SPACE = "mobilenetv3-small-image@16:4"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return tmp_path_factory.mktemp("transferred")


@pytest.fixture
def transfer(edgewright, chain, tables):
    """Transfer the tiny run's LiteRT table: ``transfer("--samples", "5")``."""

    def command(*arguments, source=None, into=None):
        given = ("--from", source or chain.table("litert")) if source is not False else ()
        common = ("--device", "cpu", "--space", SPACE, "--tables", into or tables)
        return edgewright("table", "transfer", *given, *common, *arguments)

    return command


def test_few_measurements_make_a_model_that_search_takes(transfer, edgewright, chain, tables, trained_only):
    made = transfer("--samples", "5", "--validate", "4", "--json").json()
    assert (made["n_fit"], made["n_validate"], made["reused"]) == (5, 4, False)
    assert made["validation"]["mape_percent"] > 0
    assert made["sources"][0].startswith(DEVICES["litert"])
    again = transfer("--samples", "5", "--validate", "4")
    assert again.status == 0
    assert "measured earlier; --again measures anew" in again.out
    assert "error on 4 networks that it has not seen" in again.out

    shown = edgewright("table", "show", made["model"], "--json").json()
    assert shown["table_id"] == made["table_id"]
    assert "error on unseen networks" in edgewright("table", "show", made["model"]).out
    edgewright("table", "show", made["model"], "--pick", "smallest").refusal(2, "knows whole networks")
    assert edgewright("table", "validate", made["model"], "--json").json()["valid"]
    told = edgewright("table", "validate", made["model"], "--space", "mobilenetv3-small-image@24:4")
    told.refusal(2, "networks that are not in it", "edgewright table transfer")

    cost = latency_cost(
        "cpu", chain.space, tables=tables, precision=None, allow_foreign=False, allow_inaccurate=True
    )
    assert isinstance(cost.predictor, EncodingPredictor)
    ends = np.stack([chain.space.encode(a) for a in (chain.space.smallest(), chain.space.largest())])
    small, large = cost.predict(ends)
    assert 0 < small < large
    assert (cost.at_most(ends) > cost.predict(ends)).all()
    told = cost.to_json()
    assert told["table"] == made["model"]
    assert told["table_id"] == made["table_id"]

    found = edgewright(
        *("search", "--run", trained_only, "--tables", tables, "--budget", "cpu=50ms"),
        *("--evaluations", "6", "--finalists", "1", "--surrogate", "ridge", "--allow-inaccurate", "--json"),
    ).json()
    assert found["n_evaluations"] == 6
    assert edgewright("report", trained_only).status == 0


def test_a_table_goes_before_a_model(transfer, chain, tables, tmp_path):
    into = tmp_path / "both"
    into.mkdir()
    transfer("--samples", "4", "--json", into=into)
    table = into / DEVICES["cpu"] / chain.table("cpu").name
    table.write_bytes(chain.table("cpu").read_bytes())
    cost = latency_cost(
        "cpu", chain.space, tables=into, precision=None, allow_foreign=False, allow_inaccurate=True
    )
    assert cost.table.path == table


def test_what_is_there_of_something_else_is_kept(transfer, tmp_path):
    out = tmp_path / "own.json"
    out.write_text("notes", "utf-8")
    transfer("--samples", "4", "--out", out).refusal(2, "is there already and is kept", "--again")
    assert out.read_text("utf-8") == "notes"


def test_wrong_requests_are_told_in_one_line(transfer, chain, tmp_path):
    transfer(source=False).refusal(2, "no source", "--from TABLE", "--alone")
    transfer("--alone").refusal(2, "--alone takes no source")
    transfer("--alone", "--samples", "6", source=False).refusal(2, "at least 10 are needed")
    transfer("--samples", "2").refusal(2, "at least 4 are needed")
    transfer(source=tmp_path / "none.json").refusal(2, "does not exist")
    transfer(source=chain.table("cpu")).refusal(2, "is a table of local-cpu-onnxruntime itself")
    transfer("--from", chain.table("litert")).refusal(2, "give each source once")


def test_a_table_of_another_space_is_no_source(edgewright, chain, tmp_path):
    common = ("--device", "cpu", "--samples", "5", "--tables", tmp_path)
    for space in ("mobilenetv3-small-image@32:4", "mobilenetv3-small-image@16:9"):
        told = edgewright("table", "transfer", "--from", chain.table("litert"), "--space", space, *common)
        told.refusal(2, "local-cpu-litert")
    assert not list(tmp_path.rglob("*.json"))


def test_a_model_is_no_source_and_a_damaged_one_is_named(transfer, edgewright, chain, tmp_path):
    made = transfer("--samples", "4", "--out", tmp_path / "m.model.json", "--json").json()
    transfer("--samples", "4", "--out", tmp_path / "x.json", source=made["model"]).refusal(
        2, "is a latency model, which knows no operators"
    )
    path = tmp_path / "m.model.json"
    data = json.loads(path.read_text("utf-8"))
    data["precision"] = "int8"
    path.write_text(json.dumps(data), "utf-8")
    transfer("--samples", "4", "--out", path).refusal(2, "edited or damaged", "--again")
    assert json.loads(path.read_text("utf-8"))["precision"] == "int8"
