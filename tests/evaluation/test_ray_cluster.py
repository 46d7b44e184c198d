"""Evaluating on Ray. Starting one takes longer than all else that these tests do."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from contracts.crew_contract import CrewContract, by_row, gone
from contracts.crew_contract import rows as networks
from doubles.archives import rows

import edgewright
from edgewright.errors import DeviceUnavailableError, MissingExtraError, RunError, UsageError
from edgewright.evaluation import EvaluatorSpec, RayCluster, require_cluster
from edgewright.evaluation.limit import USUAL

SEARCH = Path(__file__).parents[1] / "search" / "resumable_search.py"
FORMULA = EvaluatorSpec(factory="doubles.evaluators:formula")


def paths():
    return os.pathsep.join(filter(None, sys.path))


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize("address", ["somewhere", "ray://", "ray://host", "host:port", "http://a:1", ""])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(UsageError, match=r"--cluster local, auto, HOST:6379 or ray://HOST:10001"):
        RayCluster(FORMULA, address=address)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("edgewright.evaluation.ray_cluster.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"edgewright\[cluster\]"):
        require_cluster("local")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_where_nobody_listens_is_said_at_once(scheme):
    pytest.importorskip("ray")
    start = time.monotonic()
    with (
        RayCluster(FORMULA, 1, address=f"{scheme}127.0.0.1:{free_port()}") as cluster,
        pytest.raises(DeviceUnavailableError, match=r"nobody answers.*ray start --head"),
    ):
        list(cluster(networks(1)))
    assert time.monotonic() - start < 20.0, "Ray itself would try for a minute"


@pytest.fixture(scope="module")
def started():
    """A Ray of two CPUs that the caller has started; a crew leaves it as it is."""
    ray = pytest.importorskip("ray")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = paths()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()
    os.environ["PYTHONPATH"] = before


@pytest.fixture
def crew(started):
    made = []

    def make(factory, n_workers=2, time_limit_s=None, patience=USUAL, effort=None, **arguments):
        spec = EvaluatorSpec(factory=f"doubles.evaluators:{factory}", arguments=arguments)
        made.append(RayCluster(spec, n_workers, time_limit_s=time_limit_s, patience=patience, effort=effort))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()
    assert started.is_initialized()


@pytest.mark.slow
class TestRayCluster(CrewContract):
    def test_an_actor_whose_process_is_killed_is_replaced(self, crew, tmp_path):
        cluster = crew("troubled", notes=str(tmp_path))
        found, killed = [], False
        for answer in cluster(networks(*range(20, 60))):
            found.append(answer)
            if not killed:
                for line in (tmp_path / "begun").read_text().splitlines():
                    os.kill(int(line.split()[1]), signal.SIGKILL)
                    break
                killed = True
        assert [a.outcome for a in by_row(found)] == [code / 100 for code in range(20, 60)]
        assert killed

    def test_as_many_actors_as_cpus_where_no_number_is_given(self, crew):
        cluster = crew("formula", n_workers=None)
        list(cluster(np.ones((4, 28), dtype=np.int64)))
        assert cluster.n_workers == 2

    def test_another_version_of_edgewright_is_refused(self, crew, monkeypatch):
        monkeypatch.setattr(edgewright, "__version__", "99.0")
        with pytest.raises(RunError, match=r"and 99\.0 here; .*pip install 'edgewright\[cluster\]==99\.0'"):
            list(crew("formula")(np.ones((1, 28), dtype=np.int64)))


def archive(path, *options, kill_actor=False):
    """Search as :mod:`resumable_search` does; return what it printed, and its rows."""
    command = [sys.executable, str(SEARCH), str(path), *options]
    environment = os.environ | {"PYTHONPATH": paths()}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    killed = []
    if kill_actor:
        watching = threading.Thread(target=kill_an_actor, args=(process.pid, killed))
        watching.start()
        watching.join()
        assert killed
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


def kill_an_actor(pid, killed):
    """Kill the first actor of a process that evaluates."""
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline and not killed:
        for child in psutil.Process(pid).children(recursive=True):
            try:
                if "Actor.evaluate" in " ".join(child.cmdline()):
                    child.kill()
                    killed.append(child.pid)
                    return
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.005)


@pytest.mark.slow
def test_a_search_on_ray_ends_with_the_archive_of_one_without_though_an_actor_is_killed(tmp_path):
    pytest.importorskip("ray")
    before = set(Path("/tmp").glob("edgewright-*"))
    path = tmp_path / "ray.sqlite"
    out = archive(path, "2", "local", kill_actor=True)
    archive(tmp_path / "one.sqlite")
    assert rows(path, tries=False) == rows(tmp_path / "one.sqlite", tries=False)
    assert {row[-1] for row in rows(path)} == {1, 2}, "one network was tried twice"
    lines = {line.split()[0] for line in out.splitlines()}
    assert lines == {"evaluated", "iteration"}, "Ray says nothing where results stand"
    assert set(Path("/tmp").glob("edgewright-*")) <= before, "nothing is left lying about"


@pytest.mark.slow
def test_a_local_ray_ends_with_a_search_that_is_killed(tmp_path):
    pytest.importorskip("ray")
    path = tmp_path / "ray.sqlite"
    process = subprocess.Popen(
        [sys.executable, str(SEARCH), str(path), "2", "local"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": paths()},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("evaluated")
    children = psutil.Process(process.pid).children(recursive=True)
    # Ray's agents, which idle, look for their dead head for another minute or two.
    names = {child.pid: " ".join(child.cmdline()) for child in children}
    pids = [pid for pid, name in names.items() if "Agent" not in name]
    process.kill()
    process.communicate()
    assert any("Actor" in names[pid] for pid in pids)
    assert any("raylet" in names[pid] for pid in pids)
    assert all(gone(pid) for pid in pids)


@pytest.mark.slow
def test_a_cluster_that_runs_already_is_joined_and_left_running(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "ab" * 32)  # which the head then asks for
    ports = {"gcs": free_port(), "client": free_port()}
    ray = Path(sys.executable).with_name("ray")
    environment = os.environ | {
        "PYTHONPATH": paths(),
        "RAY_USAGE_STATS_ENABLED": "0",
        # A busy machine takes longer than the 30 s that Ray gives the server of a client to start.
        "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "180",
    }
    head = subprocess.Popen(
        [
            *(ray, "start", "--head", "--block", "--num-cpus=2", "--include-dashboard=false"),
            *(f"--port={ports['gcs']}", f"--ray-client-server-port={ports['client']}"),
            "--disable-usage-stats",
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60.0
        while socket.socket().connect_ex(("127.0.0.1", ports["client"])):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        archive(tmp_path / "one.sqlite")
        for name, address in (
            ("client", f"ray://127.0.0.1:{ports['client']}"),
            ("driver", f"127.0.0.1:{ports['gcs']}"),
        ):
            out = archive(tmp_path / f"{name}.sqlite", "0", address)
            assert rows(tmp_path / f"{name}.sqlite") == rows(tmp_path / "one.sqlite")
            assert {line.split()[0] for line in out.splitlines()} == {"evaluated", "iteration"}
            assert head.poll() is None
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        head.wait(timeout=60)
