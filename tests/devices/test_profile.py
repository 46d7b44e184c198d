from pathlib import Path

import pytest

from edgewright.backends.base import PRECISIONS
from edgewright.backends.registry import BACKENDS
from edgewright.devices import DeviceProfile, list_profiles, profile
from edgewright.errors import ProfileError

SHIPPED = (
    "generic-gpu",
    "jetson-orin-nano",
    "local-cpu-litert",
    "local-cpu-onnxruntime",
    "raspberry-pi-4",
    "raspberry-pi-5",
    "rtx-4090",
)
GOOD = """
schema = 1
name = "mine"
alias = "m"
kind = "gpu"
runtime = "tensorrt"
precisions = ["fp16"]
threads = 2
reach = "local"
compute_capability = "8.9"
description = "my GPU"
[gates]
max_temperature_c = 70
governor = "performance"
[figures.ram_bytes]
value = 8000000000
source = "its box"
"""


def write(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_profile_says_how_a_device_is_driven(tmp_path):
    found = DeviceProfile.load(write(tmp_path, GOOD))
    assert (found.name, found.alias, found.runtime, found.threads) == ("mine", "m", "tensorrt", 2)
    assert found.precisions == ("fp16",)
    assert found.gates.max_temperature_c == 70
    assert found.ram_bytes == 8_000_000_000
    assert found.is_local
    assert found.affinity == ()
    pinned = DeviceProfile.load(
        write(tmp_path, GOOD.replace("threads = 2", "threads = 2\naffinity = [4, 5]"))
    )
    assert pinned.affinity == (4, 5)
    assert pinned.to_json()["affinity"] == [4, 5]


def test_shipped_profiles_are_right_and_their_figures_have_sources():
    profiles = {found.name: found for found in list_profiles()}
    assert set(SHIPPED) <= set(profiles)
    for name in SHIPPED:
        assert all(figure.source for figure in profiles[name].figures.values())
    aliases = [found.alias for found in profiles.values() if found.alias]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(profiles)


def test_a_device_is_found_by_name_alias_and_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert DeviceProfile.find("raspberry-pi-5") == DeviceProfile.find("pi5")
    assert DeviceProfile.find("local-cpu-onnxruntime").alias == "cpu"
    path = write(tmp_path, GOOD)
    assert DeviceProfile.find(path) == DeviceProfile.find(str(path))
    assert DeviceProfile.find("./mine.toml").name == "mine"


def test_own_profiles_come_before_shipped_ones(tmp_path, monkeypatch):
    folder = tmp_path / "device_profiles"
    folder.mkdir()
    write(folder, GOOD.replace('"mine"', '"rtx-4090"'), "rtx-4090.toml")
    monkeypatch.chdir(tmp_path)
    assert DeviceProfile.find("rtx-4090").description == "my GPU"
    assert DeviceProfile.find("m").name == "rtx-4090"
    assert [found.name for found in list_profiles()].count("rtx-4090") == 1


def test_an_unknown_device_lists_the_known_ones():
    with pytest.raises(ProfileError, match=r"unknown device 'pi6'; known devices: .*raspberry-pi-5"):
        DeviceProfile.find("pi6")


def test_a_faulty_neighbour_does_not_hide_an_alias(tmp_path, monkeypatch):
    folder = tmp_path / "device_profiles"
    folder.mkdir()
    write(folder, "not toml at all [", "broken.toml")
    monkeypatch.chdir(tmp_path)
    assert DeviceProfile.find("pi4").name == "raspberry-pi-4"


def test_all_faults_of_a_profile_are_named_at_once(tmp_path):
    text = GOOD.replace("threads = 2", "threads = 0").replace('kind = "gpu"', 'kind = "toaster"')
    text = text.replace('reach = "local"\n', "affinity = [0, 0]\n").replace('alias = "m"', 'color = "red"')
    text = text.replace("max_temperature_c = 70", 'max_temperature_c = "hot"').replace(
        'source = "its box"', 'source = ""'
    )
    with pytest.raises(ProfileError) as caught:
        DeviceProfile.load(write(tmp_path, text))
    for fault in (
        "unknown key 'color'",
        "missing key 'reach'",
        "affinity must be",
        "threads must be",
        "kind must be one of cpu, gpu",
        "gates.max_temperature_c",
        "figures.ram_bytes.source",
    ):
        assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("schema = 1", "schema = 2", "schema must be 1"),
        ("schema = 1", "schema = true", "schema must be 1"),
        ('name = "mine"', 'name = "yours"', "they must agree"),
        ('name = "mine"', 'name = "My Device"', "name must be"),
        ('precisions = ["fp16"]', 'precisions = ["fp8"]', "precisions must be"),
        ('precisions = ["fp16"]', "precisions = []", "precisions must be"),
        ('precisions = ["fp16"]', 'precisions = [["fp16"]]', "precisions must be"),
        ('precisions = ["fp16"]', 'precisions = "fp16"', "precisions must be"),
        ('runtime = "tensorrt"', 'runtime = "caffe"', "runtime must be one of"),
        ('runtime = "tensorrt"', "runtime = [1]", "runtime must be one of"),
        ("threads = 2", "threads = 2.5", "threads must be"),
        ("threads = 2", "threads = true", "threads must be"),
        ('compute_capability = "8.9"', 'compute_capability = "sm89"', "compute_capability"),
        ('compute_capability = "8.9"', "compute_capability = 8.9", "compute_capability"),
        ("threads = 2", "threads = 2\naffinity = 0", "affinity must be a list of processor numbers"),
        ("threads = 2", "threads = 2\naffinity = []", "affinity must be a list of processor numbers"),
        ("threads = 2", "threads = 2\naffinity = [0, -1]", "affinity must be .* got .0, -1."),
        ("threads = 2", "threads = 2\naffinity = [0, 4096]", "0 to 4095, each once"),
        ("threads = 2", "threads = 2\naffinity = [1, 1]", "each once, got .1, 1."),
        ("threads = 2", "threads = 2\naffinity = [true, 1]", "affinity must be"),
        ("threads = 2", 'threads = 2\naffinity = ["0", 1]', "affinity must be"),
        ("threads = 2", "threads = 2\naffinity = [[0], 1]", "affinity must be"),
        ("threads = 2", "threads = 2\naffinity = [3]", "names 1 processors for 2 threads"),
        ("[gates]", "[gates]\nhumidity = 3", "gates.humidity"),
        ("value = 8000000000", 'value = "8 GB"', "figures.ram_bytes.value"),
        ("value = 8000000000", "values = 1", "exactly the keys value and source"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(tmp_path, old, new, fault):
    assert old in GOOD
    with pytest.raises(ProfileError, match=fault):
        DeviceProfile.load(write(tmp_path, GOOD.replace(old, new)))


def test_files_that_are_no_profile_are_one_line(tmp_path):
    with pytest.raises(ProfileError, match="does not exist"):
        DeviceProfile.load(tmp_path / "none.toml")
    with pytest.raises(ProfileError, match=r"not TOML.*edgewright device show"):
        DeviceProfile.load(write(tmp_path, "= ="))
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="cannot be read"):
        DeviceProfile.load(tmp_path / "b.toml")
    with pytest.raises(ProfileError, match="cannot be read"):
        DeviceProfile.load(Path(tmp_path))


def test_runtimes_and_precisions_are_those_of_the_backends():
    assert set(profile.RUNTIMES) == set(BACKENDS)
    assert profile.PRECISIONS == PRECISIONS
