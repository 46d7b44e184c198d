"""How well do a few measurements on a new device, and other devices' latencies, rank its networks?

Protocol ``help`` is that of HELP (Lee et al., NeurIPS 2021, arXiv:2106.08630; loader.py of its
repository): the first 900 architectures are the pool and the next 1,000 the test, each trimmed for
every device to the middle 80 % of its latencies; adaptation samples are drawn at random from the
device's own trimmed pool, and sources give their trimmed pools alone. Protocol ``untrimmed`` trims
nothing and tests on all architectures behind the pool.

``spearman`` and ``mean`` spend N measurements in all. HELP measures ten reference architectures
besides: ``with_references`` does so too, with ten that our method chooses. ``chosen`` spends N, all of
them chosen by the method from the whole pool, before anything is measured. Both are told beside the
main figures, as are baselines on the same samples.

    python benchmarks/bench_few_shot.py --data nb201_devices.npz --protocol help --samples 10,20,50 \
        --json few_shot.json

FILE has ``ops (n, n_var)``, integer choices, and ``latency_ms_<device> (n,)`` for each device.
Nothing is tuned on the test devices: all weights are learned from the sources. The last line is one
JSON object. About half a minute on one core with ``help``, about six with ``untrimmed``.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.errors import SDKError, UsageError
from edgewright.files import file_digest, write_json
from edgewright.latency.few_shot import FewShot, log_normal
from edgewright.latency.validation import spearman
from edgewright.regression import Ridge
from edgewright.regression.transfer import Posterior
from edgewright.spaces.architecture import FloatArray, IntArray

PREFIX = "latency_ms_"
# HELP's parser.py; titanx_1, titanx_32, titanx_256 and gold_6240 are its validation devices.
HELP_SOURCES = (
    "1080ti_1",
    "1080ti_32",
    "1080ti_256",
    "silver_4114",
    "silver_4210r",
    "samsung_a50",
    "pixel3",
    "essential_ph_1",
    "samsung_s7",
)
HELP_TESTS = ("titan_rtx_256", "gold_6226", "fpga", "pixel2", "raspi4", "eyeriss")
N_POOL, N_TEST, N_REFERENCES = 900, 1000, 10

#: Returns predictions for the rows of a test, given rows that were measured and their latencies.
Method = Callable[[IntArray, FloatArray, IntArray], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What is asked.

    Attributes:
        data: the file.
        protocol: ``help`` or ``untrimmed``.
        samples: measurements on the new device, in all.
        seeds: draws of the samples.
        sources: devices that are known; HELP's where none is given and the file has them.
        tests: devices that are new.
    """

    data: str
    protocol: str
    samples: tuple[int, ...]
    seeds: int
    sources: tuple[str, ...]
    tests: tuple[str, ...]


class Data:
    """Architectures and latencies of a file.

    Raises:
        UsageError: the file is no such file, or lacks a device.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} is not a file of numpy arrays ({error}); give an .npz") from error
        self.ms = {
            name.removeprefix(PREFIX): value.astype(np.float64)
            for name, value in arrays.items()
            if name.startswith(PREFIX)
        }
        if "ops" not in arrays or arrays["ops"].ndim != 2 or not self.ms:
            raise UsageError(f"{path} needs ops (n, n_var) and {PREFIX}<device> (n,), has {sorted(arrays)}")
        self.ops: IntArray = arrays["ops"].astype(np.int64)
        wrong = [name for name, value in self.ms.items() if value.shape != (len(self.ops),)]
        if wrong:
            raise UsageError(f"{path}: {', '.join(wrong)} are not of the length of ops, {len(self.ops)}")
        if len(self.ops) <= N_POOL:
            raise UsageError(f"{path} has {len(self.ops)} architectures, more than {N_POOL} are needed")
        codes = np.arange(int(self.ops.max()) + 1)
        one_hot = (self.ops[:, :, None] == codes).astype(np.float64)  # (n, n_var, n_codes)
        self.counts: FloatArray = one_hot.sum(axis=1)
        self.one_hot: FloatArray = one_hot.reshape(len(self.ops), -1)

    def rows(self, device: str, start: int, stop: int, *, trim: bool) -> IntArray:
        """Return rows in ``[start, stop)``; with ``trim`` the middle 80 % by the device's latency."""
        rows = np.arange(start, min(stop, len(self.ops)))
        if not trim:
            return rows
        by_latency = rows[np.argsort(self.ms[device][rows], kind="stable")]
        return np.sort(by_latency[int(len(rows) * 0.1) : int(len(rows) * 0.9)])


