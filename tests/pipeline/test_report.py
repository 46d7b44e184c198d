import pytest
from doubles.tiny_chain import EVALUATIONS, TRAINING

from edgewright.pipeline.report import gather, write_report


def test_a_finished_run_gathers_everything(chain):
    data = gather(chain.run, title="Patterns")
    assert data.title == "Patterns"
    assert len(data.points) == EVALUATIONS
    assert [objective.key for objective in data.objectives] == ["error", "cpu", "litert"]
    assert [objective.budget for objective in data.objectives] == [None, 50.0, 50.0]
    assert {table.device for table in data.tables} == {"local-cpu-onnxruntime", "local-cpu-litert"}
    assert all(table.mape is not None and not table.foreign for table in data.tables)
    assert {point.role for point in data.predictions} == {"fit", "validate", "finalist"}
    assert data.hypervolume[-1].evaluations == EVALUATIONS
    assert len(data.training) == TRAINING.epochs
    assert len(data.finalists) == 2
    assert {(b.id, b.device) for b in data.breakdowns} == {(f.id, f.device) for f in data.finalists}
    for found, row in zip(data.breakdowns, data.finalists, strict=True):
        assert found.total_ms == pytest.approx(row.predicted_ms)
    assert {d.device for d in data.drifts} <= {table.device for table in data.tables}
    assert data.provenance["Data"]["source"] == str(chain.images)


def test_a_run_without_a_search_gathers_its_training(trained_only):
    data = gather(trained_only)
    assert (data.points, data.tables, data.finalists) == ((), (), ())
    assert len(data.training) == TRAINING.epochs


def test_a_log_that_was_edited_is_read_as_far_as_it_goes(trained_only):
    log = trained_only / "train.jsonl"
    log.write_text(log.read_text() + '"torn"\n{"epoch": 9}\n{"epoch"')
    assert len(gather(trained_only).training) == TRAINING.epochs


def test_a_table_that_is_gone_is_left_out(own_run, chain, tmp_path):
    path = own_run / "searches" / "default" / "search.json"
    path.write_text(path.read_text().replace(str(chain.table("cpu")), str(tmp_path / "gone.json")))
    assert {table.device for table in gather(own_run).tables} == {"local-cpu-litert"}


@pytest.mark.parametrize("where", ["report.html", "deep/er/page.html"])
def test_the_page_goes_where_it_is_told(own_run, tmp_path, where):
    assert write_report(own_run, out=tmp_path / where) == tmp_path / where
    assert (tmp_path / where).stat().st_size > 10_000
