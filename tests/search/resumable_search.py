"""A search as its own process, so that a test can kill it: ``resumable_search.py ARCHIVE``.

Prints ``evaluated N`` after each evaluation is saved and ``iteration N`` after each iteration.
"""

import sys
import time
from pathlib import Path

from doubles.search_problems import SyntheticProblem

from edgewright.search import Archive, Failure, SearchConfig, run_search

CONFIG = SearchConfig(evaluations=30, n_initial=14, n_infill=4, seed=11, population=24, generations=6)
BUDGETS = {"macs": 4e6}


def main(path: Path) -> None:
    problem = SyntheticProblem("mobilenetv3-small-image@16+24+32+40")

    def evaluate(X):
        for x in X:
            time.sleep(0.02)  # long enough to be killed within
            failed = int(x.sum()) % 9 == 0
            yield Failure("diverged") if failed else float(problem.error(x[None])[0])

    with Archive.open(path, {"weights": "fixed"}) as archive:
        run_search(
            problem.space,
            evaluate=evaluate,
            objectives={"macs": problem.macs, "cpu": problem.latency},
            budgets=BUDGETS,
            archive=archive,
            config=CONFIG,
            on_evaluation=lambda row: print(f"evaluated {row.id}", flush=True),
            on_iteration=lambda report: print(f"iteration {report.iteration}", flush=True),
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