class Bench:
    """Everything that does not depend on the test device, made once."""

    def __init__(self, config: Config, data: Data) -> None:
        self.config, self.data = config, data
        self.trim = config.protocol == "help"
        self.n_tested = N_TEST if self.trim else len(data.ops)
        # Choices one by one, and how often each is taken: the space's own counts of operators.
        self.X = np.hstack([data.one_hot, data.counts])
        groups = (data.one_hot.shape[1], data.counts.shape[1])
        source_ms = np.full((N_POOL, len(config.sources)), np.nan)
        self.linear = np.empty((len(data.ops), len(config.sources)))
        for column, name in enumerate(config.sources):
            rows = data.rows(name, 0, N_POOL, trim=self.trim)
            source_ms[rows, column] = data.ms[name][rows]
            model = Ridge().fit(data.one_hot[rows], np.log(data.ms[name][rows]))
            self.linear[:, column] = model.predict(data.one_hot).mean
        self.few_shot = FewShot.learn(self.X[:N_POOL], source_ms, groups=groups)
        self.points = self.few_shot.points(self.X)

    def baselines(self) -> dict[str, Method]:
        """Return what the figures are to be compared with, by name."""

        def ridge(F: FloatArray) -> Method:
            return lambda rows, ms, test: Ridge().fit(F[rows], np.log(ms)).predict(F[test]).mean

        Z = (self.linear - self.linear[:N_POOL].mean(axis=0)) / self.linear[:N_POOL].std(axis=0)
        return {
            "op-count ridge": ridge(self.data.counts),
            "one-hot ridge": ridge(self.data.one_hot),
            "ridge on source predictions": ridge(self.linear),
            "mean of sources": lambda rows, ms, test: Z[test].mean(axis=1),
        }

    def draw(self, device: str, n: int, seed: int) -> IntArray:
        """Return the rows that are measured, drawn from the device's pool."""
        pool = self.data.rows(device, 0, N_POOL, trim=self.trim)
        return np.random.default_rng([seed, n]).permutation(pool)[:n]

    def test_rows(self, device: str) -> IntArray:
        """Return the rows that judge."""
        return self.data.rows(device, N_POOL, N_POOL + self.n_tested, trim=self.trim)

    def predict(self, device: str, rows: IntArray) -> dict[str, float]:
        """Return the figures of our method, measured on ``rows``."""
        test, ms = self.test_rows(device), self.data.ms[device]
        # As FewShot.adapt and predict do, with the sources asked once for all.
        known = Posterior(self.points.take(rows), np.log(ms[rows]), self.few_shot.weights)
        found = log_normal(known.predict(self.points.take(test)))
        assert found.std is not None
        relative = found.mean / ms[test] - 1
        return {
            "spearman": spearman(found.mean, ms[test]),
            "median_error_percent": float(np.median(np.abs(relative)) * 100),
            "coverage_95_percent": float((np.abs(found.mean - ms[test]) <= 1.96 * found.std).mean() * 100),
        }


def run(config: Config, data: Data) -> dict[str, Any]:
    """Return every figure, by device and number of samples."""
    bench = Bench(config, data)
    chosen = bench.few_shot.choose(bench.X[:N_POOL], max(*config.samples, N_REFERENCES))
    references = np.array(chosen[:N_REFERENCES])
    methods = bench.baselines()
    main: dict[str, Any] = {}
    single: dict[str, dict[str, Any]] = {"chosen": {}, "with_references": {}}
    baselines: dict[str, dict[str, Any]] = {name: {} for name in methods}
    for device in config.tests:
        ms, test = data.ms[device], bench.test_rows(device)
        main[device] = {}
        for table in (*single.values(), *baselines.values()):
            table[device] = {}
        for n in config.samples:
            draws = [bench.draw(device, n, seed) for seed in range(config.seeds)]
            main[device][str(n)] = _joined([bench.predict(device, rows) for rows in draws])
            more = [np.union1d(rows, references) for rows in draws]
            single["with_references"][device][str(n)] = _joined([bench.predict(device, r) for r in more])
            single["chosen"][device][str(n)] = _joined([bench.predict(device, np.array(chosen[:n]))])
            for name, method in methods.items():
                values = [spearman(method(rows, ms[rows], test), ms[test]) for rows in draws]
                baselines[name][device][str(n)] = float(np.mean(values))
        ours = "  ".join(f"{n}: {found['spearman']:.3f}" for n, found in main[device].items())
        print(f"{device:16s} {ours}", file=sys.stderr, flush=True)
    spearmans = _picked(main, "spearman")
    return {
        "spearman": spearmans,
        "mean": _mean(spearmans),
        "details": main,
        **{
            name: {"spearman": (s := _picked(table, "spearman")), "mean": _mean(s)}
            for name, table in single.items()
        },
        "baselines": {name: {"spearman": t, "mean": _mean(t)} for name, t in baselines.items()},
        "weights": [round(float(weight), 5) for weight in bench.few_shot.weights],
    }


