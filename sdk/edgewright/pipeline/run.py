"""A run folder: one supernet, the data it was trained on, its searches and their artifacts.

::

    RUN/
    ├── run.json                   schema, space, data, training configuration
    ├── checkpoint…                the last finished epoch, while training
    ├── supernet.safetensors       the weights, when training is done
    ├── searches/<name>/           archive.sqlite, search.json, verification.json
    ├── artifacts/<id>/<device>-<precision>/model.<suffix> + model.json
    └── report.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.errors import OutputExistsError, RunError, UsageError
from edgewright.files import read_json, write_json
from edgewright.spaces import MobileSpace, find_space

SCHEMA = 1
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
    def open(cls, root: Path) -> RunFolder:
        """Return the run in ``root``. Raises ``RunError`` where there is none."""
        path = root / "run.json"
        data = read_json(path, what="run description", mend=_MEND, error=RunError)
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else data
            raise RunError(f"{path} has schema {found!r}, expected {SCHEMA}; {_MEND}")
        if missing := sorted({"space", "data", "training"} - data.keys()):
            raise RunError(f"{path} lacks {missing}; {_MEND}")
        try:
            space = find_space(data["space"])
            source = str(data["data"]["source"])
        except (UsageError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{path} cannot be used ({error}); {_MEND}") from error
        return cls(root, space, source, data)

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
            raise RunError(
                f"training of {self.root} has not finished; go on with: edgewright train "
                f"--space {self.space.name} --data {self.data_source} --out {self.root}"
            )

    def search_folder(self, name: str) -> Path:
        """Return the folder of a search."""
        return self.root / "searches" / name

    def artifact_folder(self, subnet: str, device: str, precision: str) -> Path:
        """Return the folder of a compiled subnet."""
        return self.root / "artifacts" / subnet / f"{device}-{precision}"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / "report.html"


def _difference(key: str, old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        inner = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
        return ", ".join(f"{key}.{k} ({old.get(k)!r}, now {new.get(k)!r})" for k in inner)
    return f"{key} ({old!r}, now {new!r})"
