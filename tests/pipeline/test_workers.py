import os
from types import SimpleNamespace

import psutil
import pytest

from edgewright.pipeline.workers import cpus, idle_workers, usual_workers, worker_bytes
from edgewright.spaces import find_space

SMALL, LARGE = find_space("mobilenetv3-small-image@24+32"), find_space("mobilenetv3-w1.2@224")


@pytest.fixture
def machine(monkeypatch):
    def has(n_cpus, gib):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(n_cpus)), raising=False)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=gib * 2**30))

    return has


def test_there_are_as_many_as_there_are_cpus_and_no_more_than_have_something_to_do(machine):
    machine(2, 64)
    assert usual_workers(SMALL, 4) == 2
    machine(64, 64)
    assert usual_workers(SMALL, 4) == 4
    assert usual_workers(SMALL, 16) == 16


def test_there_are_no_more_than_memory_has_room_for_and_one_at_least(machine):
    machine(64, 3)
    assert usual_workers(SMALL, 4) == 4
    assert usual_workers(LARGE, 4) == 2
    assert usual_workers(LARGE, 4, attacked=True) == 1
    machine(64, 1)
    assert usual_workers(LARGE, 4) == 1


def test_a_worker_takes_what_its_largest_layer_takes_and_torch_itself():
    # mobilenetv3-w1.2 at 224 pixels: 64 expanded channels and more at 112 x 112, 41 images at a time.
    assert worker_bytes(LARGE) > 41 * 4 * 112**2 * 64
    assert worker_bytes(SMALL) < 0.5 * 2**30
    assert worker_bytes(SMALL, attacked=True) > worker_bytes(SMALL)


def test_who_asks_for_more_workers_than_an_iteration_has_networks_is_told():
    assert idle_workers(2, 2) == ""
    assert idle_workers(0, 2) == ""
    assert idle_workers(16, 2).startswith("14 of 16 workers will have nothing to do")
    assert "evaluates 2 networks; a new search with --batch 16" in idle_workers(16, 2)
    assert "evaluates 1 network;" in idle_workers(2, 1)


def test_there_is_a_cpu(monkeypatch):
    assert cpus() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpus() == 1
