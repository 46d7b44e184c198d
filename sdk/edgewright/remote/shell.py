"""The lines that ``ssh`` has the device's shell run; plain sh, without a quote that needs escaping."""

from __future__ import annotations

ABSENT = 43  # exit status: the agent is not on the device
NOT_STORED = 44  # exit status: the agent could not be written there

_FOLDER = '"$HOME/.cache/edgewright/agent"'


def start_agent(digest: str, python: str) -> str:
    """Return the line that becomes the agent; ends with :data:`ABSENT` where it is not there."""
    return _sh(f'f={_FOLDER}/{digest}.pyz; test -f "$f" || exit {ABSENT}; exec {python} -u "$f"')


def store_agent(digest: str, size: int) -> str:
    """Return the line that stores stdin as the agent, whole or not at all."""
    return _sh(
        f'd={_FOLDER}; mkdir -p "$d" && t=$(mktemp "$d/.XXXXXX") || exit {NOT_STORED}; '
        f'cat >"$t" && test "$(wc -c <"$t")" -eq {size} && mv "$t" "$d/{digest}.pyz" '
        f'|| {{ rm -f "$t"; exit {NOT_STORED}; }}'
    )


def _sh(script: str) -> str:
    # The user's login shell may be of any kind; all of them know single quotes.
    assert "'" not in script
    return f"sh -c '{script}'"
