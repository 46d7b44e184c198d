"""What is installed, what is missing, and which extra brings it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the diagnosis.

    Attributes:
        name: the component.
        status: ``ok``, ``missing`` (needed for what the extra does), or ``absent`` (hardware).
        version: what was found.
        mend: the command that brings it, empty where nothing needs doing.
    """

    name: str
    status: str
    version: str
    mend: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


# distribution, module, extra that brings it; None for what the core needs
_PACKAGES: tuple[tuple[str, str, str | None], ...] = (
    ("torch", "torch", None),
    ("numpy", "numpy", None),
    ("pymoo", "pymoo", None),
    ("scikit-learn", "sklearn", None),
    ("onnx", "onnx", None),
    ("onnxruntime", "onnxruntime", "onnxruntime"),
    ("ai-edge-litert", "ai_edge_litert", "litert"),
    ("ai-edge-quantizer", "ai_edge_quantizer", "litert"),
    ("litert-torch", "litert_torch", "litert"),
    ("tensorrt-rtx-cu13", "tensorrt_rtx", "tensorrt-rtx"),
    ("tensorrt", "tensorrt", "tensorrt"),
    ("jinja2", "jinja2", "report"),
    ("plotly", "plotly", "report"),
    ("matplotlib", "matplotlib", "report"),
    ("tensorboard", "tensorboard", "tensorboard"),
    ("lightgbm", "lightgbm", None),
    ("catboost", "catboost", "catboost"),
    ("nvidia-ml-py", "pynvml", "tensorrt"),
    ("ray", "ray", "cluster"),
)


def diagnose() -> list[Check]:
    """Return one check a component; nothing heavy is imported."""
    checks = [Check("python", "ok", f"{platform.python_version()} ({sys.executable})", "")]
    for distribution, module, extra in _PACKAGES:
        if not _is_there(module):
            mend = f"pip install 'edgewright[{extra}]'" if extra else f"pip install {distribution}"
            checks.append(Check(distribution, "missing", "", mend))
        else:
            checks.append(Check(distribution, "ok", _version(distribution), ""))
    checks.append(_gpu())
    return checks


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # half installed, or kept out by a hook
        return False


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _gpu() -> Check:
    try:
        # Optional: comes with the tensorrt extra; absent on most machines.
        import pynvml

        pynvml.nvmlInit()
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))
        return Check("NVIDIA GPU", "ok", name if isinstance(name, str) else name.decode(), "")
    except ImportError:
        return Check("NVIDIA GPU", "absent", "", "to look for one: pip install nvidia-ml-py")
    except pynvml.NVMLError as error:
        return Check(
            "NVIDIA GPU",
            "absent",
            str(error),
            "TensorRT engines are built ahead of time with the tensorrt-rtx extra",
        )
