"""A device behind a stand-in for ssh, with a runtime whose artifacts say what happens when they run.

Everything between is real: the host's client, the agent in its zip, supervisor and worker processes,
lock, store. An artifact is JSON: ``{"ms": 0.1}`` takes so long, ``{"crash": 11}`` dies of that signal,
``{"crash_at": 30}`` does so at its thirtieth run, ``{"hang": true}`` never returns, ``{"refuse": …}``
does not open.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgewright.devices.profile import DeviceProfile
from edgewright.remote.client import Client
from edgewright.remote.runner import RemoteRunner

FAKE_SSH = Path(__file__).with_name("fake_ssh.py")
INTERPRETER = """
import json, os, signal, time
import numpy as np


class Interpreter:
    def __init__(self, model_content, num_threads):
        self.model = json.loads(model_content)
        if "refuse" in self.model:
            raise ValueError(self.model["refuse"])
        self.runs = 0

    def allocate_tensors(self):
        print("INFO: a runtime that talks on stdout")

    def get_signature_list(self):
        return {}

    def get_input_details(self):
        return [{"name": "x", "index": 0, "shape": [1, 2, 2, 3], "dtype": np.float32}]

    def get_output_details(self):
        return [{"name": "y", "index": 1, "shape": [1, 4], "dtype": np.float32}]

    def set_tensor(self, index, array):
        self.x = array

    def get_tensor(self, index):
        return np.full((1, 4), self.x.sum(), np.float32)

    def invoke(self):
        self.runs += 1
        if "crash" in self.model or self.runs == self.model.get("crash_at"):
            os.kill(os.getpid(), self.model.get("crash", signal.SIGSEGV))
        while self.model.get("hang"):
            time.sleep(1)
        # Of the processor: where others take it away, that is what a measurement counts.
        end = time.thread_time() + self.model.get("ms", 0.05) / 1e3
        while time.thread_time() < end:
            pass
"""


@dataclass
class SshDevice:
    """A folder that plays a device.

    Attributes:
        folder: holds ``home`` and what steers the stand-in for ssh.
        profile: reaches it.
    """

    folder: Path
    profile: DeviceProfile

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "edgewright"

    def connections(self) -> list[int]:
        """Return the process of every connection so far."""
        return [int(line.split()[0]) for line in (self.folder / "log").read_text().splitlines()]

    def client(self, **options: object) -> Client:
        assert self.profile.ssh is not None
        return Client(self.profile.ssh, name=self.profile.name, python=self.profile.python, **options)

    def runner(self, *, hung_s: float = 60.0, **options: object) -> RemoteRunner:
        return RemoteRunner(self.client(hung_s=hung_s), "litert", **options)

    def artifact(self, name: str, **content: object) -> Path:
        path = self.folder / f"{name}.tflite"
        path.write_text(json.dumps({"name": name, **content}))
        return path


class JsonExporter:
    """Writes artifacts of the stand-in runtime: a convolution of so many weights takes so long."""

    suffix = ".tflite"
    precisions = ("fp32",)

    def __init__(self, **special: dict[str, object]) -> None:
        self.special, self.built = special, 0
        self.before: dict[int, Callable[[], object]] = {}  # what happens before an artifact is built

    def export(self, module, in_shape, path, **options) -> None:
        self.built += 1
        self.before.get(self.built, int)()
        n = sum(parameter.numel() for parameter in module.parameters())
        content = {"built": self.built, "ms": 0.05 + n * 1e-5, **self.special.get(f"at_{self.built}", {})}
        path.write_text(json.dumps(content))


def make_device(folder: Path, *, runtime: bool = True, **changes: object) -> SshDevice:
    """Return a device in ``folder``; with ``runtime``, the stand-in runtime is installed on it."""
    (folder / "home").mkdir(parents=True)
    values = {
        "schema": 1,
        "name": folder.name,
        "kind": "cpu",
        "runtime": "litert",
        "precisions": ["fp32"],
        "threads": 1,
        "reach": f"ssh://somebody@{folder.name}",
        "python": sys.executable,
        "description": "a device of a test",
        **changes,
    }
    path = folder / f"{values['name']}.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    if runtime:
        share = folder / "home" / ".local" / "share" / "edgewright"
        write_runtime(share / "stand-in", "9.9")
        (share / "litert").symlink_to("stand-in")
    return SshDevice(folder, DeviceProfile.load(path))


def write_runtime(folder: Path, version: str, interpreter: str = INTERPRETER) -> None:
    """Write the stand-in runtime as an unpacked wheel."""
    for name, text in _files(version, interpreter).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def write_wheels(folder: Path, version: str, interpreter: str = INTERPRETER) -> None:
    """Write wheels of the stand-in runtime, and of a numpy that is nothing but a name."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    numpy = {"numpy_stand_in.txt": "", "numpy-9.9.dist-info/METADATA": _metadata("numpy", "9.9")}
    for name, files in ((f"ai_edge_litert-{version}", _files(version, interpreter)), ("numpy-9.9", numpy)):
        with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
            archive.writestr(f"{name}.dist-info/WHEEL", wheel)
            archive.writestr(f"{name}.dist-info/RECORD", "")


def _files(version: str, interpreter: str) -> dict[str, str]:
    return {
        "ai_edge_litert/__init__.py": "",
        "ai_edge_litert/interpreter.py": interpreter,
        f"ai_edge_litert-{version}.dist-info/METADATA": _metadata("ai-edge-litert", version),
    }


def _metadata(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
