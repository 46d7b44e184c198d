import hashlib
import io
import subprocess
import sys
import zipfile

import pytest
from project.test_device_side_imports import BLOCK, FORBIDDEN, python310

from edgewright.remote.archive import agent_archive


def test_the_same_sources_give_the_same_bytes():
    first = agent_archive()
    agent_archive.cache_clear()
    assert agent_archive() == first
    assert first.digest == hashlib.sha256(first.data).hexdigest()


def test_it_holds_nothing_that_needs_torch():
    with zipfile.ZipFile(io.BytesIO(agent_archive().data)) as archive:
        names = archive.namelist()
        assert not [name for name in names if "exporter" in name or "supernet" in name]
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert len(agent_archive().data) < 1 << 20


@pytest.mark.parametrize("python", [sys.executable, python310()], ids=["this Python", "Python 3.10"])
def test_all_of_it_imports_from_the_zip_with_numpy_alone(tmp_path, python):
    if python is None:
        pytest.skip("no Python 3.10 with numpy; name one in EDGEWRIGHT_PYTHON310")
    path = tmp_path / "agent.pyz"
    path.write_bytes(agent_archive().data)
    with zipfile.ZipFile(path) as archive:
        modules = [
            name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for name in archive.namelist()
            if name != "__main__.py"
        ]
    code = "import sys; sys.path.insert(0, sys.argv[1])\n" + BLOCK.format(
        forbidden=FORBIDDEN, modules=modules
    )
    done = subprocess.run(
        [python, "-W", "error", "-c", code, str(path)],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
