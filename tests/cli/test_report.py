import shlex

import pytest
from doubles.tiny_chain import contents


def test_report_writes_one_file_that_needs_no_other(edgewright, own_run, tmp_path):
    found = edgewright("report", own_run, "--json").json()
    page = own_run / "report.html"
    assert found == {"report": str(page)}
    text = page.read_text("utf-8")
    assert "local-cpu-onnxruntime" in text
    assert 'src="http' not in text
    elsewhere = tmp_path / "pages" / "of" / "mine.html"
    assert edgewright("report", own_run, "--out", elsewhere).out == f"report: {elsewhere}\n"
    assert elsewhere.is_file()


def test_a_run_that_is_only_trained_has_a_report_too(edgewright, trained_only):
    assert edgewright("report", trained_only).status == 0
    assert "no device yet" in (trained_only / "report.html").read_text("utf-8")


def test_a_search_that_is_not_there(edgewright, own_run, tmp_path):
    edgewright("report", own_run, "--name", "other").refusal(2, "no search 'other'", "edgewright search")
    edgewright("report", tmp_path / "none").refusal(2, "does not exist", "edgewright train")


@pytest.mark.parametrize("text", ["{", "[]", '{"finalists": [{"id": "1"}]}', '{"finalists": 3}'])
def test_a_verification_that_was_edited(edgewright, own_run, text):
    (own_run / "searches" / "default" / "verification.json").write_text(text)
    before = contents(own_run)
    edgewright("report", own_run).refusal(2, "verification", "edgewright verify")
    assert contents(own_run) == before


def test_a_page_that_cannot_be_written(edgewright, own_run):
    edgewright("report", own_run, "--out", own_run / "run.json" / "x.html").refusal(
        2, "cannot write", "folder"
    )


def test_a_run_may_be_called_anything(edgewright, own_run, chain, tmp_path):
    odd = own_run.rename(tmp_path / "mein läuf #1?%20 'q'")
    assert edgewright("report", odd).status == 0
    assert edgewright("front", "show", odd).status == 0
    assert edgewright("compile", odd, "--pick", "smallest", "--for", "litert").status == 0
    search = ("search", "--run", odd, "--tables", chain.tables, "--name", "short", "--evaluations", "1")
    assert edgewright(*search, "--no-verify").status == 0
    (odd / "supernet.safetensors").unlink()
    line = edgewright("search", "--run", odd).refusal(2, "edgewright train")
    assert shlex.quote(str(odd)) in line
