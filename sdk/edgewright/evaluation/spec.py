"""What an evaluator is built from, wherever it runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from edgewright.errors import SDKError, UsageError
from edgewright.search.config import Outcome
from edgewright.search.outcome import raised, shown
from edgewright.spaces.architecture import IntArray

#: What is found of one network ``(n_var,)``.
EvaluateOne = Callable[[IntArray], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorSpec:
    """A function that makes an evaluator, and what to call it with, as values that any process can read.

    Attributes:
        factory: ``package.module:function``; returns an :data:`EvaluateOne`. What it loads stays with
            the worker until it ends.
        arguments: JSON values, by keyword.
        files: further arguments that are paths. Where workers do not share a disk with this process,
            they get a copy and its path.
        threads: that one evaluation may compute with.

    Raises:
        UsageError: something is none of these, and so no worker could be told.
    """

    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    threads: int = 1

    def __post_init__(self) -> None:
        faults = list[str]()
        if not _is_json(self.arguments):
            faults.append(f"arguments are JSON values by name, got {shown(self.arguments)}")
        if not _are_paths(self.files):
            faults.append(f"files are paths by name, got {shown(self.files)}")
        if not isinstance(self.threads, int) or self.threads < 1:
            faults.append(f"threads are a whole number of at least 1, got {self.threads!r}")
        if faults:
            raise UsageError(f"the evaluator {self.factory!r} cannot be made by workers: {'; '.join(faults)}")

    def build(self) -> EvaluateOne:
        """Return the evaluator.

        Raises:
            UsageError: there is no such function, or it raised, or made nothing that evaluates.
            MemoryError: it had too little; fewer workers may have enough.
            SDKError: it cannot load what it needs.
        """
        module, _, name = self.factory.partition(":")
        try:
            make = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UsageError(
                f"cannot load the evaluator {self.factory!r} ({error}); name a function that every worker "
                "can import, as package.module:function"
            ) from error
        try:
            evaluate: EvaluateOne = make(**self.arguments, **self.files)
        except (SDKError, MemoryError):
            raise
        except Exception as error:  # the factory is someone's own code
            raise self._unmade(raised(error).reason) from error
        if not callable(evaluate):
            raise self._unmade(f"it returned {shown(evaluate)}, expected what evaluates one network")
        return evaluate

    def _unmade(self, why: str) -> UsageError:
        return UsageError(
            f"cannot make the evaluator {self.factory!r} ({why}); look at that function and at what it is "
            "called with"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "factory": self.factory,
            "arguments": dict(self.arguments),
            "files": {name: str(path) for name, path in self.files.items()},
            "threads": self.threads,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EvaluatorSpec:
        """Return what :meth:`to_json` was made of."""
        files = {name: Path(path) for name, path in data["files"].items()}
        return cls(**{**data, "files": files})


def _is_json(arguments: object) -> bool:
    """Return whether these are values by name that JSON has."""
    if not isinstance(arguments, Mapping):
        return False
    try:
        json.dumps(dict(arguments))
    except (TypeError, ValueError):
        return False
    return True


def _are_paths(files: object) -> bool:
    return isinstance(files, Mapping) and all(isinstance(path, str | Path) for path in files.values())
