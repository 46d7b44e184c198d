"""Evaluators that workers can import, and that do whatever an evaluator may do."""

import os
import signal
import sys
import time
from pathlib import Path

from doubles.search_problems import SyntheticProblem

from edgewright.errors import DataError
from edgewright.search import Failure

SPACE = "mobilenetv3-small-image@16+24+32+40"
HERE = "doubles.evaluators"


def formula(spec=SPACE, seconds=0.0):
    """The error of a made-up supernet, after a while that differs from network to network."""
    problem = SyntheticProblem(spec)

    def evaluate(x):
        time.sleep(seconds * (1 + int(x.sum()) % 3))
        if int(x.sum()) % 9 == 0:
            return Failure("diverged")
        return float(problem.error(x[None])[0])

    return evaluate


def troubled(notes):
    """``x[0]`` says what happens; ``notes`` is a folder in which is noted who began what."""
    notes = Path(notes)

    def evaluate(x):
        code = int(x[0])
        with (notes / "begun").open("a") as stream:
            stream.write(f"{code} {os.getpid()}\n")
        first = not (notes / f"{code}").exists()
        (notes / f"{code}").touch()
        match code:
            case 1:
                raise ValueError("no such layer\nand a second line")
            case 2:
                return float("nan")
            case 3:
                time.sleep(3600)
            case 4:
                print("out of", "luck", file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            case 5 if first:
                os._exit(7)
            case 6:
                raise DataError("the validation images are gone; put them back")
            case 7:
                print("noise that is no reply")
                os.system("echo more noise")
            case 8:
                sys.stdin.read()
        return code / 100

    return evaluate


def crowded(notes):
    """Networks 5 and 6 take their first worker with them; noted is who began, and how many others worked."""
    notes = Path(notes)

    def evaluate(x):
        code = int(x[0])
        others = len(list(notes.glob("works-*")))
        mine = notes / f"works-{os.getpid()}"
        mine.touch()
        with (notes / "begun").open("a") as stream:
            stream.write(f"{code} {others}\n")
        first = not (notes / f"{code}").exists()
        (notes / f"{code}").touch()
        time.sleep(0.2)
        mine.unlink()
        if code in (5, 6) and first:
            os._exit(7)
        return code / 100

    return evaluate


def keeps_python_busy(notes):
    """An evaluator that lets no other thread of its process run for long."""

    def evaluate(x):
        (Path(notes) / str(os.getpid())).touch()
        sys.setswitchinterval(1e6)
        while True:
            pass

    return evaluate


def reads(path):
    """An evaluator whose error stands in a file."""
    error = float(Path(path).read_text())
    return lambda x: error


def cannot_load():
    raise DataError("the images of this evaluator are gone; put them back")


def dies_while_it_loads():
    print("cannot allocate memory", file=sys.stderr, flush=True)
    os._exit(1)


def hangs_once(notes):
    """Hangs on network 3; notes whom it was asked for."""

    def evaluate(x):
        with (Path(notes) / "asked").open("a") as stream:
            stream.write(f"{int(x[0])}\n")
        if int(x[0]) == 3:
            time.sleep(3600)
        return 1.0 / (1 + int(x[0]))

    return evaluate


def refuses(how):
    """A factory that makes nothing, and not because of memory."""
    if how == "raises":
        raise ValueError("weights.bin has 3 tensors\nand a second line")
    if how == "memory":
        raise MemoryError
    return None
