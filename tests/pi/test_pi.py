"""Everything over real ssh on an emulated Raspberry Pi; in order, since the machine is set up but once."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from doubles.fake_device import FakeDevice
from doubles.listener import Listener
from pi.conftest import SPACE

from edgewright.errors import (
    DeviceUnavailableError,
    ForeignTableError,
    OutputExistsError,
    StorageError,
    UsageError,
)
from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig
from edgewright.pipeline import bench
from edgewright.pipeline.device_costs import latency_cost
from edgewright.pipeline.devices import check_device, device_parity, prepare_device, probe_device
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.table_device import require_its_device
from edgewright.pipeline.table_show import validate_table
from edgewright.pipeline.table_transfer import transfer_table
from edgewright.spaces import find_space, registry

pytestmark = pytest.mark.pi
CONFIG = ProfileConfig(
    passes=1, rounds=2, segment=4, warm_ms=0.0, n_fit=3, n_validate=2, network_samples=1, max_repeats=0
)


class Watch(Listener):
    """A progress that does something once so much is measured, and keeps what it is told."""

    def __init__(self, **actions):
        super().__init__()
        self.due = sorted((int(key.removeprefix("at_")), action) for key, action in actions.items())

    def update(self, done, total=None, note=""):
        super().update(done, total, note)
        if self.due and done >= self.due[0][0]:
            self.due.pop(0)[1]()


def cut_links(rig):
    """Kill every ssh of this process; return how many there were."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, status = (folder / "cmdline").read_bytes(), (folder / "status").read_text()
        except OSError:
            continue
        if str(rig.work / "config").encode() in command and f"PPid:\t{os.getpid()}\n" in status:
            os.kill(int(folder.name), signal.SIGKILL)
            found += 1
    return found


def cut_some_link(rig, watch):
    """Cut the link as soon as there is one."""
    for _ in range(600):
        if cut_links(rig):
            watch.said.append("the link was cut")
            return
        time.sleep(0.05)


def reboot(rig):
    rig.stop()
    rig.start()


def statuses(found):
    return {finding.name: finding.status for finding in found.findings}


def test_a_fresh_device_is_told_what_it_lacks(rig, pi):
    found = check_device(pi)
    assert statuses(found) == {
        **dict.fromkeys(("connection", "python", "clock", "disk", "lock", "machine", "conditions"), "ok"),
        "emulated": "note",
        "runtime": "wrong",
    }
    with pytest.raises(DeviceUnavailableError, match="edgewright device prepare emulated-pi"):
        found.require()


def test_probe_sees_a_raspberry_pi_that_is_emulated(pi):
    found = probe_device(pi)
    assert found.machine == "aarch64"
    assert found.board == "Raspberry Pi 4 Model B Rev 1.5"
    assert found.isa == ("asimd",)
    assert found.emulated


def test_prepare_installs_the_runtime_and_does_so_once(prepared):
    pi, first = prepared
    assert first.version.startswith("ai-edge-litert ")
    assert len(first.wheels) == 2
    again = prepare_device(pi)
    assert again.version == first.version
    assert again.wheels == ()
    check_device(pi).require()


def test_a_version_that_does_not_exist_is_refused_by_name(prepared):
    with pytest.raises(UsageError, match=r"ai-edge-litert==99\.9.*--runtime-version"):
        prepare_device(prepared[0], version="99.9")


def test_it_computes_what_this_machine_computes(prepared, artifact):
    found = device_parity(artifact, prepared[0], n=2)
    found.require()
    assert found.max_abs_difference <= 1e-5
    assert found.relative <= 1e-5


def test_a_compiled_network_is_measured_with_its_memory_and_load_time(prepared, artifact, monkeypatch):
    monkeypatch.setattr(bench, "ATTEMPTS", 1)
    monkeypatch.setattr(bench, "MEASURE", bench.MeasureConfig(min_samples=5, max_samples=5, max_time_ms=1.0))
    found = bench.bench_artifact(artifact, prepared[0], vendor=True)
    assert found.measurement.median_ms > 0
    assert found.footprint_reason == ""
    assert found.footprint.size_bytes == artifact.stat().st_size
    assert found.footprint.memory_bytes > 0
    assert min(found.footprint.load_ms, found.footprint.first_load_ms) > 0
    assert found.energy == ()
    assert found.energy_reason.startswith("emulated-pi: no energy sensor")
    assert found.vendor.reason == bench.BEHIND_SSH


@pytest.fixture(scope="module")
def profiled(rig, prepared, tmp_path_factory):
    """A table that was measured although the link was cut and the device rebooted meanwhile."""
    cut = threading.Timer(1.0, lambda: cut_some_link(rig, watch))  # the first segment is on its way
    watch = Watch(at_0=cut.start, at_4=lambda: reboot(rig))
    folder = tmp_path_factory.mktemp("tables")
    result = profile_device(prepared[0], SPACE, tables=folder, preset=CONFIG, progress=watch)
    return result, watch, folder


