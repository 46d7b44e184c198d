"""What is the best front of OFA-MobileNetV3 on the Note10 that ten million evaluations find?

The reference of ``bench_search.py --problem ofa-mbv3``. About 10^19 networks cannot be listed, so:

1. From each of several seeds alone, a large genetic search on the true objectives: selection by
   non-dominated rank and crowding; crossover of variables and of whole stages; random resets.
2. On the union of their fronts, local search until nothing changes: every single change, every
   exchange of a stage between two members, then every pair of changes.

Evaluations are in single precision, what is written is in double. How far each seed's own front lies
below the final one says how much another seed may still find.

    python benchmarks/make_ofa_front.py --data ofa_mbv3 --out benchmarks/assets/ofa-mbv3-note10-front.json

About four minutes on one core. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from edgewright.errors import SDKError
from edgewright.files import write_json
from edgewright.pipeline.problems import read_ofa
from edgewright.search.pareto import crowding_distance, front_indices
from edgewright.search.problems import AccuracyPredictor, KnownFront, SearchProblem
from edgewright.spaces.architecture import FloatArray, IntArray
from edgewright.spaces.mobile import MobileSpace

POPULATION, OFFSPRING = 1500, 6000
ROWS = 200_000  # neighbours that are looked at together


class Truth:
    """Objectives in single precision, and how often they were asked for.

    Args:
        problem: OFA's.
        predictor: of the error.
    """

    def __init__(self, problem: SearchProblem, predictor: AccuracyPredictor) -> None:
        assert isinstance(problem.space, MobileSpace)
        self.space: MobileSpace = problem.space
        self.latency = next(iter(problem.costs.values()))
        self.predictor = predictor.single()
        self.n_evaluations = 0

    def __call__(self, X: IntArray) -> FloatArray:
        """Return ``(n, 2)``: error in percent and latency in ms."""
        self.n_evaluations += len(X)
        return np.column_stack([self.predictor.error(X), self.latency(X)])


class Members:
    """Networks, each once, with their objectives.

    Args:
        X: encodings ``(n, n_var)``.
        F: objectives ``(n, 2)``.
    """

    def __init__(self, X: IntArray, F: FloatArray) -> None:
        self.X, self.F = X, F

    def front(self) -> Members:
        """Return those that none dominates."""
        best = front_indices(self.F)
        return Members(self.X[best], self.F[best])

    def joined(self, other: Members) -> Members:
        """Return both together, each network once."""
        X, first = np.unique(np.concatenate([self.X, other.X]), axis=0, return_index=True)
        return Members(X, np.concatenate([self.F, other.F])[first])


def genetic(truth: Truth, seed: int, evaluations: int) -> Members:
    """Return the front of a genetic search that starts from random networks."""
    rng = np.random.default_rng(seed)
    space = truth.space
    ends = np.stack([space.encode(space.smallest()), space.encode(space.largest())])
    X = np.unique(np.concatenate([ends, space.sample(rng, OFFSPRING)]), axis=0)
    all_members = Members(X, truth(X))
    best, last = all_members.front(), truth.n_evaluations + evaluations - len(X)
    while truth.n_evaluations < last:
        parents = survivors(all_members, POPULATION)
        X = np.unique(offspring(space, parents.X, rng), axis=0)
        children = Members(X, truth(X))
        best = best.joined(children.front()).front()
        all_members = parents.joined(children)
    return best


def survivors(members: Members, n: int) -> Members:
    """Return ``n`` members by non-dominated rank, then crowding."""
    import moocore

    rank = np.asarray(moocore.pareto_rank(np.ascontiguousarray(members.F)))
    kept = list[IntArray]()
    for level in range(int(rank.max()) + 1):
        row = np.flatnonzero(rank == level)
        room = n - sum(map(len, kept))
        if len(row) >= room:
            kept.append(row[np.argsort(-crowding_distance(members.F[row]), kind="stable")[:room]])
            break
        kept.append(row)
    chosen = np.concatenate(kept)
    return Members(members.X[chosen], members.F[chosen])


def offspring(space: MobileSpace, parents: IntArray, rng: np.random.Generator) -> IntArray:
    """Return :data:`OFFSPRING` children: half take single variables of either parent, half whole stages."""
    a, b = parents[rng.integers(len(parents), size=(2, OFFSPRING))]
    part = stage_of(space)
    take = rng.random((OFFSPRING, part.max() + 1)) < 0.5
    single = rng.random(a.shape) < 0.5
    children = np.where(np.where(rng.random((OFFSPRING, 1)) < 0.5, take[:, part], single), a, b)
    reset = rng.random(children.shape) < rng.choice([0.0, 1.0, 3.0], size=(OFFSPRING, 1)) / len(part)
    return space.repair(np.where(reset, rng.integers(0, space.n_choices, size=children.shape), children))


def stage_of(space: MobileSpace) -> IntArray:
    """Return the part of a network that each variable is of: 0 the resolution, then stage by stage."""
    slots = 1 + np.arange(space.n_slots) // space.max_depth
    return np.concatenate([[0], 1 + np.arange(len(space.stages)), slots, slots])


def polished(truth: Truth, members: Members, *, rounds: int) -> Members:
    """Return the front that local search makes of one; it ends by itself, or after ``rounds``."""
    done: dict[str, set[bytes]] = {"single": set(), "stage": set(), "pair": set()}
    front = members.front()
    for _ in range(rounds):
        for name, near in (("single", single_changes), ("stage", stage_exchanges), ("pair", pair_changes)):
            start = front
            new = np.array([x.tobytes() not in done[name] for x in front.X])
            done[name] |= {x.tobytes() for x in front.X}
            for X in near(truth.space, front.X, front.X[new]):
                front = front.joined(Members(X, truth(X)).front()).front()
            if changed(start, front):
                break  # first what costs least again
        else:
            return front
        print(f"  {len(front.X)} members, {truth.n_evaluations:,} evaluations", file=sys.stderr, flush=True)
    return front


def changed(before: Members, after: Members) -> bool:
    """Return whether a front has moved."""
    return len(before.X) != len(after.X) or bool((before.X != after.X).any())


def single_changes(space: MobileSpace, front: IntArray, new: IntArray) -> Sequence[IntArray]:
    """Return every single change of ``new`` members of the front."""
    return [np.unique(np.concatenate([space.neighbours(x) for x in new]), axis=0)] if len(new) else []


def stage_exchanges(space: MobileSpace, front: IntArray, new: IntArray) -> Sequence[IntArray]:
    """Return the front's members with one stage, or the resolution, of each ``new`` one."""
    part = stage_of(space)
    return [
        np.unique(
            space.repair(np.concatenate([np.where(part == s, x, front) for s in range(part.max() + 1)])),
            axis=0,
        )
        for x in new
    ]


