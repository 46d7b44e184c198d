"""What every search space holds, checked on one: on those here by the tests, on yours by you.

::

    from edgewright.spaces import check_space

    check_space(MySpace())

Rules are checked on random networks, so what is found is broken, and what is not found may be rare. In
order, since later rules rest on earlier ones: what there is (``members``, ``n_choices``), ``repair``, and
then the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import ArchitectureError, SpaceError, UsageError
from edgewright.spaces.architecture import IntArray, changed_once, enumerate_space

PROPERTIES = ("name", "version", "slug", "digest", "n_choices")
METHODS = ("encode", "decode", "repair", "sample", "neighbours", "smallest", "largest")
# What some file system has another use for.
_RESERVED = '<>:"/\\|?*'
# Networks whose neighbours and operators are looked at: there are many of each.
_N_CLOSE = 8
# Samples by which two seeds are told apart: fewer may be equal by chance.
_N_TOLD_APART = 32


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a space breaks.

    Attributes:
        rule: a key of :data:`RULES`.
        text: what was found, and what was expected.
    """

    rule: str
    text: str


def check_space(space: Any, *, seed: int = 0, n: int = 64) -> None:
    """Check that ``space`` holds what a search builds on.

    Args:
        space: satisfies :class:`~edgewright.spaces.SearchSpace`, or is meant to; where it has
            ``operators``, :class:`~edgewright.spaces.Space`.
        seed: of the networks that are looked at.
        n: how many.

    Raises:
        SpaceError: it does not; every broken rule is named.
    """
    if found := find_violations(space, seed=seed, n=n):
        raise _no_space(space, "; ".join(f"{one.rule}: {one.text}" for one in found))


def require_members(space: object) -> None:
    """Raise ``SpaceError`` where a space lacks a property or a method; nothing is called."""
    if missing := _missing(space):
        raise _no_space(space, missing)


def _no_space(space: object, broken: str) -> SpaceError:
    name = getattr(space, "name", type(space).__name__)
    return SpaceError(
        f"{name} is no search space: {broken}; what each method owes stands in edgewright.spaces.SearchSpace"
    )


def find_violations(space: Any, *, seed: int = 0, n: int = 64) -> tuple[Violation, ...]:
    """Return the rules that ``space`` breaks, each with what was found; arguments as of :func:`check_space`.

    Raises:
        UsageError: ``n`` is below 1.
    """
    if n < 1:
        raise UsageError(f"a space is checked on at least one network, got n={n}")
    case = _Case(space, seed, n)
    found = list[Violation]()
    for stage in _STAGES:
        for name, rule in stage.items():
            found += [Violation(name, text) for text in _broken(rule, case)]
        if found:  # what comes next would fail for the same reason
            break
    return tuple(found)


class _Case:
    """A space, and the encodings that its rules are checked on."""

    def __init__(self, space: Any, seed: int, n: int) -> None:
        self.space = space
        self.seed = seed
        self.n = n

    @property
    def n_var(self) -> int:
        """Variables of an encoding."""
        return len(self.space.n_choices)

    @cached_property
    def raw(self) -> IntArray:
        """Encodings of choices that exist, canonical or not: ``(n + 2, n_var)``, both ends among them."""
        n_choices = np.asarray(self.space.n_choices, dtype=np.int64)
        drawn = np.random.default_rng(self.seed).integers(0, n_choices, size=(self.n, len(n_choices)))
        return np.concatenate([drawn, np.zeros((1, len(n_choices)), np.int64), n_choices[None] - 1])

    @cached_property
    def canonical(self) -> IntArray:
        """Different canonical encodings, in random order."""
        different = np.unique(self.space.repair(self.raw.copy()), axis=0).astype(np.int64)
        shuffled: IntArray = np.random.default_rng(self.seed).permutation(different)
        return shuffled

    def fault(self, X: object, rows: int | None, what: str) -> str | None:
        """Return why ``X`` is no array of ``rows`` (None: any number of) encodings; None where it is one."""
        shape = f"({'m' if rows is None else rows}, {self.n_var})"
        if not isinstance(X, np.ndarray):
            return f"{what} is {type(X).__name__}, expected an array {shape} of integers"
        fits = X.ndim == 2 and X.shape[1] == self.n_var and rows in (None, len(X))
        if not fits or not np.issubdtype(X.dtype, np.integer):
            return f"{what} is {X.dtype} {X.shape}, expected integers {shape}"
        outside = np.argwhere((X < 0) | (np.asarray(self.space.n_choices) <= X))
        if len(outside):
            row, i = outside[0]
            return f"{what} has {X[row, i]} for variable {i}, expected [0, {self.space.n_choices[i]})"
        return None

    def not_canonical(self, X: IntArray, what: str) -> str | None:
        """Return which row of ``X`` ``repair`` changes; None where it changes none."""
        repaired = self.space.repair(X.copy())
        wrong = np.flatnonzero((repaired != X).any(axis=1))
        if len(wrong) == 0:
            return None
        return (
            f"{what} has {X[wrong[0]].tolist()}, expected it as repair has it, {repaired[wrong[0]].tolist()}"
        )


