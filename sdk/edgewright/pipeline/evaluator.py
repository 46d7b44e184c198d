"""The validation errors of subnets of a run, in workers or, to look at it closely, in this process.

An evaluation that crashes or hangs takes its process with it, so by default none is the search's own.

What an evaluation needs of a run is little: the weights, the validation images and the training images
that BatchNorm is calibrated on. Workers read it from one file, which their operating system keeps in
memory once for all of them.

The file is safetensors: tensors ``weights/NAME``, ``calibration``, ``images`` and ``labels``, and in the
metadata's one key, ``edgewright``, a JSON object: ``format`` (``evaluator``), ``schema`` (2), ``space``,
``n_classes``, ``classes``, ``mean``, ``std``, ``flip``, ``digest`` of the data, and ``attack``, what
:meth:`Attack.to_json` gives, or null. Schema 1 had no ``attack``. The file is as old as its search.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgewright.errors import UsageError
from edgewright.evaluation import (
    EvaluatorSpec,
    ProcessPool,
    RayCluster,
    one_by_one,
    require_cluster,
    require_crew,
)
from edgewright.files import atomic_path, canonical_json
from edgewright.pipeline.costs import macs
from edgewright.pipeline.trained import TrainedRun
from edgewright.pipeline.workers import usual_workers
from edgewright.search.budget import ADVERSARIAL_ERROR
from edgewright.search.config import Evaluator, Outcome
from edgewright.spaces import MobileSpace, find_space
from edgewright.spaces.architecture import IntArray
from edgewright.supernet.fold import fold_norms
from edgewright.supernet.supernet import Supernet
from edgewright.training.attack import Attack, adversarial_error
from edgewright.training.data import ImageData
from edgewright.training.data.images import Split
from edgewright.training.evaluate import N_CALIBRATION, calibrated_on, evaluate
from edgewright.training.threads import computing_threads

#: One evaluation computes with one thread, wherever it runs: sums of floats depend on how many there
#: are, and so would the archive. Networks of this size are faster side by side than on more threads each.
THREADS = 1

_FILE_NAME = ".evaluator.safetensors"


class SubnetError:
    """The validation error of subnets with inherited weights, BatchNorm calibrated; also under attack.

    Args:
        supernet: with trained weights, in evaluation mode.
        data: of which the validation split is read.
        calibration: images ``(n, 3, size, size)``, uint8, as :meth:`ImageData.calibration_images` draws them.
        attack: on the validation images, of each subnet anew; None is none.
    """

    def __init__(
        self, supernet: Supernet, data: ImageData, calibration: Tensor, attack: Attack | None = None
    ) -> None:
        self.supernet = supernet
        self.data = data
        self.calibration = calibration
        self.attack = attack

    @classmethod
    def of_run(cls, trained: TrainedRun, attack: Attack | None = None) -> SubnetError:
        """Return the evaluator of a run in memory."""
        return cls(trained.supernet, trained.data, trained.data.calibration_images(N_CALIBRATION), attack)

    @property
    def space(self) -> MobileSpace:
        """The search space."""
        return self.supernet.space

    def __call__(self, x: IntArray) -> Outcome:
        """Return the error of an encoding ``(n_var,)``, in [0, 1], whatever was evaluated before.

        With an attack, ``error`` and ``adversarial-error`` by name, of one and the same network.
        """
        arch = self.space.decode(x)
        with computing_threads(THREADS):
            network = calibrated_on(self.supernet, arch, self.data, self.calibration)
            fold_norms(network)
            found = evaluate(network, self.data, split="val", resolution=arch.resolution)
            if self.attack is None:
                return found.error
            fooled = adversarial_error(
                network, self.data, self.attack, split="val", resolution=arch.resolution
            )
        return {"error": found.error, ADVERSARIAL_ERROR: fooled}

    def save(self, path: Path) -> None:
        """Write what a worker needs to ``path``. Raises ``StorageError``."""
        tensors = {f"weights/{name}": tensor for name, tensor in self.supernet.state_dict().items()}
        images, labels = self.data.val
        tensors |= {"calibration": self.calibration, "images": images, "labels": labels}
        header = {
            "format": "evaluator",
            "schema": 2,
            "space": self.space.name,
            "n_classes": self.space.n_classes,
            "classes": self.data.classes,
            "mean": self.data.mean,
            "std": self.data.std,
            "flip": self.data.flip,
            "digest": self.data.digest,
            "attack": None if self.attack is None else self.attack.to_json(),
        }
        with atomic_path(path) as temporary:
            try:
                save_file(
                    {name: tensor.contiguous() for name, tensor in tensors.items()},
                    temporary,
                    {"edgewright": canonical_json(header)},
                )
            except SafetensorError as error:
                raise _system_error(error) from error


def _system_error(error: SafetensorError) -> OSError:
    """Return what the system said, which safetensors passes on in words alone."""
    found = re.search(r"os error (\d+)", str(error))
    return OSError(int(found.group(1)), os.strerror(int(found.group(1)))) if found else OSError(str(error))


def load_subnet_error(path: Path) -> SubnetError:
    """Return what :meth:`SubnetError.save` wrote; the factory that workers call."""
    with safe_open(str(path), framework="pt") as stream:
        header = json.loads(stream.metadata()["edgewright"])
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    supernet = Supernet(find_space(header["space"], n_classes=header["n_classes"]))
    weights = {name.removeprefix("weights/"): t for name, t in tensors.items() if name.startswith("weights/")}
    supernet.load_state_dict(weights)
    val = Split(tensors["images"], tensors["labels"])
    data = ImageData(
        train=Split(tensors["calibration"], torch.zeros(len(tensors["calibration"]), dtype=torch.int64)),
        val=val,
        test=Split(val.images[:0], val.labels[:0]),
        classes=tuple(header["classes"]),
        mean=tuple(header["mean"]),
        std=tuple(header["std"]),
        flip=header["flip"],
        digest=header["digest"],
    )
    attack = header.get("attack")
    return SubnetError(
        supernet.eval(), data, tensors["calibration"], None if attack is None else Attack.from_json(attack)
    )


def require_evaluable(workers: int | None, cluster: str | None, time_limit_s: float | None) -> None:
    """Raise ``UsageError`` or ``MissingExtraError``, as :func:`evaluator_of` would of these arguments."""
    require_crew(workers or 1, time_limit_s)
    if workers == 0 and cluster is not None:
        raise UsageError(
            "0 workers evaluate in the search's own process, not on a cluster; leave out --workers or "
            "--cluster"
        )
    if workers == 0 and time_limit_s:
        raise UsageError(
            "0 workers evaluate in the search's own process, where nothing can be ended after "
            f"{time_limit_s:g} s; leave out --workers or --time-limit"
        )
    if cluster is not None:
        require_cluster(cluster)


@contextmanager
def evaluator_of(
    trained: TrainedRun,
    folder: Path,
    *,
    attack: Attack | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    time_limit_s: float | None = None,
    batch: int = 1,
    earlier_s: Iterable[float] = (),
) -> Iterator[Evaluator]:
    """Yield an evaluator of a run's subnets; its workers live until the block is left.

    Args:
        trained: the run.
        folder: into which the workers' file is written; it is gone after the block.
        attack: under which ``adversarial-error`` is evaluated beside the error; None is none.
        workers: at most; 0 evaluates in this process, which a crash would end. None is as many as there are
            CPUs and memory for, at most ``batch``, or one for every CPU of ``cluster``.
        cluster: a Ray cluster, as :class:`~edgewright.evaluation.RayCluster` takes it; None is none.
        time_limit_s: for one evaluation; 0 is no limit, None one that only what hangs will reach.
        batch: networks that are evaluated side by side.
        earlier_s: what evaluations of this search took so far, for that limit.

    Raises:
        UsageError: a number below its least value, an address that is none, or what excludes each other.
        MissingExtraError: a cluster is asked for, and Ray is not installed.
        StorageError: the file cannot be written.
    """
    require_evaluable(workers, cluster, time_limit_s)
    found = SubnetError.of_run(trained, attack)
    if workers is None and cluster is None:
        workers = usual_workers(trained.space, batch, attacked=attack is not None)
    if workers == 0:
        yield one_by_one(found)
        return
    path = folder / _FILE_NAME
    spec = EvaluatorSpec(
        factory="edgewright.pipeline.evaluator:load_subnet_error", files={"path": path}, threads=THREADS
    )
    effort = macs(trained.space)
    crew: ProcessPool | RayCluster = (
        ProcessPool(spec, workers or 1, time_limit_s=time_limit_s, effort=effort)
        if cluster is None
        else RayCluster(spec, workers, address=cluster, time_limit_s=time_limit_s, effort=effort)
    )
    for seconds in earlier_s:
        crew.limit.learn(seconds)
    try:
        found.save(path)
        with crew:
            yield crew
    finally:
        path.unlink(missing_ok=True)
