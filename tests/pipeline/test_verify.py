import json
from dataclasses import replace

import pytest
from doubles.tiny_chain import contents

from edgewright.errors import BudgetViolationError, ParityError, RunError
from edgewright.latency.measure import Measurement
from edgewright.pipeline import verify
from edgewright.pipeline.verify import load_verification, verify_run

FAR = ("local-cpu-onnxruntime", 1)


def test_what_was_verified_is_read_back_as_it_was(chain):
    found = load_verification(chain.run, "default")
    assert found is not None
    assert [row.device for row in found.rows] == ["local-cpu-onnxruntime", "local-cpu-litert"]
    found.require()
    assert json.loads(json.dumps(found.to_json()))["finalists"][0]["verdict"] == "met"
    assert load_verification(chain.run, "other") is None


def test_what_was_verified_before_memory_was_measured_is_read(own_run):
    path = own_run / "searches" / "default" / "verification.json"
    data = json.loads(path.read_text())
    newer = ("memory_bytes", "load_ms", "energy_mj", "energy_note")
    data["finalists"] = [{k: v for k, v in row.items() if k not in newer} for row in data["finalists"]]
    path.write_text(json.dumps(data))
    found = load_verification(own_run, "default")
    assert [row.memory_bytes for row in found.rows] == [None, None]
    assert "peak memory" in found.text()


def test_a_violated_budget_and_a_failed_parity_are_told_apart(chain):
    found = load_verification(chain.run, "default")
    slow = replace(found.rows[0], budget_ms=found.rows[0].measured_ms / 2)
    with pytest.raises(BudgetViolationError, match=r"1 of 2 .*local-cpu-onnxruntime"):
        replace(found, rows=(slow, found.rows[1])).require()
    wrong = replace(found.rows[1], parity="failed", parity_detail="differs by 3.0 of the range")
    with pytest.raises(ParityError, match=r"local-cpu-litert: differs by 3\.0"):
        replace(found, rows=(slow, wrong)).require()


def test_verifying_again_reuses_the_files(own_run):
    verify_run(own_run, finalists=1)
    before = contents(own_run / "artifacts")
    verify_run(own_run, finalists=1)
    assert contents(own_run / "artifacts") == before


def test_a_run_is_verified_from_any_folder(own_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert all(row.verdict == "met" for row in verify_run(own_run, finalists=1).rows)


def test_a_search_without_networks_is_refused(own_run):
    for path in (own_run / "searches" / "default").iterdir():
        path.unlink()
    with pytest.raises(RunError, match="edgewright search"):
        verify_run(own_run)


@pytest.fixture
def slow_at_first(monkeypatch):
    """Every file's first measurement is of a core that others slow down 10,000-fold; the later are real."""
    real, seen = verify.bench_artifact, set()

    def bench(path, *args, **kwargs):
        found = real(path, *args, **kwargs)
        if path in seen:
            return found
        seen.add(path)
        return replace(found, measurement=found.measurement.scaled(1e4))

    monkeypatch.setattr(verify, "bench_artifact", bench)


def test_a_file_far_from_its_prediction_or_noisy_is_timed_again_and_another_is_not(own_run, monkeypatch):
    real, calls = verify.bench_artifact, []

    def bench(path, profile, **kwargs):
        calls.append(profile.name)
        found = real(path, profile, **kwargs)
        # The first visit to each: half of what was predicted, quietly; then as predicted.
        row = predicted[profile.name]
        wanted = row / 2 if (profile.name, calls.count(profile.name)) == FAR else row
        return replace(found, measurement=Measurement((wanted,) * 9), slowed_by=())

    predicted = {r.device: r.predicted_ms for r in load_verification(own_run, "default").rows}
    monkeypatch.setattr(verify, "bench_artifact", bench)
    far, near = verify_run(own_run, finalists=1).rows
    assert calls == ["local-cpu-onnxruntime", "local-cpu-litert", *["local-cpu-onnxruntime"] * 2]
    assert far.measured_ms == far.predicted_ms
    assert "timed 3 times" in far.note
    assert "times" not in near.note


def test_a_file_that_was_slow_for_a_moment_is_timed_again(own_run, slow_at_first):
    rows = verify_run(own_run, finalists=1).rows
    assert [row.verdict for row in rows] == ["met", "met"]
    assert all("timed 3 times: " in row.note for row in rows)
    assert load_verification(own_run, "default").rows == rows


def test_a_file_that_is_always_slow_breaks_its_budget(own_run, monkeypatch):
    path = own_run / "searches" / "default" / "search.json"
    described = json.loads(path.read_text())
    described["asked"]["cpu"] = 1e-4
    path.write_text(json.dumps(described))
    slow, other = verify_run(own_run, finalists=1).rows
    assert (slow.verdict, other.verdict) == ("violated", "met")
    visits = [float(ms) for ms in slow.note.rpartition("times: ")[2].removesuffix(" ms").split(", ")]
    assert len(visits) == 3
    assert f"{slow.measured_ms:.4g}" == f"{sorted(visits)[1]:.4g}"
