"""The wheel as pip would install it: built, unpacked, and used from there."""

import os
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FIND_PROFILES = """
import edgewright
from edgewright.devices.profile import DeviceProfile, list_profiles, profile_folders

print(edgewright.__file__)
print(*(folder for folder in profile_folders()))
print(*(profile.name for profile in list_profiles()))
print(DeviceProfile.find("cpu").path)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder of packages that holds the wheel's content and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def content(folder):
    """Return what a folder of the repository holds, by path, but for what Python leaves in it."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("sdk/edgewright", "."),
        ("device_profiles", "device_profiles"),
        ("latency_tables", "latency_tables"),
    ],
)
def test_the_wheel_carries_the_package_its_profiles_and_its_tables(site, source, place):
    expected, found = content(ROOT / source), content(site / "edgewright" / place)
    assert expected
    assert {name: found.get(name) for name in expected} == expected


def test_the_wheel_carries_nothing_else(site):
    (described,) = site.glob("edgewright-*.dist-info")
    assert {path.name for path in site.iterdir()} == {"edgewright", described.name}
    carried = {path.name for path in (site / "edgewright").iterdir()}
    kept = {path.name for path in (ROOT / "sdk" / "edgewright").iterdir()} - {"__pycache__"}
    assert carried - kept == {"device_profiles", "latency_tables"}


def test_the_wheel_says_its_licence_and_carries_its_text(site):
    (described,) = site.glob("edgewright-*.dist-info")
    said = message_from_string((described / "METADATA").read_text("utf-8"))
    assert said["License-Expression"] == PROJECT["license"] == "Apache-2.0"
    assert said.get_all("License-File") == ["LICENSE"]
    text = (described / "licenses" / "LICENSE").read_text("utf-8")
    assert text == (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License\n" in text
    assert "Version 2.0, January 2004\n" in text


def test_the_wheel_has_the_command_and_every_extra(site):
    (described,) = site.glob("edgewright-*.dist-info")
    assert "edgewright = edgewright.cli.main:main" in (described / "entry_points.txt").read_text("utf-8")
    said = message_from_string((described / "METADATA").read_text("utf-8"))
    assert set(said.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])


def test_an_installed_wheel_finds_its_profiles_wherever_it_is_used(site, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", FIND_PROFILES],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    module, folders, names, cpu = ran.stdout.splitlines()
    package = site / "edgewright"
    assert Path(module) == package / "__init__.py"
    assert folders == str(package / "device_profiles")
    assert set(names.split()) == {path.stem for path in (ROOT / "device_profiles").glob("*.toml")}
    assert Path(cpu) == package / "device_profiles" / "local-cpu-onnxruntime.toml"
