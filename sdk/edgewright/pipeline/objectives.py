"""What a search of a run minimises and limits, from the names that a user gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgewright.devices.profile import list_profiles
from edgewright.errors import BudgetError, ProfileError
from edgewright.latency.breakdown import places
from edgewright.latency.predictor import LatencyPredictor
from edgewright.pipeline.costs import Cost, macs, params
from edgewright.pipeline.device_costs import (
    EnergyCost,
    LatencyCost,
    MeasuredCost,
    energy_cost,
    latency_cost,
)
from edgewright.pipeline.size_cost import SizeCost, size_bytes
from edgewright.pipeline.table_show import describe_operator
from edgewright.search.budget import (
    ADVERSARIAL_ERROR,
    BARE_ENERGY,
    ENERGY,
    QUANTITIES,
    device_of_energy,
    format_cost,
    parse_budgets,
)
from edgewright.search.config import Parts, Problem
from edgewright.spaces import MobileSpace, Operator
from edgewright.spaces.architecture import IntArray
from edgewright.training.attack import Attack

if TYPE_CHECKING:
    from edgewright.pipeline.search import SearchOptions


@dataclass(frozen=True, slots=True)
class Objectives:
    """What is minimised and limited.

    Attributes:
        objectives: minimised beside what is evaluated.
        constraints: limited, not minimised.
        asked: the user's budgets, in base units.
        bounds: what budgets of devices are held against: predictions and their uncertainty.
        devices: by the name that the user gave.
        energies: of devices, by the name that the user gave: ``cpu.energy``.
        parts: operators of what is limited, as far as they are known.
        attack: under which ``adversarial-error`` is evaluated and minimised; None is none.
    """

    objectives: dict[str, Cost]
    constraints: dict[str, Cost]
    asked: dict[str, float]
    bounds: dict[str, Cost]
    devices: dict[str, LatencyCost]
    energies: dict[str, EnergyCost]
    parts: dict[str, Parts]
    attack: Attack | None = None

    @property
    def evaluated(self) -> tuple[str, ...]:
        """What only an evaluation tells, the error first."""
        return ("error",) if self.attack is None else ("error", ADVERSARIAL_ERROR)

    @property
    def measured(self) -> Mapping[str, MeasuredCost]:
        """What was measured on devices, latencies and energies, by the name that the user gave."""
        return {**self.devices, **self.energies}

    def text(self) -> str:
        """Return what is asked for, in a line."""
        parts = [
            f"{name} at most {format_cost(name, limit)}"
            + (f" ({_held_against(self.measured[name])})" if name in self.bounds else "")
            for name, limit in self.asked.items()
        ]
        attacked = [] if self.attack is None else [f"{ADVERSARIAL_ERROR} ({self.attack.text()})"]
        names = ", ".join(["error", *attacked, *self.objectives])
        return f"minimising {names}; " + ("; ".join(parts) or "no budget")

    def to_search(self) -> Problem:
        """Return the problem as the search takes it."""
        return Problem(self.objectives, self.asked, self.constraints, self.bounds, self.evaluated, self.parts)

    def to_json(self, options: SearchOptions) -> dict[str, Any]:
        """Return what ``search.json`` keeps."""
        return {
            "schema": 3,
            "budget": options.budget,
            "asked": self.asked,
            "evaluations": options.evaluations,
            "seed": options.seed,
            "devices": {name: device.to_json() for name, device in self.devices.items()},
            "energies": {name: energy.to_json() for name, energy in self.energies.items()},
        }


def _held_against(cost: MeasuredCost) -> str:
    """Return what a device's budget is held against, in words."""
    sensor = "" if cost.sensor is None else f", by {cost.sensor}"
    if cost.table.validation is None:
        return f"predicted, with an error that nobody knows{sensor}"
    return f"predicted + {cost.z:g} std{sensor}"


def _device_names() -> list[str]:
    """Return names and aliases of devices; none where a neighbour's profile is faulty."""
    try:
        profiles = list_profiles()
    except ProfileError:  # whoever is named is found, or refused, one by one
        return []
    return [name for profile in profiles for name in (profile.alias, profile.name) if name]


def _objective_names(text: str, known: Sequence[str]) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if unit := [name for name in names if "=" in name]:
        raise BudgetError(f"--objectives takes names, got {unit[0]!r}; limits belong into --budget")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BudgetError(f"{', '.join(map(repr, twice))} is given twice in --objectives; name each once")
    if "error" in names:
        raise BudgetError("'error' is minimised in every search; leave it out of --objectives")
    if ENERGY in names and ENERGY not in known:
        raise BudgetError(f"{BARE_ENERGY}; --objectives has it without one")
    others = (*QUANTITIES, ADVERSARIAL_ERROR)
    unknown = [
        name for name in names if name not in (*known, *others) and device_of_energy(name) not in known
    ]
    if known and unknown:
        raise BudgetError(
            f"unknown name {', '.join(map(repr, unknown))} in --objectives; "
            f"known: {', '.join([*known, *others, f'DEVICE.{ENERGY}'])}"
        )
    return names


