import os
import signal
import threading
import time

import numpy as np
import pytest
from doubles.ssh_device import write_runtime

from edgewright.errors import (
    DeviceBusyError,
    DeviceUnavailableError,
    LinkLostError,
    MissingExtraError,
    RuntimeFailureError,
    StorageError,
    TableError,
)
from edgewright.latency.measure import Interleaved, MeasureConfig
from edgewright.latency.runner import Refusal
from edgewright.pipeline.runners import runner_on
from edgewright.remote.runner import _results

TURNS = {
    "seed": [1, 2],
    "rounds": 3,
    "warm_ms": 0.1,
    "samples": 1,
    "settle": 1,
    "opening": lambda index: None,
}
BRIEF = MeasureConfig(min_samples=10, max_samples=20, max_time_ms=20.0, max_warmup_ms=5.0)


linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins")


@pytest.fixture
def runner(device):
    found = device.runner(patience_s=10.0)
    yield found
    found.close()


def test_artifacts_are_timed_in_turns(device, runner):
    artifacts = [device.artifact("quick", ms=0.1), device.artifact("slow", ms=1.0)]
    quick, slow = runner.time_in_turns(artifacts, **TURNS)
    assert isinstance(quick, Interleaved)
    assert 0.1 <= quick.warm.median_ms < slow.warm.median_ms
    assert [moment.n for moment in quick.warm.moments] == [quick.warm.n]
    assert quick.warm.dropped.n == quick.warm.n_dropped
    assert runner.gauge_ns > 0
    assert runner.version == "ai-edge-litert 9.9"
    assert runner.settings() == {"delegate": "XNNPACK", "threads": 1}
    assert runner.conditions().time_utc


def test_the_device_is_waited_for_until_its_core_is_steady(runner):
    assert 0 <= runner.wait_until_steady(0.2) < 5.0


def test_an_artifact_is_timed_alone(device, runner):
    found = runner.time_alone(device.artifact("network", ms=0.5), seed=[0], config=BRIEF)
    assert found.median_ms >= 0.5
    (moment,) = found.moments
    assert moment.n == found.n
    assert moment.n_preemptions >= 0


def test_memory_and_load_time_are_those_of_a_fresh_process_on_the_device(device, runner):
    artifact = device.artifact("network", ms=0.5, weights="x" * 4_000_000)
    found = runner.footprint(artifact)
    assert found.size_bytes == artifact.stat().st_size
    assert found.load_ms > 0
    assert found.first_load_ms > 0
    assert found.n_loads >= 1
    # What it loads is read into memory; what the worker holds by then is not counted.
    assert found.memory_bytes > 4e6
    assert found.baseline_bytes > 5e6


def test_an_artifact_that_the_device_cannot_load_has_no_footprint(device, runner):
    with pytest.raises(RuntimeFailureError, match=r"shelf: .*another century"):
        runner.footprint(device.artifact("refused", refuse="an operator of another century"))
    with pytest.raises(RuntimeFailureError, match=r"took a fresh process down .*status -11"):
        runner.footprint(device.artifact("crash", crash=signal.SIGSEGV))
    assert runner.footprint(device.artifact("good"))


def test_energy_is_told_by_sensor_or_with_the_reason_why_it_is_not(device, runner):
    found = runner.energy(device.artifact("network"))
    assert bool(found.energy) != bool(found.reason)


def test_sensors_are_named_before_anything_is_sent(runner, monkeypatch):
    names, reason = runner.sensors()
    assert bool(names) != bool(reason)
    monkeypatch.setattr(runner, "_ask", lambda method: {"names": [3]})
    with pytest.raises(DeviceUnavailableError, match="sent a list of sensors that makes no sense"):
        runner.sensors()


@pytest.mark.parametrize(
    "change",
    [{"load_ms": None}, {"load_ms": -1.0}, {"memory_bytes": "2 MB"}, {"n_loads": 1.5}, {"colour": 1}],
)
def test_a_footprint_that_makes_no_sense_is_refused(runner, monkeypatch, change):
    sizes = dict.fromkeys(("size_bytes", "memory_bytes", "baseline_bytes", "n_loads"), 7)
    told = {**sizes, "load_ms": 1.0, "first_load_ms": 2.0}
    monkeypatch.setattr(runner, "_with_files", lambda method, files: told | change)
    with pytest.raises(DeviceUnavailableError, match="sent a footprint that makes no sense"):
        runner.footprint(None)
    monkeypatch.setattr(runner, "_with_files", lambda method, files: told)
    assert runner.footprint(None).load_ms == 1.0


