"""Processes that know each other through the environment, as torchrun starts them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def environment(**more):
    """Return this process's environment, of one thread and with the packages under test."""
    path = os.pathsep.join([str(ROOT / "sdk"), str(ROOT / "tests")])
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | more


def start_group(n, *arguments):
    """Start ``n`` processes of ``python ARGUMENTS``; return them by rank."""
    shared = {"WORLD_SIZE": str(n), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=environment(RANK=str(rank), **shared),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n)
    ]


def finish_group(processes, *, patience_s=120.0):
    """Wait for all; return ``(status, stdout, stderr)`` of each, by rank. None outlives the call."""
    try:
        told = [process.communicate(timeout=patience_s) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(processes, told, strict=True)]
