import pytest
from doubles.ssh_device import INTERPRETER, write_wheels

from edgewright.errors import DeviceUnavailableError, RuntimeFailureError, UsageError
from edgewright.remote.client import Hello
from edgewright.remote.prepare import prepare, wheel_platforms

PI = Hello((3, 11, 2), "cpython", "aarch64", 64, "Linux", ("glibc", "2.36"), "/home/pi", 0.0, {})


@pytest.fixture
def bare(device_at):
    return device_at(runtime=False)


def installed(device):
    folder = device.home / ".local" / "share" / "edgewright"
    return sorted(path.name for path in folder.iterdir()), (folder / "litert").readlink().name


def test_a_runtime_is_installed_tried_and_put_to_use(bare):
    write_wheels(bare.folder / "wheels", "9.8")
    notes = []
    with bare.client() as client:
        done = prepare(client, "litert", version="9.8", wheels=bare.folder / "wheels", note=notes.append)
    assert done.version == "ai-edge-litert 9.8"
    assert len(done.wheels) == 2
    names, used = installed(bare)
    assert names == [used, "litert"]
    assert used.startswith("ai-edge-litert-9.8-")
    assert not list((bare.cache / "models").iterdir())
    assert notes[0] == "fetching ai-edge-litert==9.8"


def test_preparing_again_sends_nothing_and_another_version_replaces_the_first(bare):
    for version in ("9.8", "9.9"):
        write_wheels(bare.folder / "wheels", version)
    sent = []
    for version in ("9.8", "9.8", "9.9"):
        with bare.client() as client:
            done = prepare(client, "litert", version=version, wheels=bare.folder / "wheels")
            assert done.version == f"ai-edge-litert {version}"
            sent.append(len(done.wheels))
    assert sent == [2, 0, 2]
    names, used = installed(bare)
    assert names == [used, "litert"]
    assert used.startswith("ai-edge-litert-9.9-")


def test_a_runtime_that_does_not_load_leaves_the_old_one_in_use(bare):
    write_wheels(bare.folder / "wheels", "9.8")
    broken = INTERPRETER + "\nraise ImportError('built for another planet')\n"
    write_wheels(bare.folder / "wheels", "9.9", broken)
    with bare.client() as client:
        prepare(client, "litert", version="9.8", wheels=bare.folder / "wheels")
        before = installed(bare)
        with pytest.raises(RuntimeFailureError, match=r"built for another planet.*is kept"):
            prepare(client, "litert", version="9.9", wheels=bare.folder / "wheels")
    assert installed(bare) == before


def test_a_version_that_does_not_exist_is_refused_with_pips_reason(bare):
    write_wheels(bare.folder / "wheels", "9.8")
    with bare.client() as client, pytest.raises(UsageError, match=r"ai-edge-litert==1\.0.*--runtime-version"):
        prepare(client, "litert", version="1.0", wheels=bare.folder / "wheels")


def test_a_pip_that_takes_too_long_is_given_up_with_what_else_there_is(bare, monkeypatch):
    write_wheels(bare.folder / "wheels", "9.8")
    monkeypatch.setattr("edgewright.remote.prepare._DOWNLOAD_S", 0.001)
    said = r"cannot fetch ai-edge-litert==9\.8.*pip download ai-edge-litert==9\.8.*--wheels"
    with bare.client() as client, pytest.raises(UsageError, match=said):
        prepare(client, "litert", version="9.8", wheels=bare.folder / "wheels")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"runtime": "tensorrt"}, "JetPack"),
        ({"runtime": "litert", "package": "torch"}, "ai-edge-litert, tflite-runtime"),
        ({"runtime": "litert", "version": "2.3; rm -r"}, "is no version"),
    ],
)
def test_what_cannot_be_installed(bare, arguments, said):
    with bare.client() as client, pytest.raises(UsageError, match=said):
        prepare(client, **arguments)


def test_wheels_fit_the_machine_and_its_c_library():
    tags = wheel_platforms(PI)
    assert tags[0] == "manylinux_2_36_aarch64"
    assert tags[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]
    assert wheel_platforms(PI._replace(bits=32))[-1] == "linux_armv7l"
    assert wheel_platforms(PI._replace(libc=("", "")))[-1] == "musllinux_1_1_aarch64"
    with pytest.raises(DeviceUnavailableError, match="by hand"):
        wheel_platforms(PI._replace(system="Darwin"))
