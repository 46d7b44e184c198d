"""The main job on an embedded default: handwritten digits, this machine, two runtimes.

1. Measure the space's operators through ONNX Runtime and through LiteRT.
2. Train the supernet on scikit-learn's digits.
3. Search under a budget for each runtime, part of the way from the fastest to the slowest network.
4. Compile the finalists, measure the files, and hold them against the budgets.
5. Build a TensorRT-RTX engine of the best finalist ahead of time, with no GPU.
6. Write the report.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgewright.errors import MissingExtraError, OutputExistsError
from edgewright.files import read_json, write_json
from edgewright.latency.predictor import LatencyPredictor
from edgewright.pipeline.compile import Compiled, compile_pick
from edgewright.pipeline.doctor import diagnose
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.report import write_report
from edgewright.pipeline.search import SearchOptions, SearchSummary, search_run
from edgewright.pipeline.train import TrainResult, train_run
from edgewright.pipeline.verify import Verification, verify_run
from edgewright.spaces import find_space
from edgewright.training.config import TrainConfig

DEVICES = {"cpu": "local-cpu-onnxruntime", "litert": "local-cpu-litert"}
GPU = "rtx-4090"
NEEDED = ("onnxruntime", "ai-edge-litert", "jinja2", "plotly")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """How long the demo takes.

    Attributes:
        space: a part of the space for small images.
        epochs: of training.
        evaluations: of the search.
        finalists: networks that are compiled and measured.
        preset: of the latency tables.
        budget_share: of the way from the smallest network's latency to the largest's.
    """

    space: str = "mobilenetv3-small-image@16+24+32"
    epochs: int = 12
    evaluations: int = 80
    finalists: int = 3
    preset: str = "default"
    budget_share: float = 0.4


FULL = DemoSettings()
QUICK = replace(
    FULL, space="mobilenetv3-small-image@16+24", epochs=3, evaluations=24, finalists=2, preset="quick"
)


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo made.

    Attributes:
        out: its folder.
        tables: file and held-out error of each latency table, by device.
        trained: the supernet.
        searched: the search.
        verification: the finalists, measured.
        engine: the TensorRT-RTX engine, ``None`` where its package is not installed.
        engine_note: why there is none.
        report: the HTML page.
    """

    out: Path
    tables: dict[str, dict[str, Any]]
    trained: TrainResult
    searched: SearchSummary
    verification: Verification
    engine: Compiled | None
    engine_note: str
    report: Path

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "out": str(self.out),
            "tables": self.tables,
            "training": self.trained.to_json(),
            "search": self.searched.to_json(),
            "verification": self.verification.to_json(),
            "engine": self.engine.to_json() if self.engine else {"missing": self.engine_note},
            "report": str(self.report),
        }

    def text(self) -> str:
        """Return the table of finalists and where everything lies."""
        engine = self.engine.text() if self.engine else self.engine_note
        tables = "\n".join(
            f"latency table of {device}: {t['path']}, held-out error {t['mape_percent']:.1f} %"
            for device, t in self.tables.items()
        )
        return (
            f"{self.verification.text()}\n\n{tables}\n{engine}\n"
            f"compiled files: {self.out / 'run' / 'artifacts'}\nreport: {self.report}"
        )

    def require(self) -> None:
        """Raise where a finalist breaks its budget or disagrees with torch."""
        self.verification.require()


def _require_packages() -> None:
    """Raise ``MissingExtraError`` for all that is missing, before minutes of work need it."""
    missing = [check for check in diagnose() if check.name in NEEDED and check.status == "missing"]
    if missing:
        raise MissingExtraError(
            f"the demo needs {', '.join(check.name for check in missing)}, not installed; run: "
            + " && ".join(dict.fromkeys(check.mend for check in missing))
        )


def _claim(out: Path, settings: DemoSettings, seed: int) -> None:
    """Mark ``out`` as this demo's folder. Raises ``OutputExistsError`` where it is something else's."""
    marker = out / "demo.json"
    mine = {"schema": 1, "seed": seed, **asdict(settings)}
    if marker.is_file():
        mend = f"give another --out, or delete {out}"
        if read_json(marker, what="demo", mend=mend, error=OutputExistsError) != mine:
            raise OutputExistsError(f"{out} holds a demo with other settings; {mend}")
    elif out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise OutputExistsError(
            f"{out} exists and is not a demo's folder; nothing was touched; give another --out"
        )
    else:
        write_json(marker, mine)


def run_demo(
    out: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    settings: DemoSettings | None = None,
    progress: Progress = SILENT,
) -> DemoResult:
    """Run the whole chain into ``out``; a killed demo goes on where it stopped.

    Raises:
        MissingExtraError: the ``onnxruntime``, ``litert`` or ``report`` extra is not installed.
        OutputExistsError: ``out`` holds something else.
        StorageError: the disk is full.
    """
    chosen = settings or (QUICK if quick else FULL)
    _require_packages()
    _claim(out, chosen, seed)
    run, folder = out / "run", out / "latency_tables"
    space = find_space(chosen.space, n_classes=10)
    tables = {}
    budgets = []
    for name, device in DEVICES.items():
        progress.say(f"measuring {space.name} on {device}")
        profiled = profile_device(
            device, space, tables=folder, preset=chosen.preset, seed=seed, progress=progress
        )
        table = profiled.table
        predictor = LatencyPredictor(table, space)
        least, most = (predictor.predict_one(arch) for arch in (space.smallest(), space.largest()))
        budget_ms = least + chosen.budget_share * (most - least)
        budgets.append(f"{name}={budget_ms:.4f}ms")
        tables[device] = {
            "path": str(profiled.path),
            "mape_percent": table.validation.mape_percent if table.validation else None,
            "budget_ms": round(budget_ms, 4),
        }
    progress.say("training the supernet on handwritten digits")
    trained = train_run(
        chosen.space,
        "digits",
        run,
        TrainConfig(epochs=chosen.epochs, batch_size=64, seed=seed),
        progress=progress,
    )
    searched = search_run(
        run,
        SearchOptions(
            budget=",".join(budgets),
            evaluations=chosen.evaluations,
            tables=folder,
            # The demo shows the chain wherever it runs; the error is told, and budgets are held with it.
            allow_inaccurate=True,
            seed=seed,
        ),
        progress=progress,
    )
    progress.say("compiling the finalists and measuring the files")
    verification = verify_run(run, finalists=chosen.finalists, progress=progress)
    engine, note = None, ""
    try:
        engine = compile_pick(run, verification.rows[0].id, GPU, precision="fp16", progress=progress)
    except MissingExtraError as error:
        note = f"no TensorRT-RTX engine: {error}"
    report = write_report(run, title="Handwritten digits on this machine", out=out / "report.html")
    return DemoResult(out, tables, trained, searched, verification, engine, note, report)