@pytest.mark.parametrize(
    "told",
    [None, {}, {"energy": [], "reason": ""}, {"energy": [{}], "reason": ""}, {"energy": [], "reason": 3}],
)
def test_an_energy_that_makes_no_sense_is_refused(runner, monkeypatch, told):
    monkeypatch.setattr(runner, "_with_files", lambda method, files: told)
    with pytest.raises(DeviceUnavailableError, match="sent a figure of energy that makes no sense"):
        runner.energy(None)


def test_outputs_come_back(device, runner):
    inputs = {"x": np.arange(24, dtype=np.float32).reshape(2, 1, 2, 2, 3)}
    found = runner.outputs(device.artifact("model"), inputs)
    assert found["y"].tolist() == [[[66.0] * 4], [[210.0] * 4]]


def test_an_artifact_that_crashes_the_runtime_is_refused_and_the_others_go_on(device, runner):
    artifacts = [
        device.artifact("first"),
        device.artifact("crash", crash=signal.SIGSEGV),
        device.artifact("refused", refuse="an operator of another century"),
        device.artifact("killed", crash=signal.SIGKILL),
        device.artifact("last"),
    ]
    first, crash, refused, killed, last = runner.time_in_turns(artifacts, **TURNS)
    assert isinstance(first, Interleaved)
    assert isinstance(last, Interleaved)
    assert "signal 11 (SIGSEGV)" in crash.reason
    assert "another century" in refused.reason
    assert "SIGKILL, for want of memory" in killed.reason
    assert len(device.connections()) == 3  # the agent outlives its workers


def test_a_runtime_that_hangs_is_ended_and_the_others_go_on(device):
    runner = device.runner(hung_s=1.5)
    artifacts = [device.artifact("good"), device.artifact("hang", hang=True)]
    good, hang = runner.time_in_turns(artifacts, **TURNS)
    runner.close()
    assert isinstance(good, Interleaved)
    assert "no progress for 2 s" in hang.reason


@pytest.mark.parametrize(
    "samples", [[], [float("nan")], [-1.0], [True], ["1 ms"]], ids=["none", "NaN", "negative", "true", "text"]
)
def test_samples_that_make_no_sense_are_refused(samples):
    counts = dict.fromkeys(("n_warmup", "n_dropped", "n_slowed", "n_cpu_time"), 0)
    item = {kind: {"samples_ms": samples, "throttled": [], **counts} for kind in ("cold", "warm")}
    with pytest.raises(TableError):
        _results([item], 1)


@pytest.mark.parametrize(
    "notes",
    [{"moments": [[7]]}, {"moments": "hot"}, {"marks": "?!"}, {"dropped": {"s": "AA"}}, {"extra": 1}],
    ids=["moments of others", "no moments", "no marks", "not dropped", "unknown"],
)
def test_notes_beside_samples_that_make_no_sense_are_refused(device, runner, monkeypatch, notes):
    counts = dict.fromkeys(("n_warmup", "n_dropped", "n_slowed", "n_cpu_time"), 0)
    told = {"timed": {"samples_ms": [1.0], "throttled": [], **counts, **notes}, "gauge_ns": None}
    artifact = device.artifact("network", ms=0.5)
    monkeypatch.setattr(runner, "_with_files", lambda *_, **__: told)
    with pytest.raises(DeviceUnavailableError, match="sent a measurement that makes no sense"):
        runner.time_alone(artifact, seed=[0], config=BRIEF)


def test_an_artifact_that_crashes_only_while_it_is_timed_is_found(device, runner):
    artifacts = [device.artifact("good"), device.artifact("late", crash_at=9), device.artifact("fine")]
    good, late, fine = runner.time_in_turns(artifacts, **TURNS)
    assert isinstance(good, Interleaved)
    assert isinstance(fine, Interleaved)
    assert isinstance(late, Refusal)


def test_an_artifact_that_crashes_the_runtime_alone_is_a_failure(device, runner):
    with pytest.raises(RuntimeFailureError, match="SIGABRT"):
        runner.time_alone(device.artifact("bad", crash=signal.SIGABRT), seed=[0], config=BRIEF)
    assert runner.time_alone(device.artifact("good"), seed=[0], config=BRIEF)


