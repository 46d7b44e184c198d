"""The command line on a runtime that one operator's artifact crashes: ``KEY ARGUMENTS...``.

The crash is a real one, a read from address 0, as soon as the artifact is opened. The preset ``quick`` is
quicker than that of users.
"""

import ctypes
import sys
from dataclasses import replace

from edgewright.cli import main


def break_runtime(key):
    from edgewright.backends.onnxruntime.runtime import OnnxRuntime
    from edgewright.latency.target import PRESETS
    from edgewright.latency.workshop import Workshop

    PRESETS["quick"] = replace(PRESETS["quick"], passes=1, rounds=3, n_fit=4, n_validate=4, max_repeats=0)
    bad = set()
    make, load = Workshop.artifact, OnnxRuntime.open

    def artifact(self, name, build):
        path = make(self, name, build)
        if name == key:
            bad.add(path)
        return path

    def opened(self, path, **options):
        if path in bad:
            ctypes.string_at(0)
        return load(self, path, **options)

    Workshop.artifact, OnnxRuntime.open = artifact, opened


def start():
    key = sys.argv.pop(1)
    run = main.run

    def run_broken(*arguments):
        break_runtime(key)  # in the child: the parent imports nothing of this
        return run(*arguments)

    main.run = run_broken
    main.main()


if __name__ == "__main__":
    start()
