from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from pathlib import Path

import pytest

from edgewright.backends.silence import silent


def test_every_way_of_printing_is_swallowed_and_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with silent() as chatter:
        print("python")
        os.write(1, b"native")
        os.write(2, b"error")
        os.system("echo child")
        warnings.warn("warned", stacklevel=1)
        logging.getLogger("vendor").error("logged")
    print("after")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("after\n", "")
    for word in ("python", "native", "error", "child"):
        assert word in chatter.text


def test_output_is_restored_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    stream = sys.stdout
    with pytest.raises(ZeroDivisionError), silent():
        print(1 / 0)
    assert sys.stdout is stream
    assert logging.root.manager.disable == logging.NOTSET
    os.write(1, b"after")
    assert capfd.readouterr().out == "after"


def test_no_descriptor_leaks() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with silent():
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_threads_restore_the_output_between_them(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        for _ in range(20):
            with silent():
                os.write(1, b"x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(1, b"after")
    assert capfd.readouterr().out == "after"