def pair_changes(space: MobileSpace, front: IntArray, new: IntArray) -> Iterator[IntArray]:
    """Yield, in batches, every pair of changes of each ``new`` member."""
    variable = np.repeat(np.arange(len(space.n_choices)), space.n_choices)
    value = np.arange(len(variable)) - np.repeat(
        np.cumsum(space.n_choices) - space.n_choices, space.n_choices
    )
    first, second = np.triu_indices(len(variable), k=1)
    apart = variable[first] != variable[second]
    first, second = first[apart], second[apart]
    rows = np.arange(len(first))
    batch = list[IntArray]()
    for x in new:
        X = np.tile(x, (len(rows), 1))
        X[rows, variable[first]] = value[first]
        X[rows, variable[second]] = value[second]
        batch.append(np.unique(space.repair(X), axis=0))
        if sum(map(len, batch)) > ROWS:
            yield np.concatenate(batch)
            batch = []
    if batch:
        yield np.concatenate(batch)


def find_front(data: Path, *, seeds: int, evaluations: int, rounds: int) -> dict[str, Any]:
    """Return the asset. Raises ``UsageError`` or ``TableError`` where the data cannot be read."""
    problem = read_ofa(data)
    predictor = AccuracyPredictor.load(data / "accuracy_predictor.npz")
    truth = Truth(problem, predictor)
    start = time.process_time()
    fronts = list[Members]()
    for seed in range(seeds):
        fronts.append(genetic(truth, seed, evaluations // seeds))
        print(f"seed {seed}: {len(fronts[-1].X)} members", file=sys.stderr, flush=True)
    n_genetic = truth.n_evaluations
    union = fronts[0]
    for other in fronts[1:]:
        union = union.joined(other)
    best = polished(truth, union, rounds=rounds)
    F = problem.objectives(best.X)
    kept = front_indices(F)
    known = KnownFront.of(F, "")
    alone = [round(known.hypervolume_ratio(one.F), 5) for one in fronts]
    source = (
        f"{truth.n_evaluations:,} evaluations: {n_genetic:,} of a genetic search from {seeds} seeds, "
        "the rest of local search by single changes, exchanged stages and pairs of changes"
    )
    return {
        "schema": 1,
        "problem": problem.name,
        "space": problem.space.name,
        "objectives_are": ["top-1 error in percent, as OFA's accuracy predictor says it", "latency in ms"],
        "source": source,
        "evaluations": truth.n_evaluations,
        "cpu_seconds": round(time.process_time() - start, 1),
        "hypervolume_ratio_of_each_seed_alone": alone,
        "objectives": F[kept].tolist(),
        "encodings": best.X[kept].tolist(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, write the asset, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of accuracy_predictor.npz and note10/"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument(
        "--evaluations", type=int, default=12_000_000, help="of the genetic searches together"
    )
    parser.add_argument("--rounds", type=int, default=200, help="of local search at most")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.evaluations < options.seeds or options.rounds < 0:
        parser.error("--seeds and --evaluations are at least 1, --rounds at least 0")
    try:
        with threadpool_limits(1):
            found = find_front(
                options.data, seeds=options.seeds, evaluations=options.evaluations, rounds=options.rounds
            )
        write_json(options.out, found)
    except SDKError as error:
        print(f"make_ofa_front: {error}", file=sys.stderr)
        return error.exit_code
    said = {
        name: found[name] for name in ("evaluations", "cpu_seconds", "hypervolume_ratio_of_each_seed_alone")
    }
    print(json.dumps({"members": len(found["objectives"]), **said}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
