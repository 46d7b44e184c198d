"""Supernet weights on disk: one safetensors file, version 1.

Metadata: ``format`` (``edgewright-supernet``), ``schema`` (1), ``space`` (name), ``space_digest``,
``n_classes``. Tensors are named as in the module.
"""

from __future__ import annotations

import re
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as tensors_to_bytes

from edgewright.errors import RunError
from edgewright.files import write_bytes
from edgewright.spaces.mobile import MobileSpace
from edgewright.supernet.supernet import Supernet

SCHEMA = 1


def save(supernet: Supernet, path: Path) -> None:
    """Write the weights to ``path`` atomically. Raises ``StorageError``."""
    tensors = {name: tensor.contiguous() for name, tensor in supernet.state_dict().items()}
    space = supernet.space
    metadata = {
        "format": "edgewright-supernet",
        "schema": str(SCHEMA),
        "space": space.name,
        "space_digest": space.digest,
        "n_classes": str(space.n_classes),
    }
    write_bytes(path, tensors_to_bytes(tensors, metadata))


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
    if metadata.get("format") != "edgewright-supernet":
        raise RunError(f"{path} holds no supernet weights; give the file that `edgewright train` wrote")
    if metadata.get("schema") != str(SCHEMA):
        raise RunError(
            f"{path} has schema {metadata.get('schema')!r}, this version reads {SCHEMA}; upgrade edgewright"
        )
    found, wanted = (metadata.get("space", ""), metadata.get("n_classes")), (space.name, str(space.n_classes))
    if (re.sub("@.*", "", found[0]), found[1]) != (space.base_name, wanted[1]):
        raise RunError(
            f"{path} holds weights of {found[0]} with {found[1]} classes, wanted {wanted[0]} with "
            f"{wanted[1]}; name the space that it was trained for"
        )
    supernet = Supernet(space)
    expected = supernet.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != {name: tuple(tensor.shape) for name, tensor in expected.items()}:
        raise RunError(f"{path} holds tensors of another version of {space.name}; {mend}")
    supernet.load_state_dict(tensors)
    return supernet.eval()
