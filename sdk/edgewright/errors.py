"""Every error that edgewright raises on purpose.

::

    SDKError                          exit 2 unless said otherwise
    ├── UsageError (ValueError)
    │   ├── SpaceError                a search space that is unknown or cannot be built
    │   ├── ArchitectureError         an architecture or encoding outside its space
    │   ├── ProfileError              a device profile
    │   ├── DataError                 a folder of images
    │   ├── TableError                a latency table: truncated, edited, of another space …
    │   │   ├── MissingEntryError     operators were never measured (KeyError too)
    │   │   ├── ForeignTableError     measured on another machine
    │   │   └── InaccurateTableError  its own error on networks is too large
    │   ├── BudgetError               a budget that cannot be read
    │   ├── RunError                  a run folder: absent, half made, of another space …
    │   ├── PrecisionError            a precision that a backend or device does not have
    │   └── OutputExistsError         the output is there already (FileExistsError too)
    ├── MissingExtraError (ImportError)   an optional package is not installed
    ├── StorageError (OSError)        disk full, no permission
    ├── ExportError                   a model that a backend cannot express
    ├── RuntimeFailureError           a vendor's runtime refused or crashed
    ├── GateError                     exit 3: a budget or quality gate failed
    │   ├── InfeasibleBudgetError     no network of the space fits; the nearest feasible value is named
    │   └── BudgetViolationError      a compiled network measured above its budget
    ├── DeviceUnavailableError        exit 4
    │   ├── DeviceBusyError           another host measures on the device
    │   ├── LinkLostError             the connection to a device broke, or its agent ended
    │   └── ProcessLostError          another process of the same training ended or cannot be reached
    ├── ProcessFailedError            another process of the same training failed; its exit status
    ├── VerificationError             exit 5
    │   └── ParityError               a converted model disagrees with torch
    └── InterruptedRunError           exit 130: state is saved, the same command goes on
"""

from __future__ import annotations

from collections.abc import Sequence


class SDKError(Exception):
    """Base of every error raised on purpose; its text is one line that says how to mend it."""

    exit_code: int = 2


class UsageError(SDKError, ValueError):
    """The input is wrong."""


class SpaceError(UsageError):
    """A search space is unknown or cannot be built."""


class ArchitectureError(UsageError):
    """An architecture or an encoding lies outside its space."""


class ProfileError(UsageError):
    """A device profile is missing, unreadable or has wrong keys."""


class DataError(UsageError):
    """A folder of images cannot be trained on."""


class TableError(UsageError):
    """A latency table is unreadable, edited, or does not fit what it is used for."""


class MissingEntryError(TableError, KeyError):
    """A latency table lacks operators; ``missing`` names all of them."""

    def __init__(self, message: str, missing: Sequence[str]) -> None:
        super().__init__(message)
        self.missing = tuple(missing)

    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0])


class ForeignTableError(TableError):
    """A latency table was measured on another machine, runtime or with other settings."""


class InaccurateTableError(TableError):
    """A latency table states an error too large for a budget to mean anything."""


class BudgetError(UsageError):
    """A budget cannot be read, or names what is not an objective."""


class RunError(UsageError):
    """A run folder is absent, half made or belongs to other inputs."""


class PrecisionError(UsageError):
    """A precision that the backend or the device does not offer."""


class OutputExistsError(UsageError, FileExistsError):
    """The output exists and holds something else; nothing was touched."""


class MissingExtraError(SDKError, ImportError):
    """An optional package is absent; the message names the extra that brings it."""


class StorageError(SDKError, OSError):
    """The disk is full, or a path may not be written. What was there before is intact."""


class ExportError(SDKError):
    """A backend cannot express a model; the message names the first unsupported operator."""


class RuntimeFailureError(SDKError):
    """A vendor's runtime refused an artifact or failed while running it."""


class GateError(SDKError):
    """A budget or a quality gate failed."""

    exit_code = 3


class InfeasibleBudgetError(GateError):
    """No network of the space meets the budget."""


class BudgetViolationError(GateError):
    """A compiled network measured above its budget."""


class DeviceUnavailableError(SDKError):
    """The device, or the hardware that a step needs, cannot be reached."""

    exit_code = 4


class DeviceBusyError(DeviceUnavailableError):
    """Another host holds the device; the message says who and for how long."""


class LinkLostError(DeviceUnavailableError):
    """The connection to a device could not be made or broke; making it again may help."""


class ProcessLostError(DeviceUnavailableError):
    """Another process of the same training ended, or cannot be reached."""


class ProcessFailedError(SDKError):
    """Another process of the same training failed; ``exit_code`` is that of its error."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class VerificationError(SDKError):
    """What was made does not do what it should."""

    exit_code = 5


class ParityError(VerificationError):
    """A converted model disagrees with the torch module that it came from."""


class InterruptedRunError(SDKError):
    """Stopped by the user; everything finished is saved."""

    exit_code = 130