Rule = Callable[[_Case], Iterator[str | None]]


def _broken(rule: Rule, case: _Case) -> list[str]:
    """Return what a rule finds; an exception of the space's own code is found too."""
    found = list[str]()
    try:
        for text in rule(case):
            if text is not None:
                found.append(text)
                break  # the next finding of a rule is most often the same one
    except Exception as error:  # the space is someone's own code
        text = str(error).splitlines()[0][:200] if str(error) else "without a message"
        found.append(f"it raised {type(error).__name__}: {text}")
    return found


def _members(case: _Case) -> Iterator[str | None]:
    """Every member is there, and what names the space is as files and archives need it."""
    space = case.space
    if missing := _missing(space):
        yield missing
        return
    for name in ("name", "slug", "digest"):
        value = getattr(space, name)
        if not isinstance(value, str) or not value:
            yield f"{name} is {value!r}, expected a text"
    if isinstance(space.version, bool) or not isinstance(space.version, int):
        yield f"version is {space.version!r}, expected a whole number"
    if (
        any(sign in _RESERVED or ord(sign) < 32 for sign in space.slug)
        or space.slug.strip(". ") != space.slug
    ):
        yield f"slug is {space.slug!r}, expected a file's name without any of {_RESERVED}"
    if space.digest != (again := space.digest):
        yield f"digest is {again[:12]}… the second time, expected the same"


def _missing(space: object) -> str | None:
    """Return which members there are not; None where all are there."""
    missing = [name for name in (*PROPERTIES, *METHODS) if not hasattr(space, name)]
    missing += [f"{name}()" for name in METHODS if not callable(getattr(space, name, len))]
    return f"there is no {', '.join(missing)}" if missing else None


def _n_choices(case: _Case) -> Iterator[str | None]:
    """``n_choices`` is integers ``(n_var,)`` of at least 1."""
    found = case.space.n_choices
    if not isinstance(found, np.ndarray) or found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        shape = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
        yield f"it is {shape}, expected an array (n_var,) of integers"
    elif len(found) == 0 or found.min() < 1:
        yield f"it is {found.tolist()}, expected a variable or more, each with at least one choice"


def _repair(case: _Case) -> Iterator[str | None]:
    """``repair`` makes encodings canonical: once is enough, row by row, in a new array."""
    given = case.raw.copy()
    repaired = case.space.repair(given)
    yield case.fault(repaired, len(given), "the result")
    if (given != case.raw).any():
        yield "it changed its argument, expected a new array"
    again = case.space.repair(repaired.copy())
    wrong = np.flatnonzero((again != repaired).any(axis=1))
    if len(wrong):
        first, second = repaired[wrong[0]].tolist(), again[wrong[0]].tolist()
        yield f"of {case.raw[wrong[0]].tolist()} it makes {first}, and of that {second}; expected no change"
    for x, whole in zip(case.raw, repaired, strict=True):
        alone = case.space.repair(x[None].copy())[0]
        if (alone != whole).any():
            yield f"of {x.tolist()} it makes {alone.tolist()} alone and {whole.tolist()} among others"
    yield case.fault(case.space.repair(case.raw[:0]), 0, "the result for no rows")


def _sample(case: _Case) -> Iterator[str | None]:
    """``sample`` returns canonical encodings that the generator alone decides."""
    n = max(case.n, _N_TOLD_APART)

    def drawn(seed: int, n: int = n) -> Any:
        return case.space.sample(np.random.default_rng(seed), n)

    X = drawn(case.seed)
    yield case.fault(X, n, "the result")
    yield case.not_canonical(X, "the result")
    if not np.array_equal(X, drawn(case.seed)):
        yield f"seed {case.seed} gives other networks the second time, expected the same"
    if len(case.canonical) > 1 and np.array_equal(X, drawn(case.seed + 1)):
        yield f"seeds {case.seed} and {case.seed + 1} give the same {n} networks, expected others"
    yield case.fault(drawn(case.seed, 0), 0, "the result for n = 0")


def _encode(case: _Case) -> Iterator[str | None]:
    """``encode`` undoes ``decode``, and equal networks have one encoding."""
    for given, wanted in zip(case.raw, case.space.repair(case.raw.copy()), strict=True):
        found = case.space.encode(case.space.decode(given.copy()))
        yield case.fault(np.asarray(found)[None], 1, f"encode(decode({given.tolist()}))")
        if (found != wanted).any():
            yield f"encode(decode({given.tolist()})) is {found.tolist()}, expected {wanted.tolist()}"


def _decode(case: _Case) -> Iterator[str | None]:
    """``decode`` returns hashable architectures, others for other encodings, and their JSON."""
    seen = dict[Any, list[int]]()
    for x in case.canonical:
        arch = case.space.decode(x.copy())
        if hash(arch) != hash(again := case.space.decode(x.tolist())) or arch != again:
            yield f"{x.tolist()} is another network the second time, expected an equal one with an equal hash"
        if (other := seen.setdefault(arch, x.tolist())) != x.tolist():
            yield f"{other} and {x.tolist()} are the same network, expected two, or one encoding of both"
        json.dumps(arch.to_json(), allow_nan=False)


