"""A benchmark as tests use it: its script, in a process of its own."""

import subprocess
import sys


def run(script, *arguments):
    """Run a benchmark to its end; return its status and what it printed."""
    return subprocess.run(
        [sys.executable, str(script), *map(str, arguments)], capture_output=True, text=True, check=False
    )
