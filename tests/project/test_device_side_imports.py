"""What runs on a device needs numpy and the runtime, not the host's packages nor its Python."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SDK = Path(__file__).parents[2] / "sdk"
FORBIDDEN = (
    "torch",
    "pydantic",
    "typer",
    "rich",
    "sklearn",
    "scipy",
    "pymoo",
    "onnx",
    "psutil",
    "PIL",
    "safetensors",
)
PACKAGES = ("agent", "devices", "latency", "spaces")
MODULES = (
    "backends/__init__.py",
    "backends/artifact.py",
    "backends/base.py",
    "backends/cross_check.py",
    "backends/registry.py",
    "errors.py",
    "files.py",
    "__init__.py",
)
BLOCK = """
import importlib, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {forbidden!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)
sys.meta_path.insert(0, Blocker())
for name in {modules!r}:
    importlib.import_module(name)
print("imported", len({modules!r}))
"""


def device_files():
    files = [SDK / "edgewright" / name for name in MODULES]
    for package in PACKAGES:
        files += sorted((SDK / "edgewright" / package).rglob("*.py"))
    for name in ("runtime.py", "vendor.py"):
        files += sorted((SDK / "edgewright" / "backends").glob(f"*/{name}"))
    return files


def module_of(path):
    parts = path.relative_to(SDK).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run_imports(python):
    code = BLOCK.format(forbidden=FORBIDDEN, modules=[module_of(path) for path in device_files()])
    return subprocess.run(
        [python, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(SDK)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_device_side_modules_import_without_the_packages_of_the_host():
    done = run_imports(sys.executable)
    assert done.returncode == 0, done.stderr
    assert "imported" in done.stdout


def python310():
    """Return a Python 3.10 that has numpy; ``None`` where there is none."""
    candidates = [os.environ.get("EDGEWRIGHT_PYTHON310"), shutil.which("python3.10")]
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "-c", "import numpy"], capture_output=True, timeout=60, check=False)
        if done.returncode == 0:
            return candidate
    return None


def test_device_side_modules_import_on_python_310():
    python = python310()
    if python is None:
        pytest.skip("no Python 3.10 with numpy; name one in EDGEWRIGHT_PYTHON310")
    done = run_imports(python)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", device_files(), ids=lambda path: str(path.relative_to(SDK)))
def test_device_side_source_is_python_310(path):
    source = path.read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 10))
    for node in ast.walk(tree):
        assert not isinstance(node, getattr(ast, "TryStar", ())), "except* came with Python 3.11"
        if isinstance(node, ast.ImportFrom) and node.module in ("datetime", "enum", "typing"):
            newer = {"UTC", "StrEnum", "Self", "assert_never", "override"} & {a.name for a in node.names}
            assert not newer or _is_type_checking(tree, node), f"{newer} came after Python 3.10"


def _is_type_checking(tree, node):
    return any(
        isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test) and node in ast.walk(branch)
        for branch in ast.walk(tree)
    )
