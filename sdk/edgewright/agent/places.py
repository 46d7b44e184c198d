"""Where the agent keeps things on a device."""

from __future__ import annotations

from pathlib import Path


def cache() -> Path:
    """Return the folder of what can be fetched again: the agent itself, artifacts, the lock."""
    return Path.home() / ".cache" / "edgewright"


def models() -> Path:
    """Return the folder of artifacts, each named by its digest."""
    return cache() / "models"


def runtimes() -> Path:
    """Return the folder of installed runtimes; ``<name>`` there links to the one in use."""
    return Path.home() / ".local" / "share" / "edgewright"
