"""Reading the small files and tools that Linux keeps its hardware facts in. Absence is normal."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path("/")


def read_text(path: str, *, root: Path = ROOT) -> str:
    """Return a file's text without surrounding blanks and NUL bytes; empty where unreadable."""
    try:
        return (root / path.lstrip("/")).read_text("utf-8", errors="replace").strip(" \t\r\n\0")
    except OSError:
        return ""


def read_int(path: str, *, root: Path = ROOT) -> int | None:
    """Return the integer in a file; ``None`` where there is none."""
    text = read_text(path, root=root)
    return int(text) if text.lstrip("-").isdigit() else None


def paths(pattern: str, *, root: Path = ROOT) -> list[str]:
    """Return the paths below ``root`` that match a glob pattern, sorted, each from ``/``."""
    try:
        found = sorted(root.glob(pattern.lstrip("/")))
    except OSError:
        return []
    return ["/" + str(path.relative_to(root)) for path in found]


def output_of(command: Sequence[str], *, timeout_s: float = 2.0) -> str:
    """Return what a tool prints; empty where it is absent, fails or hangs."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
