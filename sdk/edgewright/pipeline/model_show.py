"""What a model of latencies or energies says of itself, and whether it may be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import UsageError
from edgewright.latency.encoding_predictor import EncodingPredictor
from edgewright.latency.energy_model import load_model
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.table_device import require_its_device
from edgewright.pipeline.tables import emulated_lines
from edgewright.pipeline.tabulate import columns
from edgewright.spaces import find_space


def describe_model(path: Path, *, by_operator: bool) -> tuple[dict[str, Any], str]:
    """Return what a model says of itself, as JSON values and as text.

    Args:
        path: the file.
        by_operator: whether a network was to be broken down, which a model cannot.

    Raises:
        TableError: the file is faulty.
        UsageError: a network was to be broken down.
    """
    model = load_model(path)
    if by_operator:
        raise UsageError(
            f"{model.described()} knows whole networks and no operators; a cost is broken down "
            f"by a table: edgewright profile {model.device} --space '{model.space_name}'"
        )
    value = model.summary()
    facts = {key: item for key, item in value.items() if key != "validation"}
    error = {key: item for key, item in (value["validation"] or {}).items() if key != "worst"}
    facts["error on unseen networks"] = "" if error else "never measured"
    facts |= {f"  {key}": item for key, item in error.items()}
    return value, columns([(key, _text(item)) for key, item in facts.items()], ("of this model", ""))


def validate_model(
    path: Path,
    space: str | None,
    device: str | DeviceProfile | None = None,
    *,
    progress: Progress = SILENT,
) -> tuple[dict[str, Any], str]:
    """Check a model; return its verdict and its error figures as JSON values and text.

    The arguments are those of :func:`edgewright.pipeline.table_show.validate_table`.

    Raises:
        TableError: the file is faulty, or of other networks.
        ForeignTableError: it was measured on another machine or with another version of its runtime.
        MissingExtraError: its runtime is not installed on the device.
        DeviceUnavailableError: the device is not attached, cannot be reached, or is being measured.
    """
    model = load_model(path)
    wanted = find_space(space or model.space_name)
    EncodingPredictor(model, wanted)
    compared = require_its_device(model, device, progress=progress)
    found = model.validation
    value = {"table": str(path), "table_id": model.table_id, "valid": True, "space": wanted.name}
    value |= {"device": model.device, "compared_with": compared, "emulated": model.fingerprint.emulated}
    value |= {"imported": False, "kind": model.kind, "validation": found.to_json() if found else None}
    lines = [f"{path}: whole, unedited, of {compared}, covers {wanted.name}", *emulated_lines(model)]
    if model.leave_one_out_percent is not None:
        lines.append(f"each network from the others: {model.leave_one_out_percent:.1f} % off on average")
    if found is not None:
        lines.append(
            f"error on {found.n} networks that it has not seen: {found.mape_percent:.1f} % on average, "
            f"{found.p95_percent:.1f} % for 95 % of them, Spearman {found.spearman:.3f}"
        )
    return value, "\n".join(lines)


def _text(item: Any) -> str:
    if isinstance(item, float):
        return f"{item:.4g}"
    return ", ".join(map(_text, item)) if isinstance(item, (list, tuple)) else str(item)