def _attack(epsilon: float | None, names: Sequence[str]) -> Attack | None:
    """Return the attack that the objectives ``names`` ask for. Raises ``UsageError``."""
    if ADVERSARIAL_ERROR in names:
        return Attack() if epsilon is None else Attack(epsilon=epsilon)
    if epsilon is not None:
        raise BudgetError(
            f"--epsilon {epsilon:g} is of {ADVERSARIAL_ERROR}, which is not among the objectives; "
            f"add --objectives {ADVERSARIAL_ERROR}, or leave it out"
        )
    return None


def objectives_of(space: MobileSpace, options: SearchOptions) -> Objectives:
    """Return what a search minimises and limits.

    Raises:
        BudgetError: the budget cannot be read, a name is unknown or names what is named already, or there
            is an epsilon without an attack.
        UsageError: the epsilon is out of range.
        TableError: a latency table or an energy model is missing, faulty, or does not cover the space.
        ForeignTableError: one was measured elsewhere.
    """
    known = _device_names()
    budgets = parse_budgets(options.budget, devices=known or None)
    extra = _objective_names(options.objectives, known)
    attack = _attack(options.epsilon, extra)
    extra = [name for name in extra if name != ADVERSARIAL_ERROR]
    names = list(dict.fromkeys([budget.name for budget in budgets] + extra))
    how: dict[str, Any] = {
        "tables": options.tables,
        "precision": options.precision,
        "allow_foreign": options.allow_foreign,
        "allow_inaccurate": options.allow_inaccurate,
        "z": options.z,
    }
    energies = {name: energy_cost(name, space, **how) for name in names if device_of_energy(name)}
    devices = {
        name: latency_cost(name, space, **how) for name in names if name not in (*QUANTITIES, *energies)
    }
    _require_distinct(devices)
    _require_distinct(energies)
    measured: dict[str, MeasuredCost] = {**devices, **energies}
    minimised = [name for name in names if name in measured or name in extra] or ["macs"]
    targets = list(dict.fromkeys((cost.profile.runtime, cost.precision) for cost in measured.values()))
    makers: dict[str, Callable[[], Cost]] = {
        "macs": lambda: macs(space),
        "params": lambda: params(space),
        "size": lambda: size_bytes(space, targets or [("onnxruntime", "fp32")]),
    }
    counted: dict[str, Cost] = {
        name: measured[name].predict if name in measured else makers[name]()
        for name in dict.fromkeys([*names, *minimised])
    }
    asked = {budget.name: budget.limit for budget in budgets}
    return Objectives(
        objectives={name: counted[name] for name in minimised},
        constraints={name: cost for name, cost in counted.items() if name in asked and name not in minimised},
        asked=asked,
        bounds={name: measured[name].at_most for name in asked if name in measured},
        devices=devices,
        energies=energies,
        parts={name: found for name in asked if (found := _parts(space, name, counted, devices)) is not None},
        attack=attack,
    )


def _require_distinct(devices: Mapping[str, MeasuredCost]) -> None:
    """Raise ``BudgetError`` where two names are of one device."""
    first: dict[str, str] = {}
    for name, device in devices.items():
        other = first.setdefault(device.profile.name, name)
        if other != name:
            raise BudgetError(
                f"{other!r} and {name!r} are the same device, {device.profile.name}; name it once"
            )


def _parts(
    space: MobileSpace, name: str, counted: dict[str, Cost], devices: dict[str, LatencyCost]
) -> Parts | None:
    """Return the operators of a network and what each adds to a cost; None where that is unknown."""
    adds = _added(name, counted[name], devices)
    if adds is None:
        return None

    def parts(x: IntArray) -> list[tuple[str, float]]:
        arch = space.decode(x)
        operators = space.operators(arch)
        labels = (
            f"{place} ({describe_operator(op)})" for place, op in zip(places(arch), operators, strict=True)
        )
        return list(zip(labels, adds(operators), strict=True))

    return parts


def _added(
    name: str, cost: Cost, devices: dict[str, LatencyCost]
) -> Callable[[Sequence[Operator]], list[float]] | None:
    """Return what maps a network's operators to what each adds to a cost."""
    if name in devices:
        predictor = devices[name].predictor
        if not isinstance(predictor, LatencyPredictor):  # a model of whole networks
            return None
        return lambda operators: [predictor.cost_ms(op) for op in operators]
    if isinstance(cost, SizeCost):
        return lambda operators: cost.of_operators(operators).tolist()
    if device_of_energy(name):  # no operator was measured alone
        return None
    return lambda operators: [float(getattr(op, name)) for op in operators]
