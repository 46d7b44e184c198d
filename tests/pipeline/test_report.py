import json
from pathlib import Path

import pytest
from doubles.signed import changed
from doubles.tiny_chain import EVALUATIONS, TRAINING

from edgewright.pipeline.report import gather, write_report
from edgewright.pipeline.table_transfer import transfer_table
from edgewright.report.page import render


def test_a_finished_run_gathers_everything(chain):
    data = gather(chain.run, title="Patterns")
    assert data.title == "Patterns"
    assert len(data.points) == EVALUATIONS
    assert [objective.key for objective in data.objectives] == ["error", "cpu", "litert"]
    assert [objective.budget for objective in data.objectives] == [None, 50.0, 50.0]
    assert all(objective.minimised for objective in data.objectives)
    assert [point.evaluation for point in data.points] == list(range(1, EVALUATIONS + 1))
    assert [point.predicted is None for point in data.points] == [p.iteration == 0 for p in data.points]
    assert {point.id for point in data.points if point.compiled} == {row.id for row in data.finalists}
    (curve,) = data.curves
    assert (curve.name, curve.own, len(curve.evaluations)) == ("default", True, EVALUATIONS)
    for point in data.hypervolume:
        assert curve.hypervolumes[point.evaluations - 1] == pytest.approx(point.hypervolume)
    assert data.failures == ()
    assert {table.device for table in data.tables} == {"local-cpu-onnxruntime", "local-cpu-litert"}
    assert all(table.mape is not None and not table.foreign for table in data.tables)
    assert all("ms over 100 runs" in table.cross_check for table in data.tables)
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
    data = gather(own_run)
    assert {table.device for table in data.tables} == {"local-cpu-litert"}
    assert data.title.endswith("on local-cpu-onnxruntime, local-cpu-litert"), "the search was for both"


def test_a_latency_model_stands_among_the_tables(own_run, chain, tmp_path):
    made = transfer_table(
        [chain.table("litert")], "cpu", chain.space, samples=5, validate=4, out=tmp_path / "cpu.model.json"
    )
    path = own_run / "searches" / "default" / "search.json"
    path.write_text(path.read_text().replace(str(chain.table("cpu")), str(made.path)))
    data = gather(own_run)
    model = next(table for table in data.tables if table.kind == "model")
    assert model.device == "local-cpu-onnxruntime"
    assert (model.n_fit, model.n_validate, model.n_operators) == (5, 4, 0)
    assert model.sources[0].startswith("local-cpu-litert")
    assert model.mape == pytest.approx(made.model.error)
    assert model.leave_one_out is None or model.leave_one_out > 0
    assert not model.foreign
    roles = [p.role for p in data.predictions if p.device == model.device]
    assert (roles.count("fit"), roles.count("validate")) == (5, 4)
    assert {b.device for b in data.breakdowns} == {"local-cpu-litert"}, "a model knows no operators"
    assert {d.device for d in data.drifts} <= {"local-cpu-litert"}
    assert "latency model" in render(data)


def test_a_table_of_a_device_elsewhere_is_not_foreign(own_run, chain, tmp_path):
    path = own_run / "searches" / "default" / "search.json"
    moved = changed(
        chain.table("cpu"),
        lambda table: table["fingerprint"].update(cpu_model="a Raspberry Pi"),
        to=tmp_path / "table.json",
    )
    asked = json.loads(path.read_text())
    asked["devices"]["cpu"]["table"] = str(moved)
    path.write_text(json.dumps(asked))
    assert [table.foreign for table in gather(own_run).tables] == [True, False]
    profile = tmp_path / "local-cpu-onnxruntime.toml"
    text = Path(asked["devices"]["cpu"]["profile"]).read_text().replace('"local"', '"ssh://pi@device"')
    profile.write_text(text)
    asked["devices"]["cpu"]["profile"] = str(profile)
    path.write_text(json.dumps(asked))
    assert [table.foreign for table in gather(own_run).tables] == [False, False]


@pytest.mark.parametrize("where", ["report.html", "deep/er/page.html"])
def test_the_page_goes_where_it_is_told(own_run, tmp_path, where):
    assert write_report(own_run, out=tmp_path / where) == tmp_path / where
    assert (tmp_path / where).stat().st_size > 10_000
