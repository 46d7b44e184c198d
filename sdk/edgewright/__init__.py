"""edgewright: from a data set and devices to verified networks inside measured latency budgets.

Every verb of the command line is one function here::

    import edgewright as ew

    ew.profile_device("local-cpu-onnxruntime", ew.find_space("mobilenetv3-small-image", n_classes=10))
    ew.train_run("mobilenetv3-small-image", "photos/", Path("run"))
    found = ew.search_run(Path("run"), ew.SearchOptions(budget="cpu=4ms,size=2MB"))
    ew.verify_run(Path("run")).require()

Names are resolved on use, so importing this package loads no framework.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Whether torch asks Linux for pages of 2 MiB where it needs that much at once: without them, most of the
# time of a large network on a CPU goes into pages of 4 KiB. Read when torch first allocates.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

if TYPE_CHECKING:
    from edgewright.devices.probe import probe
    from edgewright.devices.profile import DeviceProfile, list_profiles
    from edgewright.errors import SDKError
    from edgewright.latency.table import LatencyTable
    from edgewright.pipeline.bench import bench_artifact
    from edgewright.pipeline.compile import compile_pick
    from edgewright.pipeline.demo import run_demo
    from edgewright.pipeline.devices import (
        check_device,
        clean_device,
        device_parity,
        prepare_device,
        probe_device,
    )
    from edgewright.pipeline.doctor import diagnose
    from edgewright.pipeline.front import load_front
    from edgewright.pipeline.profile import profile_device
    from edgewright.pipeline.profile_many import profile_devices
    from edgewright.pipeline.report import write_report
    from edgewright.pipeline.search import SearchOptions, search_run
    from edgewright.pipeline.train import train_run
    from edgewright.pipeline.verify import verify_run
    from edgewright.spaces import find_space, list_spaces
    from edgewright.training.config import TrainConfig

_HOME = {
    "DeviceProfile": "devices.profile",
    "LatencyTable": "latency.table",
    "SDKError": "errors",
    "SearchOptions": "pipeline.search",
    "TrainConfig": "training.config",
    "bench_artifact": "pipeline.bench",
    "check_device": "pipeline.devices",
    "clean_device": "pipeline.devices",
    "compile_pick": "pipeline.compile",
    "device_parity": "pipeline.devices",
    "diagnose": "pipeline.doctor",
    "find_space": "spaces",
    "list_profiles": "devices.profile",
    "list_spaces": "spaces",
    "load_front": "pipeline.front",
    "prepare_device": "pipeline.devices",
    "probe": "devices.probe",
    "probe_device": "pipeline.devices",
    "profile_device": "pipeline.profile",
    "profile_devices": "pipeline.profile_many",
    "run_demo": "pipeline.demo",
    "search_run": "pipeline.search",
    "train_run": "pipeline.train",
    "verify_run": "pipeline.verify",
    "write_report": "pipeline.report",
}

__all__ = [
    "DeviceProfile",
    "LatencyTable",
    "SDKError",
    "SearchOptions",
    "TrainConfig",
    "__version__",
    "bench_artifact",
    "check_device",
    "clean_device",
    "compile_pick",
    "device_parity",
    "diagnose",
    "find_space",
    "list_profiles",
    "list_spaces",
    "load_front",
    "prepare_device",
    "probe",
    "probe_device",
    "profile_device",
    "profile_devices",
    "run_demo",
    "search_run",
    "train_run",
    "verify_run",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'edgewright' has no attribute {name!r}")
    return getattr(import_module(f"edgewright.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
