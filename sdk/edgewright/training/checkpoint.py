"""The state of a run after its last finished epoch: two files that fit each other, or none.

``checkpoint.json`` (schema 1) names a safetensors file and its SHA-256. The tensors are written first
under a new name, then the JSON replaces its predecessor, then old tensors are deleted: a run killed
at any moment has one whole pair. Keys: ``schema``, ``identity`` (what decides the weights),
``epoch`` (finished epochs), ``finished``, ``file``, ``sha256``. Tensors are named ``module.NAME``,
``optimizer.PARAMETER.KEY`` and ``recipe.NAME``. Random state needs no storing: each epoch's generator
comes from seed and epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from edgewright.errors import RunError
from edgewright.files import read_json, write_bytes, write_json

SCHEMA = 1
NAME = "checkpoint.json"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A run's state.

    Attributes:
        epoch: finished epochs.
        finished: whether the run is complete; then the tensors lie in the run's result instead.
        tensors: module, optimiser and recipe, by prefixed name.
    """

    epoch: int
    finished: bool
    tensors: Mapping[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors of ``module``, ``optimizer`` or ``recipe``, without the prefix."""
        start = prefix + "."
        return {name[len(start) :]: t for name, t in self.tensors.items() if name.startswith(start)}


def save_checkpoint(
    out: Path, *, identity: Mapping[str, Any], epoch: int, tensors: Mapping[str, Tensor]
) -> None:
    """Write the state after ``epoch`` finished epochs into ``out``. Raises ``StorageError``."""
    payload = tensors_to_bytes({name: tensor.contiguous() for name, tensor in tensors.items()})
    path = out / f"checkpoint-{epoch:04d}.safetensors"
    write_bytes(path, payload)
    _write_header(out, identity, epoch, finished=False, file=path, sha256=hashlib.sha256(payload).hexdigest())
    _delete_others(out, path)


def finish(out: Path, *, identity: Mapping[str, Any], epoch: int, result: Path, sha256: str) -> None:
    """Mark the run in ``out`` complete and delete its last checkpoint. Raises ``StorageError``."""
    _write_header(out, identity, epoch, finished=True, file=result, sha256=sha256)
    _delete_others(out, None)


def load_checkpoint(out: Path, *, identity: Mapping[str, Any]) -> Checkpoint | None:
    """Return the state of the run in ``out``; ``None`` where none has begun.

    Raises:
        RunError: the checkpoint is damaged, or belongs to a run with other settings, data or space.
    """
    header_path = out / NAME
    if not header_path.exists():
        return None
    mend = f"delete {header_path} to start over, or give another --out"
    header = read_json(header_path, what="checkpoint", mend=mend, error=RunError)
    wanted = {"schema", "identity", "epoch", "finished", "file", "sha256"}
    if not isinstance(header, dict) or set(header) != wanted or not isinstance(header["identity"], dict):
        raise RunError(f"checkpoint {header_path} lacks or exceeds the keys {sorted(wanted)}; {mend}")
    if header["schema"] != SCHEMA:
        raise RunError(
            f"checkpoint {header_path} has schema {header['schema']!r}, this version reads {SCHEMA}; {mend}"
        )
    _require_identity(out, header["identity"], identity)
    path = out / str(header["file"])
    if not path.is_file():
        raise RunError(f"checkpoint {header_path} names {path.name}, which is missing; {mend}")
    payload = path.read_bytes()
    if hashlib.sha256(payload).hexdigest() != header["sha256"]:
        raise RunError(f"{path} is not what {header_path.name} describes: truncated or changed; {mend}")
    if header["finished"]:
        return Checkpoint(epoch=int(header["epoch"]), finished=True, tensors={})
    try:
        tensors = tensors_from_bytes(payload)
    except SafetensorError as error:
        raise RunError(f"{path} cannot be read ({error}); {mend}") from error
    return Checkpoint(epoch=int(header["epoch"]), finished=False, tensors=tensors)


def _require_identity(out: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    names = sorted(set(found) | set(wanted))
    differing = [
        f"{name} was {_short(found.get(name))}, now {_short(wanted.get(name))}"
        for name in names
        if found.get(name) != wanted.get(name)
    ]
    if differing:
        raise RunError(
            f"{out} holds another training run: {'; '.join(differing)}; "
            "use the settings it was begun with, or give another --out"
        )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "…"


def _write_header(
    out: Path, identity: Mapping[str, Any], epoch: int, *, finished: bool, file: Path, sha256: str
) -> None:
    header = {"schema": SCHEMA, "identity": dict(identity), "epoch": epoch, "finished": finished}
    write_json(out / NAME, header | {"file": file.name, "sha256": sha256})


def _delete_others(out: Path, kept: Path | None) -> None:
    for path in [*out.glob("checkpoint-*.safetensors"), *out.glob(".checkpoint-*.safetensors.*")]:
        if path != kept:
            path.unlink(missing_ok=True)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's state as named tensors."""
    state: Mapping[int, Mapping[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": value
        for index, values in state.items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give a fresh ``optimizer`` the state that :func:`optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        parameter: nn.Parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # The strides too: kernels may round differently over another memory format.
            tensor = torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor.detach()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