def _outside(case: _Case) -> Iterator[str | None]:
    """``decode`` refuses what is no encoding with ``ArchitectureError``."""
    inside = case.canonical[0]
    for i in range(case.n_var):
        for value in (-1, int(case.space.n_choices[i])):
            x = inside.copy()
            x[i] = value
            yield _not_refused(case, x)
    yield _not_refused(case, np.append(inside, 0))


def _not_refused(case: _Case, x: IntArray) -> str | None:
    try:
        case.space.decode(x)
    except ArchitectureError:
        return None
    except Exception as error:  # the space is someone's own code
        return f"decode({x.tolist()}) raised {type(error).__name__}, expected ArchitectureError"
    return f"decode({x.tolist()}) returned a network, expected ArchitectureError"


def _neighbours(case: _Case) -> Iterator[str | None]:
    """``neighbours`` are all that one changed choice makes of a network: canonical, once, not itself."""
    for x in case.canonical[:_N_CLOSE]:
        given = x.copy()
        near, here = case.space.neighbours(given), f"the result for {x.tolist()}"
        yield case.fault(near, None, here)
        yield case.not_canonical(near, here)
        if (given != x).any():
            yield "it changed its argument, expected a new array"
        rows = {tuple(row) for row in near.tolist()}
        if len(rows) < len(near):
            yield f"{here} has {len(near) - len(rows)} rows twice, expected each once"
        if tuple(x.tolist()) in rows:
            yield f"{here} has that network itself, expected others"
        changed = case.space.repair(changed_once(x, np.asarray(case.space.n_choices)))
        lacking = [row for row in changed.tolist() if tuple(row) not in rows and row != x.tolist()]
        if lacking:
            yield f"{here} lacks {lacking[0]}, expected all that one changed choice makes"


def _ends(case: _Case) -> Iterator[str | None]:
    """``smallest`` and ``largest`` are networks of the space, and two where it has several."""
    ends = list[list[int]]()
    for name in ("smallest", "largest"):
        x = np.asarray(case.space.encode(getattr(case.space, name)()))
        yield case.fault(x[None], 1, f"{name}()")
        yield case.not_canonical(x[None], f"{name}()")
        ends.append(x.tolist())
    if ends[0] == ends[1] and len(case.canonical) > 1:
        yield f"smallest() and largest() are both {ends[0]}, expected the two ends of the space"


def _listed(case: _Case) -> Iterator[str | None]:
    """``members``, where there are any, are all canonical encodings, each once."""
    if not hasattr(case.space, "members"):
        return
    X = case.space.members
    yield case.fault(X, None, "members")
    yield case.not_canonical(X, "members")
    rows = {tuple(row) for row in X.tolist()}
    if len(rows) < len(X):
        yield f"members has {len(X) - len(rows)} rows twice, expected each once"
    every = enumerate_space(case.space)
    wanted = case.canonical if every is None else every
    lacking = [row for row in wanted.tolist() if tuple(row) not in rows]
    if lacking:
        yield f"members lacks {lacking[0]}, expected every canonical encoding"


def _operators(case: _Case) -> Iterator[str | None]:
    """Where networks are rows of operators: all of them are known, and ``tabulate`` adds up their costs."""
    space = case.space
    if not hasattr(space, "operators"):
        return
    known = set(space.all_operators())
    X = case.canonical[:_N_CLOSE]
    rows = [space.operators(space.decode(x)) for x in X]
    for x, row in zip(X, rows, strict=True):
        if unknown := [op for op in row if op not in known]:
            yield f"{x.tolist()} has {unknown[0]}, expected operators of all_operators()"
    # Different costs tell operators apart; of a network the order decides nothing.
    costs = {op: 1.0 + i / 7 for i, op in enumerate(sorted(known))}
    table: NDArray[np.float64] = space.tabulate(costs.__getitem__)(X)
    for x, row, cost in zip(X, rows, table, strict=True):
        if not np.isclose(wanted := sum(costs[op] for op in row), cost):
            yield f"tabulate adds up {cost:g} for {x.tolist()}, expected {wanted:g} of its operators"


# Rules of a stage rest on those of the stages before it.
_STAGES: tuple[dict[str, Rule], ...] = (
    {"members": _members},
    {"n_choices": _n_choices},
    {"repair": _repair},
    {
        "sample": _sample,
        "encode": _encode,
        "decode": _decode,
        "outside": _outside,
        "neighbours": _neighbours,
        "ends": _ends,
        "listed": _listed,
        "operators": _operators,
    },
)
#: What each rule says, by name.
RULES: dict[str, str] = {
    name: (rule.__doc__ or "").strip() for stage in _STAGES for name, rule in stage.items()
}
