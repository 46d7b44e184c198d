"""The words between a host and the agent: one JSON object a line, over the pipes of one ssh.

Format history:

* protocol 1: the agent opens with ``{"edgewright-agent": 1, …}``. The host sends
  ``{"id": n, "method": …, "params": {…}}`` and, at least every :data:`LEASE_S`, something: where it has
  nothing to ask, ``{"beat": true}``. The agent answers ``{"id": n, "result": …}`` or
  ``{"id": n, "error": {"kind": …, "message": …}}``, and sends ``{"beat": n, "note": …}`` every second
  while it works. Artifacts travel as base64 in the ``put`` requests.
* protocol 2: ``footprint`` and ``energy`` tell what an artifact takes besides time.
* protocol 3: ``affinity`` in a request pins what it measures to processors, which an older agent would not
  do and not say. Measurements come with what disturbed their samples and how the device was meanwhile.
  ``sensors`` names what ``energy`` would read.
"""

from __future__ import annotations

import json
import re
from typing import Any

PROTOCOL = 3
MAGIC = "edgewright-agent"

BEAT_S = 1.0  # between the agent's signs of life
LEASE_S = 60.0  # without a word from its host an agent gives the device up
HUNG_S = 3600.0  # that a runtime may work without telling of progress; a turn on a slow device is long
CHUNK_BYTES = 192 * 1024  # of an artifact in one line
MAX_LINE_BYTES = 64 << 20
MAX_FILE_BYTES = 2 << 30
MIN_PYTHON = (3, 10)

# Kind of an error that is no SDKError.
WORKER_DIED = "WorkerDied"
# What a note begins with while an artifact is opened; its name in the store follows.
OPENING = "opening "

DIGEST = re.compile(r"[0-9a-f]{64}")
# A file in the store: its digest and the suffix by which a runtime knows it.
STORED_NAME = re.compile(r"[0-9a-f]{64}(\.[a-z0-9]{1,10})?")

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """Return the line of a message. NaN is refused."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("utf-8") + b"\n"


def decode(line: bytes) -> Message:
    """Return the message in a line. Raises ``ValueError`` where there is none."""
    message = json.loads(line.decode("utf-8"))
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message
