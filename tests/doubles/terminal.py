"""A terminal for tests: what a real process draws on it, as a reader would see it."""

import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

from doubles.command import SDK, Outcome

_TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n\x07\x08])|([^\x1b\r\n\x07\x08]+)")
_UNFINISHED = re.compile(r"\x1b(\[[?\d;]*)?$")
_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")


class Screen:
    """Reads the few control sequences that rich writes; anything else fails the test."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [""]
        self.row = self.column = 0
        self.cursor_shown = True
        self.wrapped = []
        self.highest = 0
        self.coloured = False

    def feed(self, text):
        self.coloured |= _COLOUR.search(text) is not None
        end = 0
        for found in _TOKEN.finditer(text):
            assert found.start() == end, f"unknown control sequence in {text[end : end + 20]!r}"
            end = found.end()
            arguments, command, control, printed = found.groups()
            if command:
                self._command(arguments, command)
            elif control == "\n":
                self.row += 1
                self.highest = max(self.highest, self.row)
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif control == "\r":
                self.column = 0
            elif printed:
                self._print(printed)
        assert end == len(text), f"unknown control sequence in {text[end : end + 20]!r}"

    def _command(self, arguments, command):
        if command == "A":
            self.row -= int(arguments or 1)
            assert self.row >= 0, "the cursor left the top"
        elif command == "K":
            assert arguments == "2"
            self.lines[self.row] = ""
        elif arguments == "?25":
            self.cursor_shown = command == "h"
        else:
            assert command == "m", f"unknown control sequence {arguments}{command}"

    def _print(self, text):
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + text + line[self.column + len(text) :]
        self.column += len(text)
        if self.column > self.columns:
            self.wrapped.append(self.lines[self.row])

    @property
    def text(self):
        """The lines from the first to the last that is not empty."""
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


class OnTerminal:
    """A command whose stderr, and keyboard, is a terminal of its own; stdout is a pipe."""

    def __init__(self, *arguments, columns=80, rows=24, **environment):
        self.screen = Screen(columns, rows)
        self.frames = []
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

        def take_the_terminal():
            os.setsid()
            # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgewright.cli.main", *map(str, arguments)],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            env=inherited
            | {"PYTHONPATH": SDK, "OMP_NUM_THREADS": "1", "TERM": "xterm-256color", "LANG": "C.UTF-8"}
            | environment,
            preexec_fn=take_the_terminal,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        decoder, pending = codecs.getincrementaldecoder("utf-8")(), ""
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            if not piece:
                return
            pending += decoder.decode(piece)
            # What is read may end within a control sequence; the rest of it comes next.
            cut = _UNFINISHED.search(pending)
            text = pending[: cut.start()] if cut else pending
            pending = pending[len(text) :]
            self.screen.feed(text)
            self.frames.append(self.screen.text)

    def wait_for(self, text, *, patience_s=120.0):
        """Wait until ``text`` is on the screen."""
        # Counted in looks, not by the clock: this process may itself be stopped for a while.
        for _ in range(round(patience_s / 0.01)):
            if text in self.screen.text:
                return
            assert self.process.poll() is None, f"it ended early: {self.screen.text}"
            time.sleep(0.01)
        raise AssertionError(f"{text!r} never came: {self.screen.text}")

    def press(self, keys):
        """Type on the terminal's keyboard; ``"\\x03"`` is Ctrl-C."""
        os.write(self._master, keys.encode())

    def finish(self):
        """Wait for the command; return its output and what is left on the screen."""
        out, _ = self.process.communicate(timeout=240)
        self._reader.join(10)
        os.close(self._master)
        return Outcome(self.process.returncode, out, self.screen.text)
