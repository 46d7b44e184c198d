"""The profiler on this machine's real runtimes, on a space of two dozen operators."""

import pytest
from doubles.fake_spaces import small_space

from edgewright.backends.registry import exporter, runtime
from edgewright.devices.probe import probe
from edgewright.latency.local_runner import LocalRunner
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.profiler import profile_space
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig, Target
from edgewright.supernet.plain import measured_module, network_from_architecture

CONFIG = ProfileConfig(passes=1, rounds=4, n_fit=3, n_validate=3, max_repeats=0)
SPACE = small_space(resolutions=(16,), depths=(1, 2), kernel_sizes=(3, 5), expands=(3,))


@pytest.mark.parametrize(
    ("backend", "package"),
    [pytest.param("onnxruntime", "onnxruntime", marks=pytest.mark.slow), ("litert", "ai_edge_litert")],
)
def test_a_space_is_profiled_on_a_real_runtime(backend, package, tmp_path):
    pytest.importorskip(package)
    writer = exporter(backend)
    target = Target(
        device=f"local-cpu-{backend}",
        runner=LocalRunner(runtime(backend)),
        suffix=writer.suffix,
        precision="fp32",
        build=lambda op, path: writer.export(
            measured_module(op), (1, (op.lead or op).in_channels, op.in_size, op.in_size), path
        ),
        build_network=lambda arch, path: writer.export(
            network_from_architecture(SPACE, arch), (1, 3, arch.resolution, arch.resolution), path
        ),
    )
    table = profile_space(SPACE, target, journal=tmp_path / "j", config=CONFIG)
    table = LatencyTable.load(table.save(tmp_path / "table.json").path)
    assert not table.failures
    assert table.covers(SPACE)
    table.require_device(probe())
    table.require_runtime(runtime(backend).version)
    assert table.validation.n == 3
    predictor = LatencyPredictor(table, SPACE)
    smallest, largest = predictor.predict_one(SPACE.smallest()), predictor.predict_one(SPACE.largest())
    assert 0 < smallest < largest
