"""The package as it ships: what imports when, what it promises, which way imports point."""

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import edgewright

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OPTIONAL = {
    *("onnxruntime", "ai_edge_litert", "ai_edge_quantizer", "litert_torch", "tflite_runtime"),
    *("tensorrt", "tensorrt_rtx", "cuda", "pynvml", "jinja2", "plotly", "ray", "tensorboard", "catboost"),
    "matplotlib",
}
# These write TFLite's format with the vendor's own classes. They are reached through the registry, which
# names the extra where they do not import.
WRITERS = {f"edgewright.backends.litert.{name}" for name in ("exporter", "flatbuffer", "quantize")}
IMPORT_ALL = """
import importlib, sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {optional!r}:
            return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
faults = {{}}
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        faults[name] = str(error)
print(faults)
"""


def modules():
    found = pkgutil.walk_packages(edgewright.__path__, "edgewright.")
    return sorted(module.name for module in found)


def python(script):
    """Run a script in an interpreter of its own; return what it printed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "sdk")}
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_every_module_imports_without_any_extra():
    assert len(modules()) > 80
    faults = ast.literal_eval(python(IMPORT_ALL.format(optional=OPTIONAL, modules=modules())))
    assert set(faults) <= WRITERS, faults
    assert all("ai_edge_litert" in fault for fault in faults.values())


def test_help_imports_no_framework():
    out = python(
        "import sys\n"
        "from edgewright.cli.main import run\n"
        "status = run(['--help'])\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'scipy', 'pymoo', 'onnx', 'onnxruntime', 'PIL', 'sqlite3'}\n"
        "print(status, sorted(heavy & set(sys.modules)))"
    )
    assert out.splitlines()[-1] == "0 []"


def test_importing_the_package_imports_nothing_else():
    before = "set(sys.modules)"
    out = python(f"import sys\nbefore = {before}\nimport edgewright\nprint(sorted({before} - before))")
    assert not {"numpy", "torch", "typer"} & set(ast.literal_eval(out))


@pytest.mark.parametrize("chosen", [None, "0"])
def test_torch_is_asked_to_use_large_pages_unless_the_user_chose(chosen, monkeypatch):
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    if chosen is not None:
        monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", chosen)
    out = python("import os\nimport edgewright\nprint(os.environ['THP_MEM_ALLOC_ENABLE'])")
    assert out.strip() == (chosen or "1")


def test_types_are_shipped():
    assert (ROOT / "sdk" / "edgewright" / "py.typed").is_file()


def test_imports_point_one_way():
    tool = Path(sys.executable).with_name("lint-imports")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "sdk")}
    ran = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout
    assert "0 broken" in ran.stdout


@pytest.mark.parametrize("name", PROJECT["project"]["scripts"])
def test_the_command_leads_to_a_function(name):
    module, _, function = PROJECT["project"]["scripts"][name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
