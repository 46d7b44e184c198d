"""A search that is over in a second, of a made-up supernet."""

from doubles.search_problems import SyntheticProblem

from edgewright.search import SearchConfig, run_search

PROBLEM = SyntheticProblem("mobilenetv3-small-image@16+24+32")
SPACE = PROBLEM.space
QUICK = {
    "population": 16,
    "generations": 3,
    "n_initial": 12,
    "n_infill": 4,
    "surrogate": "ridge",
}


def search(archive, *, space=SPACE, evaluate=PROBLEM.error, objectives=None, budgets=None, **options):
    """Search with 24 evaluations; ``config`` changes settings, ``run_search`` takes the other options."""
    config = SearchConfig(**{**QUICK, "evaluations": 24, **options.pop("config", {})})
    return run_search(
        space,
        evaluate=evaluate,
        objectives={"macs": PROBLEM.macs} if objectives is None else objectives,
        budgets=budgets or {},
        archive=archive,
        config=config,
        **options,
    )


def rows(archive):
    """Return all of the archive but wall-clock seconds."""
    return [
        (r.id, r.x, r.objectives, r.constraints, r.iteration, r.position, r.seed, r.failure)
        for r in archive.evaluations
    ]