def test_a_link_that_is_cut_is_made_again_and_the_turn_repeated(device):
    said = []
    runner = device.runner(patience_s=10.0, say=said.append)
    artifact = device.artifact("slow", ms=20.0)
    cut = threading.Timer(0.5, lambda: os.kill(device.connections()[-1], signal.SIGKILL))
    cut.start()
    (found,) = runner.time_in_turns([artifact], **{**TURNS, "rounds": 8})
    runner.close()
    assert isinstance(found, Interleaved)
    assert len(device.connections()) == 4
    assert len(said) == 1
    assert "connecting again" in said[0]


def test_a_device_that_stays_away_is_given_up_and_one_that_comes_back_is_not(device):
    runner = device.runner(patience_s=3.0)
    artifact = device.artifact("model")
    away = device.folder / "says"
    away.write_text("ssh: connect to host shelf port 22: Connection refused\n")
    os.kill(device.connections()[-1], signal.SIGKILL)
    back = threading.Timer(1.5, away.unlink)
    back.start()
    assert isinstance(runner.time_in_turns([artifact], **TURNS)[0], Interleaved)
    away.write_text("ssh: connect to host shelf port 22: Connection refused\n")
    os.kill(device.connections()[-1], signal.SIGKILL)
    started = time.monotonic()
    with pytest.raises(LinkLostError, match="Connection refused"):
        runner.time_in_turns([artifact], **TURNS)
    assert 1.0 < time.monotonic() - started < 10.0
    runner.close()


def test_a_device_that_comes_back_with_another_runtime_is_not_gone_on_with(device):
    runner = device.runner(patience_s=5.0)
    share = device.home / ".local" / "share" / "edgewright"
    write_runtime(share / "other", "10.0")
    (share / "litert").unlink()
    (share / "litert").symlink_to("other")
    os.kill(device.connections()[-1], signal.SIGKILL)
    with pytest.raises(
        DeviceUnavailableError, match=r"came back with ai-edge-litert 10.0 where it had .* 9.9"
    ):
        runner.conditions()
    runner.close()


def test_a_device_that_never_answered_is_not_waited_for(device):
    (device.folder / "says").write_text("ssh: connect to host shelf port 22: Connection refused\n")
    started = time.monotonic()
    with pytest.raises(DeviceUnavailableError, match="Connection refused"):
        device.runner()
    assert time.monotonic() - started < 5.0


def test_a_device_without_the_runtime_names_the_command_that_brings_it(device_at, bare_python):
    device = device_at(runtime=False, python=bare_python)
    with pytest.raises(MissingExtraError, match="edgewright device prepare shelf"):
        device.runner()


def test_a_held_device_is_told_at_once(device, runner):
    with pytest.raises(DeviceBusyError):
        device.runner()


def test_a_full_disk_ends_the_profile_and_names_the_folder(device, runner):
    models = device.cache / "models"
    models.parent.mkdir(parents=True, exist_ok=True)
    models.write_text("in the way")
    with pytest.raises(StorageError, match=f"shelf: cannot write below {models}"):
        runner.time_in_turns([device.artifact("model")], **TURNS)


def test_an_artifact_that_is_not_here_is_told(device, runner):
    with pytest.raises(RuntimeFailureError, match="does not exist; compile it"):
        runner.time_in_turns([device.folder / "none.tflite"], **TURNS)


def test_a_device_that_its_profile_calls_emulated_is(device):
    runner = device.runner(emulated=True)
    assert runner.fingerprint().emulated
    runner.close()


@linux
def test_a_device_is_measured_on_the_processors_that_its_profile_names(device_at):
    cpu = min(os.sched_getaffinity(0))
    device = device_at("pinned", affinity=[cpu])
    with runner_on(device.profile) as runner:
        assert runner.affinity == (cpu,)
        assert runner.conditions().affinity == (cpu,)
        found = runner.time_alone(device.artifact("network", ms=0.5), seed=[0], config=BRIEF)
    assert found.median_ms >= 0.5


@linux
def test_a_processor_that_the_device_lacks_is_told_before_anything_is_sent(device_at):
    device = device_at("pinned", affinity=[4095])
    said = r"pinned: .*processors 4095, .*affinity"
    with pytest.raises(DeviceUnavailableError, match=said), runner_on(device.profile):
        pass
    assert not list((device.cache / "models").glob("*"))
