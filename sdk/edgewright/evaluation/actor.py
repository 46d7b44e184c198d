"""A worker on a Ray cluster: what runs in the actor. It imports no Ray."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import edgewright
from edgewright.errors import SDKError
from edgewright.evaluation.reply import Reply, error_reply, reply_of
from edgewright.evaluation.spec import EvaluateOne, EvaluatorSpec


class Actor:
    """Holds the evaluator from :meth:`load` until the actor ends."""

    def __init__(self) -> None:
        self._evaluate: EvaluateOne | None = None

    def hello(self) -> dict[str, Any]:
        """Return what must agree with the machine that searches, and the name of this one."""
        return {"edgewright": edgewright.__version__, "node": platform.node()}

    def load(self, spec: dict[str, Any], *contents: bytes) -> Reply:
        """Build the evaluator.

        Args:
            spec: as :meth:`EvaluatorSpec.to_json` gives it.
            contents: of its files, in their order, where their paths are those of another machine.
        """
        given = EvaluatorSpec.from_json(spec)
        try:
            if not contents:
                self._evaluate = given.build()
                return {}
            with tempfile.TemporaryDirectory(prefix="edgewright-") as folder:
                files = {name: Path(folder) / path.name for name, path in given.files.items()}
                for path, content in zip(files.values(), contents, strict=True):
                    path.write_bytes(content)
                self._evaluate = replace(given, files=files).build()
        except SDKError as error:
            return error_reply(error)
        return {}

    def evaluate(self, x: list[int]) -> Reply:
        """Evaluate one network ``(n_var,)``."""
        assert self._evaluate is not None, "load comes first"
        return reply_of(self._evaluate, x)
