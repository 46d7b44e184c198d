"""A run folder: one supernet, the data it was trained on, its searches and their artifacts.

::

    RUN/
    ├── run.json                   schema, space, data, training configuration
    ├── checkpoint…                the last finished epoch, while training
    ├── supernet.safetensors       the weights, when training is done
    ├── searches/<name>/           archive.sqlite, search.json, verification.json
    ├── finetuned/<key>/           network.safetensors, train.jsonl: a network trained on alone
    ├── artifacts/<id>/<device>-<precision>/model.<suffix> + model.json
    └── report.html
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.errors import OutputExistsError, RunError, UsageError
from edgewright.files import read_json, write_json
from edgewright.spaces import MobileSpace, find_space

SCHEMA = 1
DEFAULT_SEARCH = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATA_KEYS = ("source", "digest", "classes", "val_fraction", "flip", "seed", "n_train", "n_val", "n_test")
# What `edgewright train` was told, as far as it decides the weights, by its option.
_TRAIN_OPTIONS = ("recipe", "epochs", "batch_size", "optimizer", "lr", "seed")
_MEND = "train one with: edgewright train --space SPACE --data DIR --out RUN"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths and description of a run.

    Attributes:
        root: the folder.
        space: the search space, with the classes of the data.
        data_source: path of an ImageFolder tree, or ``digits``.
        description: all of ``run.json``.
    """

    root: Path
    space: MobileSpace
    data_source: str
    description: dict[str, Any]

    @classmethod
    def open(cls, root: Path | str) -> RunFolder:
        """Return the run in ``root``. Raises ``RunError`` where there is none."""
        root = Path(root)
        path = root / "run.json"
        data = read_json(path, what="run description", mend=_MEND, error=RunError)
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else data
            raise RunError(f"{path} has schema {found!r}, expected {SCHEMA}; {_MEND}")
        if faults := _description_faults(data):
            raise RunError(f"{path} cannot be used: {'; '.join(faults)}; restore it, or {_MEND}")
        return cls(root, find_space(data["space"]), data["data"]["source"], data)

    @classmethod
    def create(cls, root: Path, description: dict[str, Any]) -> RunFolder:
        """Return the run in ``root``, writing ``run.json`` if it is new.

        Raises:
            OutputExistsError: the folder holds something that is not a run.
            RunError: it holds a run of another space, data or configuration.
        """
        cls.require_free_or_run(root)
        path = root / "run.json"
        if path.exists():
            old = cls.open(root).description
            differing = sorted(
                key for key in old.keys() | description.keys() if old.get(key) != description.get(key)
            )
            if differing:
                pairs = "; ".join(_difference(key, old.get(key), description.get(key)) for key in differing)
                raise RunError(
                    f"{root} holds a run with another {pairs}; give another --out, or the run's own settings"
                )
        else:
            write_json(path, description)
        return cls.open(root)

    @staticmethod
    def require_free_or_run(root: Path) -> None:
        """Raise ``OutputExistsError`` where ``root`` holds something that is not a run."""
        is_run = (root / "run.json").exists()
        if root.is_file() or (root.is_dir() and not is_run and any(root.iterdir())):
            raise OutputExistsError(
                f"{root} exists and is not an edgewright run; nothing was touched; give another --out"
            )

    @property
    def weights(self) -> Path:
        """Weights of the trained supernet."""
        return self.root / "supernet.safetensors"

    def require_trained(self) -> None:
        """Raise ``RunError`` unless training has finished."""
        if not self.weights.exists():
            given = self.description["training"] | {"val_fraction": self.description["data"]["val_fraction"]}
            options = " ".join(
                f"--{name.replace('_', '-')} {given[name]}"
                for name in (*_TRAIN_OPTIONS, "val_fraction")
                if name in given
            )
            flip = {True: " --flip", False: " --no-flip"}.get(given.get("flip"), "")
            raise RunError(
                f"training of {self.root} has not finished; go on with: edgewright train "
                f"--space {self.space.name} --data {shlex.quote(self.data_source)} "
                f"--out {shlex.quote(str(self.root))} {options}{flip}"
            )

    def search_folder(self, name: str) -> Path:
        """Return the folder of a search. Raises ``UsageError`` for what cannot name one."""
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"a search is named by letters, digits, '.', '_' and '-', got {name!r}; give another --name"
            )
        return self.root / "searches" / name

    def search_description(self, name: str) -> dict[str, Any]:
        """Return what a search was asked, and by which tables.

        Raises:
            RunError: there is no such search, or its description is damaged.
        """
        path = self.search_folder(name) / "search.json"
        mend = f"write it again with the search's own command: edgewright search --run {self.root}"
        data = read_json(path, what="search description", mend=mend, error=RunError)
        data = {"energies": {}, **data} if isinstance(data, dict) else {}  # those of before have none
        parts = (data.get("devices"), data.get("energies"))
        if not (isinstance(data.get("asked"), dict) and all(map(_names_tables, parts))):
            raise RunError(f"{path} lacks devices or budgets; {mend}")
        found: dict[str, Any] = data
        return found

    def subnet_label(self, name: str, pick: str) -> str:
        """Return what names the artifacts of a search's network: its id, and the search if it has a name."""
        return pick if name == DEFAULT_SEARCH else f"{name}-{pick}"

    def tuned_folder(self, key: str) -> Path:
        """Return the folder of a fine-tuned network, by the digest of what decides its weights."""
        return self.root / "finetuned" / key[:16]

    def artifact_folder(self, subnet: str, device: str, precision: str) -> Path:
        """Return the folder of a compiled subnet."""
        return self.root / "artifacts" / subnet / f"{device}-{precision}"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / "report.html"


def _names_tables(part: Any) -> bool:
    """Return whether a part of a search's description names devices and what was measured on them."""
    return isinstance(part, dict) and all(
        isinstance(d, dict)
        and all(isinstance(d.get(key), str) for key in ("device", "profile", "precision", "table"))
        for d in part.values()
    )


def _description_faults(data: Mapping[str, Any]) -> list[str]:
    """Return what keeps ``run.json`` from being used; hands edit it."""
    faults = [f"missing key {key!r}" for key in ("space", "data", "training") if key not in data]
    for key in ("data", "training"):
        if key in data and not isinstance(data[key], dict):
            faults.append(f"{key} must be an object, got {data[key]!r:.40}")
    recorded = data.get("data")
    if isinstance(recorded, dict):
        faults += [f"missing key 'data.{key}'" for key in _DATA_KEYS if key not in recorded]
        if not isinstance(recorded.get("source", ""), str):
            faults.append(f"data.source must be text, got {recorded['source']!r:.40}")
    try:
        find_space(str(data.get("space", "")))
    except UsageError as error:
        faults.append(str(error))
    return faults


def _difference(key: str, old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        inner = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
        return ", ".join(f"{key}.{k} ({old.get(k)!r}, now {new.get(k)!r})" for k in inner)
    return f"{key} ({old!r}, now {new!r})"
