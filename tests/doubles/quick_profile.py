"""A profile that is over in a second, of a device of known laws."""

import json

from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig

CONFIG = ProfileConfig(passes=2, rounds=3, segment=7, n_fit=8, n_validate=8)


def run(space, device, path, **options):
    """Measure a space on a device with the journal ``j`` in the folder ``path``."""
    return profile_space(space, device.target(space), journal=path / "j", **{"config": CONFIG, **options})


def visits(journal):
    """Count the visits to each operator in a journal."""
    counts = {}
    for line in journal.read_text("utf-8").splitlines():
        record = json.loads(line)
        for item in record.get("visits", ()):
            if "operator" not in item["subject"]:
                continue
            key = json.dumps(item["subject"])
            counts[key] = counts.get(key, 0) + 1
    return counts
