"""A space of one's own: named variables, each with its choices."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import ArchitectureError, SpaceError
from edgewright.files import digest_of
from edgewright.spaces.architecture import IntArray, neighbours_of

Choice = bool | int | float | str
#: Values of many networks by the name of the variable, ``(n,)`` each.
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Choices:
    """A network of a :class:`ChoiceSpace`: ``network["width"]``. Hashable, so it can key a cache.

    Attributes:
        names: of the variables.
        values: what was chosen for each; for one that does not matter, the first of its choices.
    """

    names: tuple[str, ...]
    values: tuple[Choice, ...]

    def __getitem__(self, name: str) -> Choice:
        return self.values[self.names.index(name)]

    def to_json(self) -> dict[str, Any]:
        """Return the choices by name."""
        return dict(zip(self.names, self.values, strict=True))


@dataclass(frozen=True, eq=False)
class ChoiceSpace:
    """Networks that named choices describe; an encoding is the index of each choice.

    Attributes:
        name: in one word.
        choices: of each variable by its name, the least first: networks of the least and the most of
            everything are the ends from which a search starts.
        unused: given the values of many networks, says by name in which of them a variable does not
            matter, as booleans ``(n,)``: the width of a layer that is not there. Such networks are one.
        version: raised when the same name starts to mean other networks.

    Raises:
        SpaceError: a variable has no choice or the same twice, a choice is no JSON value, or choices have
            no order.
    """

    name: str
    choices: Mapping[str, Sequence[Choice]]
    unused: Callable[[Columns], Mapping[str, NDArray[np.bool_]]] | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.choices, Mapping):
            raise SpaceError(
                f"cannot make the space {self.name!r}: choices are given by the variable's name, as a "
                f"dictionary, got {self.choices!r:.100}"
            )
        listed = {name: _listed(given) for name, given in self.choices.items()}
        faults = [] if listed else ["it has no variable"]
        if not isinstance(self.name, str):
            faults.append(f"it is named {self.name!r}, expected a text")
        for name, given in listed.items():
            if not isinstance(name, str):
                faults.append(f"a variable is named by a text, got {name!r}")
            if given is None:
                faults.append(
                    f"{name!r} has {self.choices[name]!r:.100}, expected its choices as a list, the least "
                    "first"
                )
                continue
            if not given:
                faults.append(f"{name!r} has no choice")
            elif wrong := [value for value in given if not _is_choice(value)]:
                faults.append(f"{name!r} has the choice {wrong[0]!r}, expected a number, a text or a boolean")
            elif len(set(given)) < len(given):
                faults.append(f"{name!r} has a choice twice among {list(given)}")
        if faults:
            raise SpaceError(
                f"cannot make the space {self.name!r}: {'; '.join(faults)}; "
                "give each variable its choices, each once"
            )
        object.__setattr__(self, "choices", listed)

    @cached_property
    def slug(self) -> str:
        """The name in a form that every file system takes."""
        return re.sub(r"[^A-Za-z0-9_.+@-]+", "-", self.name).strip(".-") or "space"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides which networks exist.

        What does not matter is told by what becomes of fixed networks, since code has no digest.
        """
        # No method but `random` of a generator is the same in every version of numpy.
        drawn = np.random.default_rng(0).random((256, len(self.n_choices)))
        repaired = self.repair((drawn * self.n_choices).astype(np.int64)) if self.unused else np.zeros((0, 0))
        return digest_of(
            [self.name, self.version, [[k, list(v)] for k, v in self.choices.items()], repaired.tolist()]
        )

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, in the order of an encoding."""
        return tuple(self.choices)

    @cached_property
    def n_choices(self) -> IntArray:
        """Choices of each variable, ``(n_var,)``."""
        return np.array([len(given) for given in self.choices.values()], dtype=np.int64)

    def columns(self, X: IntArray) -> Columns:
        """Return what the rows of ``X`` ``(n, n_var)`` have chosen, by name, ``(n,)`` each."""
        return {name: values[X[:, i]] for i, (name, values) in enumerate(self._values.items())}

    def encode(self, arch: Choices | Mapping[str, Choice]) -> IntArray:
        """Return the canonical encoding, ``(n_var,)``. Raises ``ArchitectureError``."""
        given = arch.to_json() if isinstance(arch, Choices) else dict(arch)
        if set(given) != set(self.choices):
            raise ArchitectureError(
                f"a network of {self.name} has {', '.join(self.choices)}, got {', '.join(given) or 'nothing'}"
            )
        for name, choices in self.choices.items():
            if given[name] not in choices:
                raise ArchitectureError(
                    f"{name!r} of {self.name} is one of {list(choices)}, got {given[name]!r}"
                )
        x = np.array([choices.index(given[name]) for name, choices in self.choices.items()], dtype=np.int64)
        canonical: IntArray = self.repair(x[None])[0]
        return canonical

    def decode(self, x: Sequence[int] | IntArray) -> Choices:
        """Return the network of an encoding ``(n_var,)``. Raises ``ArchitectureError``."""
        codes = np.asarray(x)
        if codes.shape != self.n_choices.shape or not np.issubdtype(codes.dtype, np.integer):
            raise ArchitectureError(
                f"an encoding of {self.name} is {len(self.choices)} integers, got {codes.dtype} {codes.shape}"
            )
        outside = np.flatnonzero((codes < 0) | (codes >= self.n_choices))
        if len(outside):
            bad = int(outside[0])
            raise ArchitectureError(
                f"variable {bad} ({self.variables[bad]}) of {self.name} lies in [0, {self.n_choices[bad]}), "
                f"got {codes[bad]}"
            )
        row = self.repair(codes[None].astype(np.int64))[0]
        values = (choices[i] for choices, i in zip(self.choices.values(), row.tolist(), strict=True))
        return Choices(self.variables, tuple(values))

    def repair(self, X: IntArray) -> IntArray:
        """Return ``X`` ``(n, n_var)`` with the first choice where a variable does not matter.

        Raises:
            SpaceError: ``unused`` names what is no variable, or does not say so of each network.
        """
        X = np.array(X, dtype=np.int64)
        if self.unused is None:
            return X
        for name, mask in self.unused(self.columns(X)).items():
            found = np.asarray(mask)
            if name not in self.choices or found.shape != (len(X),) or found.dtype != np.bool_:
                raise SpaceError(
                    f"unused of {self.name} says of {name!r} {found.dtype} {found.shape}, expected booleans "
                    f"({len(X)},) of one of {', '.join(self.choices)}"
                )
            X[found, self.variables.index(name)] = 0
        return X

    def sample(self, rng: np.random.Generator, n: int) -> IntArray:
        """Return ``n`` random canonical encodings, ``(n, n_var)``; each choice is as likely as any other."""
        return self.repair(rng.integers(0, self.n_choices, size=(n, len(self.n_choices))))

    def neighbours(self, x: IntArray) -> IntArray:
        """Return every network that one changed choice makes of ``x`` ``(n_var,)``, ``(m, n_var)``."""
        return neighbours_of(self, x)

    def smallest(self) -> Choices:
        """Return the network with the first choice of everything."""
        return self.decode(np.zeros_like(self.n_choices))

    def largest(self) -> Choices:
        """Return the network with the last choice of everything."""
        return self.decode(self.n_choices - 1)

    @cached_property
    def _values(self) -> Columns:
        """Choices of each variable as an array; of several kinds as objects, so that none becomes text."""
        return {
            name: np.array(given, dtype=None if len({isinstance(v, str) for v in given}) == 1 else object)
            for name, given in self.choices.items()
        }


def _listed(given: object) -> tuple[Choice, ...] | None:
    """Return the choices of a variable, numpy's as plain values; None where they have no order."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        return None
    return tuple(value.item() if isinstance(value, np.generic) else value for value in given)


def _is_choice(value: object) -> bool:
    """Return whether JSON gives the value back as it is."""
    return isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
