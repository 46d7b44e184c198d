"""What happened in each epoch: JSON lines, and TensorBoard where asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgewright.errors import MissingExtraError
from edgewright.files import storage_error, write_text
from edgewright.training.evaluate import Evaluation

NAME = "train.jsonl"


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One finished epoch.

    Attributes:
        epoch: counted from 1.
        n_epochs: of the run.
        loss: mean training loss of the largest network, in nats.
        lr: learning rate of the last step.
        seconds: of training, without the evaluation.
        images_per_s: training images a second, each of which passes through all subnets of its step.
        evaluations: validation accuracy by network; empty where none was due.
    """

    epoch: int
    n_epochs: int
    loss: float
    lr: float
    seconds: float
    images_per_s: float
    evaluations: Mapping[str, Evaluation]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        flat = {name: getattr(self, name) for name in ("epoch", "n_epochs", "loss", "lr")}
        flat |= {"seconds": round(self.seconds, 3), "images_per_s": round(self.images_per_s, 2)}
        return flat | {"evaluations": {name: asdict(value) for name, value in self.evaluations.items()}}


def read_log(out: Path) -> list[dict[str, Any]]:
    """Return the epochs logged in ``out``, oldest first; a torn last line is left out."""
    path = out / NAME
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


class TrainLog:
    """Writes the log of a run; a context manager.

    Args:
        out: the run's folder.
        first_epoch: finished epochs; what an interrupted epoch logged after them is dropped.
        tensorboard: whether ``out/tensorboard`` is written too.

    Raises:
        MissingExtraError: TensorBoard was asked for and is not installed.
        StorageError: the log cannot be written.
    """

    def __init__(self, out: Path, *, first_epoch: int, tensorboard: bool) -> None:
        self._path = out / NAME
        self._writer = _summary_writer(out / "tensorboard", first_epoch) if tensorboard else None
        kept = [json.dumps(row) for row in read_log(out) if row.get("epoch", 0) <= first_epoch]
        write_text(self._path, "".join(line + "\n" for line in kept))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, report: EpochReport) -> None:
        """Append one epoch. Raises ``StorageError``."""
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(report.to_json()) + "\n")
        except OSError as error:
            raise storage_error(self._path, error) from error
        if self._writer is not None:
            self._writer.add_scalar("train/loss", report.loss, report.epoch)
            self._writer.add_scalar("train/lr", report.lr, report.epoch)
            for name, evaluation in report.evaluations.items():
                self._writer.add_scalar(f"val/top1 {name}", evaluation.top1, report.epoch)


def _summary_writer(folder: Path, first_epoch: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "TensorBoard is not installed; run: pip install 'edgewright[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder), purge_step=first_epoch + 1)
