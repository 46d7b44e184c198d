"""What the benchmark of the whole chain runs, and what it keeps while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline_result import Row

from edgewright.files import read_json, write_json
from edgewright.pipeline.progress import Progress
from edgewright.training.config import TrainConfig

# Of the full configuration on two quiet cores; they turn --minutes into epochs.
_EPOCH_MINUTES = 3.0  # an epoch of the supernet on one core, and of the baselines on the other
_OTHER_MINUTES = 29.0  # tables, search, fine-tuning, what that adds to the baselines, compiling, timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One run of the chain and its baseline.

    Attributes:
        name: ``full`` or ``quick``.
        space: what is searched.
        training: of the supernet; the baselines differ in their epochs alone.
        preset: of the latency tables.
        budget_share: of the way from the smallest network's latency to the largest's, each runtime.
        evaluations: of the search.
        finalists: networks of the front that are compiled.
        fine_tune: epochs that each of them is trained on alone.
        scales: width multipliers of the baseline.
        n_test: test images that the compiled files answer; all where ``None``.
        seed: of everything random.
    """

    name: str
    space: str
    training: TrainConfig
    preset: str
    budget_share: float
    evaluations: int
    finalists: int
    fine_tune: int
    scales: tuple[float, ...]
    n_test: int | None
    seed: int = 0


def configs(*, minutes: float = 55.0, quick: bool = False) -> tuple[Config, ...]:
    """Return what is run: one configuration, sized to ``minutes`` on two quiet cores."""
    epochs = max(2, math.floor((minutes - _OTHER_MINUTES) / _EPOCH_MINUTES))
    full = Config(
        name="full",
        space="mobilenetv3-small-image@24+32",
        training=TrainConfig(
            epochs=epochs,
            batch_size=64,
            optimizer="sgd",
            lr=0.1,
            n_random=1,  # at this length more steps are worth more than a second random subnet
            dropout=0.0,  # so short a training does not overfit
            evaluate_every=0,
            threads=1,  # the baselines train on the other core
        ),
        preset="default",
        budget_share=0.7,
        evaluations=150,
        finalists=4,
        fine_tune=3,
        scales=(0.5, 0.75, 1.0, 1.25),
        n_test=None,
    )
    if not quick:
        return (full,)
    training = replace(full.training, epochs=1)
    small = replace(full, name="quick", space="mobilenetv3-small-image@16", training=training)
    small = replace(small, preset="quick", evaluations=20, fine_tune=1)
    return (replace(small, scales=(0.5, 1.0, 1.5), n_test=200),)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row in the making: its facts, and where its compiled files lie."""

    row: Row
    resolution: int
    files: dict[str, Path]


@dataclass(slots=True)
class Phases:
    """Seconds of each phase, kept in a file so that a resumed run counts what came before."""

    path: Path
    progress: Progress
    _state: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            self._state = read_json(self.path, what="record of phases", mend=f"delete {self.path}")

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time the block as the phase ``name``."""
        entry = self._state.setdefault(name, {"seconds": 0.0, "done": False})
        self.progress.say(f"{name}: " + ("done before" if entry["done"] else "begins"))
        started, counted = time.perf_counter(), not entry["done"]
        try:
            yield
            entry["done"] = True
        finally:
            if counted:  # a finished phase costs nothing but loading, the second time
                entry["seconds"] = round(entry["seconds"] + time.perf_counter() - started, 2)
                write_json(self.path, self._state)
        self.progress.say(f"{name}: {entry['seconds']:.0f} s")

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by phase, in order."""
        return {name: entry["seconds"] for name, entry in self._state.items()}
