"""One whole run, made once for all tests of a session: images, supernet, tables, search, artifacts.

Everything is real, only small: 292 generated JPEGs of four patterns, one resolution, a few epochs.
"""

import fcntl
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgewright.latency.measure import MeasureConfig
from edgewright.latency.target import ProfileConfig
from edgewright.pipeline import bench, evaluator, verify
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.search import SearchOptions, search_run
from edgewright.pipeline.tables import MAX_ERROR
from edgewright.pipeline.train import train_run
from edgewright.pipeline.verify import verify_run
from edgewright.spaces import find_space
from edgewright.training.config import TrainConfig

SPACE = "mobilenetv3-small-image@16"
CLASSES = ("checker", "columns", "diagonal", "rows")
TRAINING = TrainConfig(epochs=10, batch_size=16, optimizer="adamw", threads=1)
VAL_FRACTION = 0.25
PROFILE = ProfileConfig(passes=1, rounds=5, n_fit=10, n_validate=6, max_repeats=0)
BUDGET = "cpu=50ms,litert=50ms"  # a loaded machine meets it too
EVALUATIONS = 20
DEVICES = {"cpu": "local-cpu-onnxruntime", "litert": "local-cpu-litert"}
# SQLite's and the lock's own bookkeeping, which holds nothing of a user's.
BOOKKEEPING = (".sqlite-shm", ".sqlite-wal", ".lock")


@dataclass(frozen=True)
class Chain:
    """Paths of the run; tests read them and copy what they mean to change."""

    root: Path

    @property
    def images(self):
        return self.root / "images"

    @property
    def run(self):
        return self.root / "run"

    @property
    def tables(self):
        return self.root / "tables"

    @property
    def space(self):
        return find_space(SPACE, n_classes=len(CLASSES))

    def table(self, device):
        runtime = {"cpu": "onnxruntime", "litert": "litert"}[device]
        return self.tables / DEVICES[device] / f"{self.space.slug}-{runtime}-fp32.json"

    def artifact(self, device):
        """Return a compiled file of the finalist for a device."""
        files = sorted(self.run.glob(f"artifacts/*/{DEVICES[device]}-fp32/model.*"))
        return next(path for path in files if path.suffix != ".json")


def write_images(root, *, classes=CLASSES, n_train=48, n_test=25):
    """Write an ImageFolder tree of noisy patterns, 20 x 18 pixels."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((18, 20))
    for split, n in (("train", n_train), ("test", n_test)):
        for name in classes:
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(n):
                shift, period = rng.integers(0, 8), int(rng.integers(4, 6))
                waves = {
                    "rows": rows + shift,
                    "columns": columns + shift,
                    "diagonal": rows + columns + shift,
                    "checker": (rows // 3 + columns // 3) * 3 + shift,
                }
                bright = (waves[name] % period < period // 2)[..., None] * rng.integers(90, 160, 3)
                pixels = bright + rng.integers(0, 60, (18, 20, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i:02}.jpg")
    return root


@contextmanager
def brisk():
    """Measure artifacts briefly inside the block: tests ask what is told, not how exactly.

    A search evaluates in this process where none says how many workers: they would take longer to start
    than all that they evaluate here. Its archive is the same; tests of workers ask for them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluator, "usual_workers", lambda *_, **__: 0)
        patch.setattr(bench, "ATTEMPTS", 1)
        patch.setattr(verify, "PAUSE_S", 0.0)
        patch.setattr(
            bench,
            "MEASURE",
            MeasureConfig(min_samples=10, max_samples=20, max_time_ms=40.0, max_warmup_ms=20.0),
        )
        yield


def _profile(device, chain):
    """Profile until the table's own error allows a budget; a burst of other work can spoil a brief one."""
    for again in (False, True, True, True):
        made = profile_device(device, chain.space, tables=chain.tables, preset=PROFILE, again=again)
        if made.table.validation.mape_percent <= 100 * MAX_ERROR:
            return


def build(root):
    """Make the run in ``root``; return it."""
    chain = Chain(root)
    write_images(chain.images)
    train_run(SPACE, str(chain.images), chain.run, TRAINING, val_fraction=VAL_FRACTION)
    for device in DEVICES:
        _profile(device, chain)
    options = SearchOptions(budget=BUDGET, evaluations=EVALUATIONS, tables=chain.tables)
    search_run(chain.run, options)
    with brisk():
        verify_run(chain.run, finalists=1)
    return chain


def shared(root):
    """Return the session's run in ``root``, made by whichever process comes first."""
    root.mkdir(exist_ok=True)
    with (root / "lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        done = root / "done"
        if not done.exists():
            build(root / "chain")
            done.touch()
    return Chain(root / "chain")


def contents(folder):
    """Return the digest of every file below ``folder``, to see whether any was touched."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(BOOKKEEPING)
    }
