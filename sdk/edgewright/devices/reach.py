"""Where OpenSSH finds a device: ``ssh://[user@]host[:port]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A host is a name, an alias of ssh_config or an IPv6 address in brackets. Neither it nor the user may
# begin with a dash, which ssh would read as an option.
_REACH = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.-]*)@)?"
    r"(?P<host>[A-Za-z0-9_.][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\])"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class SshAddress:
    """A place that ``ssh`` can go to; what is ``None`` is left to the user's ssh_config.

    Attributes:
        host: name, alias or address.
        user: on the device.
        port: of the ssh server.
    """

    host: str
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> SshAddress | None:
        """Return the address in ``text``; ``None`` where it is none."""
        match = _REACH.fullmatch(text)
        if match is None or (match["port"] and not 0 < int(match["port"]) < 65536):
            return None
        return cls(match["host"].strip("[]"), match["user"], int(match["port"]) if match["port"] else None)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows ``ssh`` and its options."""
        return (*self.options, "--", self.destination)

    @property
    def options(self) -> tuple[str, ...]:
        """The port, as an option of ``ssh``."""
        return () if self.port is None else ("-p", str(self.port))

    @property
    def destination(self) -> str:
        """``user@host``, as ``ssh`` and ``ssh-copy-id`` take it."""
        return self.host if self.user is None else f"{self.user}@{self.host}"

    def __str__(self) -> str:
        return " ".join((*self.options, self.destination))
