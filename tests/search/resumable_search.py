"""A search as a process, for a test to kill: ``resumable_search.py ARCHIVE [WORKERS [CLUSTER]]``.

0 workers are none, or as many as the cluster has CPUs.

Prints ``evaluated N`` after each evaluation is saved and ``iteration N`` after each iteration.
"""

import sys
from contextlib import nullcontext
from pathlib import Path

from doubles.evaluators import SPACE
from doubles.search_problems import SyntheticProblem

from edgewright.evaluation import EvaluatorSpec, ProcessPool, RayCluster, one_by_one
from edgewright.search import Archive, SearchConfig, run_search

CONFIG = SearchConfig(evaluations=30, n_initial=14, n_infill=4, seed=11, population=24, generations=6)
BUDGETS = {"macs": 4e6}


def evaluator(workers: int, cluster: str | None):
    # Each takes long enough to be killed within.
    spec = EvaluatorSpec(factory="doubles.evaluators:formula", arguments={"seconds": 0.01})
    if cluster is not None:
        return RayCluster(spec, workers or None, address=cluster)
    return ProcessPool(spec, workers) if workers else nullcontext(one_by_one(spec.build()))


def main(path: Path, workers: int, cluster: str | None) -> None:
    problem = SyntheticProblem(SPACE)
    done = 0

    def on_evaluation(row):
        nonlocal done
        done += 1
        print(f"evaluated {done_before + done}", flush=True)

    with (
        Archive.open(path, {"weights": "fixed"}) as archive,
        evaluator(workers, cluster) as evaluate,
    ):
        done_before = len(archive)
        run_search(
            problem.space,
            evaluate=evaluate,
            objectives={"macs": problem.macs, "cpu": problem.latency},
            budgets=BUDGETS,
            archive=archive,
            config=CONFIG,
            on_evaluation=on_evaluation,
            on_iteration=lambda report: print(f"iteration {report.iteration}", flush=True),
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int([*sys.argv, "0"][2]), sys.argv[3] if len(sys.argv) > 3 else None)
