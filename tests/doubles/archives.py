"""What two searches are compared by."""

from edgewright.search.archive import Archive


def rows(path, *, tries=True):
    """Return every column of every row but wall-clock seconds and who did it.

    ``tries=False`` leaves out how often each was begun, which differs where a worker was lost.
    """
    with Archive.read(path) as archive:
        return [
            (
                *(r.id, r.x, r.objectives, r.constraints, r.iteration, r.position, r.seed),
                *(r.failure, r.failure_kind, r.weights, r.attempts if tries else None),
            )
            for r in archive.evaluations
        ]
