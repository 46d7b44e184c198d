"""The processes that train one network together, and what they tell each other.

``torchrun`` starts them and says through the environment who they are. Each holds all weights and all
images and works on its share of every batch; what a batch decides together is

- the statistics of BatchNorms (:mod:`edgewright.training.shared_norm`),
- the gradients and the loss, summed as one flat vector after a step's last subnet,

so that the number of processes changes the result by rounding alone.

Not by ``torch.nn.parallel.DistributedDataParallel``: it reduces in hooks of its own ``forward``, once for
one backward pass, and a sandwich step has one for each subnet; it averages over processes where batches
that do not divide evenly want a weighted sum. Nor by ``torch.nn.SyncBatchNorm``, which refuses the CPU.

Nothing is pickled: what travels is tensors, and bytes as tensors of bytes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor
from torch import distributed as dist

from edgewright.errors import ProcessFailedError, ProcessLostError, SDKError, UsageError
from edgewright.training.data.batches import Share

T = TypeVar("T")

PATIENCE = timedelta(minutes=30)  # for a process that answers late: it may still be reading images
_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_START = "start it with: torchrun --nproc-per-node N -m edgewright train …"


@dataclass(frozen=True, slots=True)
class Group:
    """Processes that do the same work on shares of the same batches; by default this one alone.

    Every method but :meth:`share` is called by all processes, in the same order.

    Attributes:
        rank: of this process, from 0; the first alone writes files and tells of progress.
        size: how many processes there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and tells."""
        return self.rank == 0

    def share(self, n: int) -> Share:
        """Return this process's part of a batch of ``n`` images.

        Raises:
            UsageError: there are fewer images than processes.
        """
        if n < self.size:
            raise UsageError(
                f"a batch of {n} images cannot be shared by {self.size} processes; "
                "start fewer, or give a larger --batch-size"
            )
        return Share(n * self.rank // self.size, n * (self.rank + 1) // self.size, n)

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, which get the same bits.

        Raises:
            ProcessLostError: another process has ended.
        """
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with self._watched():
            dist.all_reduce(flat)
        pieces = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, piece in zip(tensors, pieces, strict=True):
            tensor.copy_(piece.view(tensor.shape))

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the processes' tensors of one shape, ``(size, *shape)``, by rank.

        Raises:
            ProcessLostError: another process has ended.
        """
        table = tensor.new_empty((self.size, *tensor.shape))
        with self._watched():
            dist.all_gather(list(table.unbind()), tensor.contiguous())
        return table

    def exchange(self, text: str) -> list[str]:
        """Return the texts of all processes, by rank.

        Raises:
            ProcessLostError: another process has ended.
        """
        if self.size == 1:
            return [text]
        data = text.encode("utf-8")
        lengths = self.gather(torch.tensor([len(data)])).flatten().tolist()
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(data)] = _tensor_from_bytes(data)
        rows = self.gather(padded)
        return [bytes(row[:n].numpy()).decode("utf-8") for row, n in zip(rows, lengths, strict=True)]

    def agreed(self, work: Callable[[], T]) -> T:
        """Return what ``work`` gives in this process, once it is done in all of them.

        Raises:
            SDKError: ``work`` raised it in this process.
            ProcessFailedError: ``work`` raised an ``SDKError`` in another process alone.
            ProcessLostError: another process has ended.
        """
        if self.size == 1:
            return work()
        try:
            result = work()
        except SDKError as error:
            self.exchange(json.dumps({"message": str(error), "exit_code": error.exit_code}))
            raise
        for rank, failure in enumerate(self.exchange("")):
            if failure:
                told = json.loads(failure)
                raise ProcessFailedError(
                    f"process {rank} of {self.size}: {told['message']}", told["exit_code"]
                )
        return result

    def first(self, make: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """Return in all processes the tensors that ``make`` gives in the first, which alone calls it.

        Raises:
            SDKError: as :meth:`agreed`.
        """
        made = self.agreed(make if self.is_first else dict)
        if self.size == 1:
            return made
        payload = b""
        if self.is_first:
            payload = tensors_to_bytes({name: tensor.contiguous() for name, tensor in made.items()})
        received = self._broadcast(payload)
        return made if self.is_first else tensors_from_bytes(received)

    def require_same(self, values: Mapping[str, str]) -> None:
        """Check that every process works on the same.

        Args:
            values: what decides the result, by a name for the message.

        Raises:
            UsageError: a process was given something else.
            ProcessLostError: another process has ended.
        """
        rows = [json.loads(text) for text in self.exchange(json.dumps(dict(values)))]
        faults = [
            f"{name} is {rows[0].get(name)} in process 0, {row.get(name)} in process {rank}"
            for rank, row in enumerate(rows)
            for name in sorted(rows[0].keys() | row.keys())
            if row.get(name) != rows[0].get(name)
        ]
        if faults:
            raise UsageError(
                f"the {self.size} processes were not given the same: {'; '.join(faults)}; "
                "start all with the same command, data and versions"
            )

    def _broadcast(self, data: bytes) -> bytes:
        length = torch.tensor([len(data)])
        with self._watched():
            dist.broadcast(length, src=0)
            whole = torch.empty(int(length), dtype=torch.uint8)
            if self.is_first:
                whole.copy_(_tensor_from_bytes(data))
            dist.broadcast(whole, src=0)
        return bytes(whole.numpy())

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Make the end of another process an error of ours."""
        try:
            yield
        except RuntimeError as error:
            line = str(error).partition("\n")[0].partition(". ")[0]
            reason = re.sub(r"^\[[^]]*\] ", "", line)  # gloo begins with a line of its source
            raise ProcessLostError(
                f"process {self.rank} of {self.size} lost the others ({reason}); see why one ended, then "
                "run the same command again: it goes on after the last finished epoch"
            ) from error


ALONE = Group()


def _tensor_from_bytes(data: bytes) -> Tensor:
    # From a bytearray, as torch warns of memory that it may not write to; and not from nothing.
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


@contextmanager
def group_from_environment() -> Iterator[Group]:
    """Yield the processes that ``torchrun`` started, joined; :data:`ALONE` where it started none.

    Raises:
        UsageError: the environment says only a part of what torchrun would.
        ProcessLostError: the processes cannot reach each other.
    """
    size = _whole_number("WORLD_SIZE", default=1)
    if size == 1:
        yield ALONE
        return
    if absent := [name for name in _VARIABLES if not os.environ.get(name)]:
        raise UsageError(
            f"WORLD_SIZE is {size}, so this is one of {size} processes, but {', '.join(absent)} is not set; "
            f"{_START}, or unset WORLD_SIZE"
        )
    rank = _whole_number("RANK", default=0)
    try:
        dist.init_process_group("gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ProcessLostError(
            f"process {rank} of {size} cannot join the others at {os.environ['MASTER_ADDR']}:"
            f"{os.environ['MASTER_PORT']} ({reason}); {_START}"
        ) from error
    try:
        yield Group(rank, size)
    finally:
        dist.destroy_process_group()


def _whole_number(name: str, *, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or (name == "WORLD_SIZE" and int(text) == 0):
        raise UsageError(f"{name} in the environment is a whole number, got {text!r}; {_START}, or unset it")
    return int(text)