def test_a_profile_outlives_a_cut_link_and_a_reboot(profiled):
    result, watch, _ = profiled
    assert result.table.covers(SPACE)
    assert not result.table.failures
    assert watch.due == []
    assert "the link was cut" in watch.said
    # Twice, unless the link was cut while it was being made anew after the reboot.
    assert len([line for line in watch.said if "connecting again" in line]) >= 1
    assert result.table.validation.n >= 1


def test_its_table_is_marked_and_refused_by_search_unless_forced(profiled, prepared):
    result, _, folder = profiled
    assert result.table.fingerprint.emulated
    assert result.table.fingerprint.machine == "aarch64"
    path = str(prepared[0].path)
    with pytest.raises(ForeignTableError, match="emulated device"):
        latency_cost(path, SPACE, tables=folder, precision=None, allow_foreign=False)
    latency_cost(path, SPACE, tables=folder, precision=None, allow_foreign=True, allow_inaccurate=True)


def test_the_table_is_not_measured_twice(profiled, prepared):
    assert profile_device(prepared[0], SPACE, tables=profiled[2], preset=CONFIG).reused


def test_its_table_is_validated_against_the_device_and_not_this_machine(profiled, prepared, monkeypatch):
    monkeypatch.setitem(registry.SPACES, SPACE.base_name, SPACE)
    value, text = validate_table(profiled[0].path, None, prepared[0])
    assert value["compared_with"] == "emulated-pi as it is now (ssh://emulated-pi)"
    assert value["emulated"]
    assert "search refuses them" in text
    with pytest.raises(ForeignTableError, match=r"no profile here is named 'emulated-pi'.*--on"):
        validate_table(profiled[0].path, None)


def test_few_measurements_and_another_devices_table_make_a_model_that_search_refuses(prepared, tmp_path):
    pi, space = prepared[0], find_space("mobilenetv3-small-image@16:4")
    config = ProfileConfig(passes=1, rounds=2, n_fit=6, n_validate=0)
    source = profile_space(space, FakeDevice().target(space), journal=tmp_path / "j", config=config)
    made = transfer_table(
        [source.save(tmp_path / "source.json").path],
        pi,
        space,
        samples=4,
        tables=tmp_path,
        config=ProfileConfig(network_visits=1, network_rounds=1, max_repeats=0),
    )
    assert len(made.model.networks) == 4
    assert made.model.fingerprint.emulated
    assert made.model.fingerprint.machine == "aarch64"
    assert validate_table(made.path, None, pi)[0]["compared_with"].startswith("emulated-pi")
    with pytest.raises(ForeignTableError, match="emulated device"):
        latency_cost(str(pi.path), space, tables=tmp_path, precision=None, allow_foreign=False)


def test_a_full_disk_is_named_and_what_was_there_is_kept(rig, prepared, artifact):
    pi, first = prepared
    models, share = "home/pi/.cache/edgewright/models", "home/pi/.local/share"
    rig.mount_small_disk(models, 16)
    try:
        with pytest.raises(StorageError, match=rf"emulated-pi: no space left on the disk of /{models}"):
            bench.bench_artifact(artifact, pi)
    finally:
        rig.unmount(models)
    rig.mount_small_disk(share, 2048)
    try:
        with pytest.raises(StorageError, match=f"emulated-pi: no space left on the disk of /{share}"):
            prepare_device(pi)
    finally:
        rig.unmount(share)
    assert prepare_device(pi).version == first.version
    check_device(pi).require()


def test_a_host_key_that_changed_is_refused_with_the_command_that_forgets_it(rig, prepared):
    known = rig.work / "known_hosts"
    before = known.read_text()
    other = (rig.work / "key.pub").read_text().split()[1]
    known.write_text(f"{before.split()[0]} ssh-ed25519 {other}\n")
    try:
        with pytest.raises(DeviceUnavailableError, match=r"HAS CHANGED.*ssh-keygen .*-R"):
            probe_device(prepared[0])
        known.write_text("")
        with pytest.raises(DeviceUnavailableError, match="not known here"):
            probe_device(prepared[0])
    finally:
        known.write_text(before)


def test_another_runtime_version_is_told_from_the_one_that_was_measured(profiled, prepared, artifact):
    pi = prepared[0]
    done = prepare_device(pi, package="tflite-runtime", version="2.14.0")
    assert done.version == "tflite-runtime 2.14.0"
    assert statuses(check_device(pi))["runtime"] == "note"
    with pytest.raises(
        OutputExistsError, match=r"measured with ai-edge-litert .*installed is tflite-runtime 2\.14"
    ):
        profile_device(pi, SPACE, tables=profiled[2], preset=CONFIG)
    with pytest.raises(ForeignTableError, match=r"ai-edge-litert .*installed is tflite-runtime 2\.14"):
        require_its_device(profiled[0].table, pi)
