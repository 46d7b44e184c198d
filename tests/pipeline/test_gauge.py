import json
import math
from dataclasses import replace

from edgewright.devices.probe import probe
from edgewright.devices.profile import DeviceProfile
from edgewright.latency.table import LatencyTable
from edgewright.pipeline import bench
from edgewright.pipeline.bench import bench_artifact
from edgewright.pipeline.gauge import gauge_of_table, known_gauge_ns

LITERT = DeviceProfile.find("litert")


def test_a_table_of_this_machine_tells_its_gauge(chain):
    expected = LatencyTable.load(chain.table("litert")).settings["gauge_ns"]
    assert gauge_of_table(chain.table("litert")) == expected > 0
    assert known_gauge_ns(chain.tables, LITERT) == expected


def test_another_machine_or_another_python_tells_nothing(chain):
    path = chain.table("litert")
    assert gauge_of_table(path, here=replace(probe(), cores=999)) == math.inf
    assert gauge_of_table(path, here=replace(probe(), python="2.7.18")) == math.inf


def test_what_is_no_table_tells_nothing(chain, tmp_path):
    assert gauge_of_table(tmp_path / "gone.json") == math.inf
    assert known_gauge_ns(tmp_path, LITERT) == math.inf
    data = json.loads(chain.table("litert").read_text())
    for number, change in enumerate(({"settings": {}}, {"settings": {"gauge_ns": "fast"}}, {"settings": 3})):
        path = tmp_path / LITERT.name / f"{number}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(data | change))
    (tmp_path / LITERT.name / "torn.json").write_text("{")
    assert known_gauge_ns(tmp_path, LITERT) == math.inf


def test_a_benchmark_takes_the_gauge_of_the_devices_tables(chain, monkeypatch):
    seen = []
    of_threads = bench.Stopwatch.for_threads

    def watch(threads, *, reference_ns):
        seen.append(reference_ns)
        return of_threads(threads, reference_ns=reference_ns)

    monkeypatch.setattr(bench.Stopwatch, "for_threads", watch)
    bench_artifact(chain.artifact("litert"), "litert", tables=chain.tables)
    bench_artifact(chain.artifact("litert"), "litert", tables=chain.root / "none")
    assert seen == [gauge_of_table(chain.table("litert")), math.inf]
