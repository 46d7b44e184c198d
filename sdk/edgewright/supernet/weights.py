"""Supernet weights on disk: one safetensors file, version 1.

The metadata's one key, ``edgewright``, is a JSON object: ``format`` (``supernet``), ``schema`` (1),
``space`` (name), ``space_digest``, ``n_classes``. One key, because safetensors writes several in no
fixed order, and equal weights shall be equal files. Tensors are named as in the module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as tensors_to_bytes

from edgewright.errors import RunError
from edgewright.files import canonical_json, write_bytes
from edgewright.spaces.mobile import MobileSpace
from edgewright.supernet.supernet import Supernet

SCHEMA = 1


def save(supernet: Supernet, path: Path) -> None:
    """Write the weights to ``path`` atomically. Raises ``StorageError``."""
    tensors = {name: tensor.contiguous() for name, tensor in supernet.state_dict().items()}
    space = supernet.space
    header = {
        "format": "supernet",
        "schema": SCHEMA,
        "space": space.name,
        "space_digest": space.digest,
        "n_classes": space.n_classes,
    }
    write_bytes(path, tensors_to_bytes(tensors, {"edgewright": canonical_json(header)}))


def load(path: Path, space: MobileSpace) -> Supernet:
    """Return the supernet whose weights are in ``path``, in evaluation mode.

    A restriction of the resolutions does not change the weights: a file serves every restriction.

    Raises:
        RunError: the file is absent, damaged, or holds weights of another space.
    """
    mend = "train again with `edgewright train --out RUN`"
    if not path.is_file():
        raise RunError(f"supernet weights {path} do not exist; {mend}")
    try:
        with safe_open(str(path), framework="pt") as stream:
            metadata = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RunError(f"supernet weights {path} are damaged ({error}); {mend}") from error
    _require_space(path, _header(metadata), space)
    supernet = Supernet(space)
    expected = supernet.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != {name: tuple(tensor.shape) for name, tensor in expected.items()}:
        raise RunError(f"{path} holds tensors of another version of {space.name}; {mend}")
    supernet.load_state_dict(tensors)
    return supernet.eval()


def _header(metadata: dict[str, str]) -> dict[str, Any]:
    try:
        header = json.loads(metadata["edgewright"])
    except (KeyError, json.JSONDecodeError):
        return {}
    return header if isinstance(header, dict) else {}


def _require_space(path: Path, header: dict[str, Any], space: MobileSpace) -> None:
    """Raise ``RunError`` unless ``header`` describes weights that ``space`` can use."""
    if header.get("format") != "supernet":
        raise RunError(f"{path} holds no supernet weights; give the file that `edgewright train` wrote")
    if header.get("schema") != SCHEMA:
        raise RunError(
            f"{path} has schema {header.get('schema')!r}, this version reads {SCHEMA}; upgrade edgewright"
        )
    name, n_classes = str(header.get("space")), header.get("n_classes")
    if (name.partition("@")[0], n_classes) != (space.base_name, space.n_classes):
        raise RunError(
            f"{path} holds weights of {name} with {n_classes} classes, wanted {space.name} with "
            f"{space.n_classes}; name the space that it was trained for"
        )
