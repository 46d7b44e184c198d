"""What bench_search.py takes over from files that it wrote before.

What a method does depends on the problem, the method and the seed alone: each run has a process of its
own. So methods that ran at another time may stand beside those that run now, as far as they were given
the same; each tells the versions that it ran with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgewright.errors import UsageError
from edgewright.files import read_json

#: What two runs must have been asked alike; what ours alone heeds, only where ours is taken over.
ASKED = ("problem", "accuracy", "latency", "as_written", "evaluations", "seeds", "at")
OURS, ASKED_OF_OURS = "edgewright", ("batch",)
#: Figures of a method that are printed, or compared with ours.
NEEDED = ("hypervolume_ratio", "mean_curve", "search_seconds_per_evaluation", "peak_memory_mb")
MEND = "run its methods again, or write to another file without it"


@dataclass(slots=True)
class Taken:
    """Methods of earlier files, by name.

    Attributes:
        methods: their scores.
        trajectories: their evaluations.
        origins: the file and the conditions that each ran under.
    """

    methods: dict[str, Any] = field(default_factory=dict)
    trajectories: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Any] = field(default_factory=dict)


def take(paths: Sequence[Path], head: Mapping[str, Any], now: Sequence[str]) -> Taken:
    """Return the methods of ``paths`` that do not run ``now``.

    Args:
        paths: files that bench_search.py wrote.
        head: ``config``, ``conditions`` and ``problem`` of the run to be, as they will be written.
        now: methods that run now; files may have them too.

    Raises:
        UsageError: a file is none of bench_search.py, was asked something else, or has a method that
            another one has; all faults are named.
    """
    taken, faults = Taken(), list[str]()
    for path in paths:
        earlier = read_json(path, what="result of bench_search.py", mend=MEND)
        try:
            names = [name for name in earlier["methods"] if name not in now]
            faults += [f"{path} {fault}" for fault in _faults(earlier, head, names)]
            faults += [
                f"{name} is in {path} and in {taken.origins[name]['file']}: give one of them"
                for name in names
                if name in taken.methods
            ]
            for name in names:
                own = {"file": path.name, "conditions": earlier["conditions"]}
                taken.methods[name] = scores = earlier["methods"][name]
                faults += [f"{path} has no {key} of {name}: {MEND}" for key in NEEDED if key not in scores]
                taken.trajectories[name] = earlier["trajectories"][name]
                taken.origins[name] = earlier.get("taken_over", {}).get(name, own)
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{path} is no result of bench_search.py ({error!r}); {MEND}") from error
    if faults:
        raise UsageError("; ".join(faults))
    return taken


def _faults(earlier: Mapping[str, Any], head: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return in what a file differs from the run to be."""
    config, asked = dict(earlier["config"]), head["config"]
    if isinstance(config.get("latency"), str) and isinstance(asked["latency"], list):
        config["latency"] = [config["latency"]] if config["latency"] else []  # of when there was one column
    keys = (*ASKED, *(ASKED_OF_OURS if OURS in names else ()))
    faults = [
        f"has {key} {config.get(key)!r}, expected {asked[key]!r}: ask the same, or leave the file out"
        for key in keys
        if config.get(key) != asked[key]
    ]
    if earlier["conditions"]["data_sha256"] != head["conditions"]["data_sha256"]:
        faults.append("is of other data (data_sha256): run its methods again")
    elif not faults and earlier["problem"] != head["problem"]:
        differ = [key for key in head["problem"] if earlier["problem"].get(key) != head["problem"][key]]
        faults.append(f"is of another known front ({', '.join(differ)}): run its methods again")
    return faults
