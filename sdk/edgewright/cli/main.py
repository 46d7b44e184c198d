"""Entry point: the tree of commands, and how an error becomes a line and an exit status.

Exit statuses: 0 ok, 2 usage or bad input, 3 a budget or quality gate failed, 4 device
unavailable, 5 verification failed, 130 interrupted with state saved.
"""

from __future__ import annotations

import _thread
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType

import typer

from edgewright import __version__
from edgewright.cli import (
    bench,
    compile,
    demo,
    device,
    doctor,
    front,
    guard,
    profile,
    report,
    search,
    table,
    train,
    verify,
)
from edgewright.cli.console import ToldError
from edgewright.errors import RuntimeFailureError, SDKError

_INTERRUPTED = 130
_STOPPED = "interrupted; what was finished is saved, the same command goes on from there"
_SAME_S = 0.5  # two interrupts within it are one

app = typer.Typer(
    name="edgewright",
    help="Profile devices, search a supernet under measured latency budgets, compile and verify.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("doctor")(doctor.doctor)
app.add_typer(device.app, name="device")
app.command("profile")(profile.profile)
app.add_typer(table.app, name="table")
app.command("train")(train.train)
app.command("search")(search.search)
app.add_typer(front.app, name="front")
app.command("compile")(compile.compile)
app.command("bench")(bench.bench)
app.command("verify")(verify.verify)
app.command("report")(report.report)
app.command("demo")(demo.demo)


# typer carries its own copy of click since 0.26, and re-exports only some of its exceptions: what
# `typer.BadParameter` descends from is the base of all of them, whichever click it is.
_CommandLineError: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"edgewright {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
    ),
) -> None:
    pass


class _Interrupt:
    """What Ctrl-C and SIGTERM do: interrupt, once where one Ctrl-C comes by two ways.

    A terminal sends it to all processes of a command, and a guarding parent passes on what it hears.
    """

    def __init__(self) -> None:
        self._heard = -math.inf

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._heard > _SAME_S:
            self._heard = now
            raise KeyboardInterrupt

    def again(self) -> None:
        """Interrupt once more, whenever the last one was."""
        self._heard = -math.inf
        _thread.interrupt_main()


def run(arguments: Sequence[str], reached: guard.Reached | None = None) -> int:
    """Run one command and return its exit status; errors become one line on stderr.

    Args:
        arguments: of the command line.
        reached: told how far a long command is.
    """
    as_json = "--json" in arguments
    try:
        status = app(args=list(arguments), prog_name="edgewright", standalone_mode=False, obj=reached)
        sys.stdout.flush()  # here, where a full disk or a reader that left is still answered
        if status == _INTERRUPTED:  # typer swallows KeyboardInterrupt since 0.16
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except SystemExit:  # typer's answer to a broken pipe, and to nothing else when not standalone
        return _reader_left()
    except ToldError as told:
        return _fail(str(told), told.error.exit_code, as_json=False)
    except SDKError as error:
        return _fail(str(error), error.exit_code, as_json)
    except _CommandLineError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # no command was given: its text is the help
            print(_message(error), file=sys.stderr)
            return 2
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "edgewright"
        return _fail(f"{_message(error)}{_given(error, arguments)} (see: {command} --help)", 2, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(_STOPPED, _INTERRUPTED, as_json)
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:
        # A full disk or a vanished folder met outside the seams that name the mend themselves.
        return _fail(
            f"{error}; check the path and the free space, then run the same command again", 2, as_json
        )


def _reader_left() -> int:
    """Return the status of a command whose reader, such as `head`, has seen enough."""
    _discard_output()
    return 0


def _discard_output() -> None:
    """Lead stdout to nowhere: what is left in its buffer would fail again when the interpreter closes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.__stdout__.fileno() if sys.__stdout__ else 1)
    os.close(nowhere)


def _message(error: Exception) -> str:
    return str(error.format_message()) if hasattr(error, "format_message") else str(error)


def _given(error: Exception, arguments: Sequence[str]) -> str:
    """Return what was given for the option that an error is about, which typer leaves out."""
    told = _message(error)
    for option in getattr(getattr(error, "param", None), "opts", ()):
        for i, argument in enumerate(arguments):
            name, _, value = argument.partition("=")
            if name == option and told.startswith("Invalid value"):
                value = value if name != argument else "".join(arguments[i + 1 : i + 2])
                return "" if repr(value) in told else f", got {value!r}"
    return ""


def _fail(message: str, status: int, as_json: bool) -> int:
    line = " ".join(message.split())
    print(f"edgewright: {line}", file=sys.stderr)
    if as_json:
        try:
            print(json.dumps({"error": line, "exit_code": status}), flush=True)
        except OSError:  # stdout is what failed
            _discard_output()
    return status


def main() -> None:
    """Run the command line; SIGTERM is treated as Ctrl-C, so that state is saved."""
    interrupt = _Interrupt()

    def not_lost(unraisable: sys.UnraisableHookArgs) -> None:
        """Interrupt again where Ctrl-C fell into a finaliser, which Python would only report."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # Not from here, where it would be swallowed again.
            threading.Timer(0.01, interrupt.again).start()
        else:
            sys.__unraisablehook__(unraisable)

    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # whoever ignores it goes on doing so
        signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = not_lost
    arguments = sys.argv[1:]
    if not guard.is_guarded(arguments):
        sys.exit(run(arguments))
    try:
        status = guard.run_guarded(lambda reached: run(arguments, reached))
    except RuntimeFailureError as error:
        status = _fail(str(error), error.exit_code, "--json" in arguments)
    except KeyboardInterrupt:
        status = _fail(_STOPPED, _INTERRUPTED, "--json" in arguments)
    sys.exit(status)


if __name__ == "__main__":
    main()
