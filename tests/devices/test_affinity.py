import os
import subprocess
import sys

import pytest

from edgewright.devices import affinity
from edgewright.devices.affinity import MAX_CPU, pinned
from edgewright.errors import DeviceUnavailableError

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins")
WHICH = "import os; print(sorted(os.sched_getaffinity(0)))"


def one_of_mine():
    return min(os.sched_getaffinity(0))


@linux
def test_a_thread_and_what_it_starts_are_pinned_and_free_again():
    before, cpu = os.sched_getaffinity(0), one_of_mine()
    with pinned([cpu]):
        assert os.sched_getaffinity(0) == {cpu}
        child = subprocess.run([sys.executable, "-c", WHICH], capture_output=True, text=True, check=True)
        assert child.stdout.split() == [f"[{cpu}]"]
    assert os.sched_getaffinity(0) == before


@linux
def test_it_is_free_again_after_an_error():
    before = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError), pinned([one_of_mine()]):
        raise ZeroDivisionError
    assert os.sched_getaffinity(0) == before


def test_nothing_is_done_where_nothing_is_asked(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with pinned(()):
        pass


@linux
@pytest.mark.parametrize("cpus", [[MAX_CPU], [0, MAX_CPU], [MAX_CPU + 10_000], [2**70]])
def test_a_processor_that_is_not_here_is_named_with_those_that_are(cpus):
    before = os.sched_getaffinity(0)
    here = ", ".join(map(str, sorted(before)))
    with pytest.raises(DeviceUnavailableError, match=f"{cpus[-1]}, .*use {here} alone"), pinned(cpus):
        pass
    assert os.sched_getaffinity(0) == before


def test_a_system_that_cannot_pin_says_so(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    monkeypatch.setattr(affinity.platform, "system", lambda: "Darwin")
    said = r"processors 0, and Darwin cannot do that.*take it out"
    with pytest.raises(DeviceUnavailableError, match=said), pinned([0]):
        pass
