"""Entry of the agent's zip: the supervisor, or with ``--worker RUNTIME`` the process that measures."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main() -> int:
    """Serve the host behind stdin and stdout; return the exit status."""
    if sys.argv[1:2] == ["--worker"]:
        from edgewright.agent.worker import work

        work(sys.argv[2] if len(sys.argv) > 2 else "")
        return 0
    if sys.argv[1:2] == ["--worker-version"]:
        from edgewright.agent.worker import tell_version

        tell_version(sys.argv[2], Path(sys.argv[3]))
        return 0
    from edgewright.agent.supervisor import Supervisor

    # A group of its own, so that a successor can end it together with its worker.
    if os.getpid() != os.getpgrp():
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Supervisor(0, 1, Path(sys.argv[0]).resolve()).serve()
    return 0