def _joined(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means over draws, and the deviation of the rank correlation between draws."""
    means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    return {**means, "spearman_std": float(np.std([one["spearman"] for one in found]))}


def _picked(table: Mapping[str, Mapping[str, Mapping[str, float]]], name: str) -> dict[str, dict[str, float]]:
    return {device: {n: found[name] for n, found in by_n.items()} for device, by_n in table.items()}


def _mean(table: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean over devices, by number of samples."""
    return {n: float(np.mean([by_n[n] for by_n in table.values()])) for n in next(iter(table.values()))}


def parse(arguments: Sequence[str]) -> tuple[Config, Data, Path | None]:
    """Return what the command line asks, and the data.

    Raises:
        UsageError: an unknown device, or numbers that cannot be read.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    parser.add_argument("--protocol", choices=("help", "untrimmed"), default="help")
    parser.add_argument("--samples", default="10,20,50", help="measurements on the new device")
    parser.add_argument("--seeds", type=int, default=20, help="draws of the samples")
    parser.add_argument("--source-devices", default="", help="names, separated by commas; HELP's by default")
    parser.add_argument("--test-devices", default="", help="names, separated by commas; HELP's by default")
    parser.add_argument("--json", type=Path, metavar="OUT", help="where everything is written")
    options = parser.parse_args(arguments)
    data = Data(options.data)
    try:
        samples = tuple(int(part) for part in options.samples.split(","))
    except ValueError as error:
        raise UsageError(f"--samples takes numbers such as 10,20,50, got {options.samples!r}") from error
    if min(samples) < 2 or max(samples) > N_POOL // 2 or options.seeds < 1:
        raise UsageError(f"--samples lie in [2, {N_POOL // 2}] and --seeds is at least 1")
    tests = _names(options.test_devices, HELP_TESTS, data, "--test-devices")
    sources = _names(options.source_devices, HELP_SOURCES, data, "--source-devices")
    if both := sorted(set(tests) & set(sources)):
        raise UsageError(f"{', '.join(both)} cannot be both a source and a test device")
    config = Config(
        data=options.data.name,
        protocol=options.protocol,
        samples=samples,
        seeds=options.seeds,
        sources=sources,
        tests=tests,
    )
    return config, data, options.json


def _names(text: str, default: tuple[str, ...], data: Data, option: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    wanted = names or tuple(name for name in default if name in data.ms)
    unknown = [name for name in wanted if name not in data.ms]
    if unknown or not wanted:
        raise UsageError(
            f"{option}: {'no device ' + ', '.join(unknown) if unknown else 'none given'}; "
            f"the file has {', '.join(data.ms)}"
        )
    return wanted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    try:
        config, data, out = parse(sys.argv[1:] if arguments is None else arguments)
        started = time.process_time()
        found = run(config, data)
        if out is not None:
            conditions = {
                "cpu_seconds": round(time.process_time() - started, 1),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "data_sha256": file_digest(data.path),
                "n_architectures": len(data.ops),
            }
            write_json(out, {"schema": 1, "config": asdict(config), "conditions": conditions, **found})
    except SDKError as error:
        print(f"bench_few_shot: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"spearman": _rounded(found["spearman"]), "mean": _rounded(found["mean"])}))
    return 0


def _rounded(value: Any) -> Any:
    return {k: _rounded(v) for k, v in value.items()} if isinstance(value, dict) else round(value, 4)


if __name__ == "__main__":
    sys.exit(main())
