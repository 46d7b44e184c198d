"""What an evaluator is built from, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from edgewright.errors import UsageError
from edgewright.search.config import Outcome
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
    """

    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    threads: int = 1

    def build(self) -> EvaluateOne:
        """Return the evaluator.

        Raises:
            UsageError: there is no such function.
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
        evaluate: EvaluateOne = make(**self.arguments, **self.files)
        return evaluate

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
