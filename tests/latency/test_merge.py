from dataclasses import replace

import numpy as np
import pytest
from doubles.fake_device import FakeDevice
from doubles.lookup_tables import ofa_yaml

from edgewright.backends.cross_check import CrossCheck, NoCrossCheck
from edgewright.errors import ForeignTableError, TableError, UsageError
from edgewright.latency.cross_check import NetworkCrossCheck
from edgewright.latency.imported import import_table
from edgewright.latency.measure import Measurement
from edgewright.latency.merge import merge_tables
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.profiler import profile_space
from edgewright.latency.records import Entry, Failure
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig
from edgewright.spaces import find_space

CONFIG = ProfileConfig(passes=2, rounds=6, n_fit=6, n_validate=4)


def measured(folder, space, *, seed=0, created="2026-01-01T00:00:00Z"):
    device = FakeDevice(noise=0.02)
    device._rng = np.random.default_rng(seed)
    space = find_space(space)
    table = profile_space(space, device.target(space), journal=folder / "j", config=CONFIG)
    return replace(table, created_utc=created)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("a"), "mobilenetv3-small-image@16:4", seed=1)


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    folder = tmp_path_factory.mktemp("b")
    return measured(folder, "mobilenetv3-small-image@16:4", seed=2, created="2026-02-01T00:00:00Z")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c")
    return measured(folder, "mobilenetv3-small-image@32:4", seed=3, created="2026-01-02T00:00:00Z")


def checked(table, ms):
    """Return a table whose network the vendor's tool measured at so many milliseconds; 0 is no figure."""
    told = CrossCheck(tool="the tool", median_ms=ms, n=100, resolution_ms=1e-3)
    network = table.networks[0].architecture
    found = NetworkCrossCheck(found=told, network=network, measured_ms=1.0)
    return replace(table, cross_check=found if ms else NetworkCrossCheck(found=NoCrossCheck("away")))


def with_entry(table, operator, ms):
    spread = tuple(ms * (1 + 0.001 * i) for i in range(-6, 7))
    entries = {**table.entries, operator: Entry(Measurement(spread), Measurement(spread))}
    return replace(table, entries=entries)


def test_the_newest_cross_check_with_figures_is_kept(small, large):
    def merged(*tables):
        return merge_tables(tables).table.cross_check

    assert merged(checked(small, 2.0), checked(large, 3.0)).ratio == 3.0
    assert merged(checked(small, 2.0), checked(large, 0)).ratio == 2.0
    assert merged(checked(small, 0), replace(large, cross_check=None)).found == NoCrossCheck("away")
    assert merged(replace(small, cross_check=None), replace(large, cross_check=None)) is None


def test_resolutions_measured_apart_become_one_table(small, large, tmp_path):
    merged = merge_tables([small, large])
    space = find_space("mobilenetv3-small-image@16+32:4")
    assert merged.table.space_name == space.name
    assert merged.table.space_digest == space.digest
    assert merged.table.covers(space)
    assert len(merged.table.networks) == len(small.networks) + len(large.networks)
    assert merged.table.correction.n == 12
    assert merged.table.validation.n == 8
    assert merged.table.validation.mape_percent < 5
    assert LatencyPredictor(merged.table, space).predict_one(space.largest()) > 0
    saved = merged.table.save(tmp_path / "t.json")
    assert replace(LatencyTable.load(saved.path), path=None) == merged.table
    assert merged.table.table_id not in (small.table_id, large.table_id)
    assert small.table_id in merged.table.settings["merged_from"]


def test_the_order_does_not_matter(small, large):
    one, other = merge_tables([small, large]).table, merge_tables([large, small]).table
    assert replace(one, created_utc="") == replace(other, created_utc="")


def test_operators_that_agree_within_noise_are_pooled(small, again):
    merged = merge_tables([small, again])
    assert merged.n_pooled + merged.n_newest == len(small.entries)
    assert merged.n_newest == 0
    for op, entry in merged.table.entries.items():
        assert entry.warm.samples_ms == small.entries[op].warm.samples_ms + again.entries[op].warm.samples_ms


def test_tables_that_contradict_each_other_are_not_merged_unless_told(small, again):
    operator = sorted(again.entries)[3]
    changed = with_entry(again, operator, again.entries[operator].median_ms * 1.5)
    with pytest.raises(TableError, match=r"contradict each other on 1 operators.*--prefer newest") as caught:
        merge_tables([small, changed])
    assert operator.key in str(caught.value)
    merged = merge_tables([small, changed], prefer_newest=True)
    assert merged.n_newest == 1
    assert merged.table.entries[operator] == changed.entries[operator]


def test_a_failure_against_a_measurement_is_a_contradiction(small, again):
    operator = sorted(again.entries)[3]
    entries = {op: entry for op, entry in again.entries.items() if op != operator}
    failed = replace(again, entries=entries, failures={operator: Failure("illegal instruction")})
    with pytest.raises(TableError, match="failed in one of them"):
        merge_tables([small, failed])
    newest_failed = merge_tables([small, failed], prefer_newest=True).table
    assert operator in newest_failed.failures
    assert operator not in newest_failed.entries
    older_failed = replace(failed, created_utc="2025-01-01T00:00:00Z")
    assert operator in merge_tables([small, older_failed], prefer_newest=True).table.entries


def test_every_difference_of_foreign_tables_is_named(small, large):
    foreign = replace(
        large,
        runtime_version="fake 2.0",
        precision="int8",
        threads=2,
        fingerprint=replace(large.fingerprint, cores=64, memory_bytes=16 << 30),
    )
    with pytest.raises(ForeignTableError) as caught:
        merge_tables([small, foreign])
    for part in ("fake 1.0, fake 2.0", "precision: fp32, int8", "threads: 1, 2", "cores: 2", "memory_gib: 8"):
        assert part in str(caught.value)
    assert "edgewright profile fake --again" in str(caught.value)
    kernel = replace(large, fingerprint=replace(large.fingerprint, os_release="2.0", python="3.12"))
    assert merge_tables([small, kernel]).table.entries


def test_networks_of_another_space_are_left_out_of_the_correction(small, tmp_path):
    other = measured(tmp_path, "mobilenetv3-small-image@16:7", seed=5, created="2026-01-02T00:00:00Z")
    entries = {op: entry for op, entry in other.entries.items() if op.kind == "head"}
    merged = merge_tables([small, replace(other, entries=entries)])
    assert merged.table.space_name == small.space_name
    assert merged.n_networks_left_out == len(other.networks)
    assert merged.table.correction.n == small.correction.n
    assert merged.table.covers(find_space("mobilenetv3-small-image@16:7"))


def test_one_table_or_one_twice_is_no_merge(small):
    with pytest.raises(UsageError, match="two tables or more"):
        merge_tables([small])
    with pytest.raises(UsageError, match="given twice"):
        merge_tables([small, small])


def test_imported_tables_are_not_pooled(small, tmp_path):
    (tmp_path / "t.yaml").write_text(ofa_yaml(), "utf-8")
    imported = import_table(tmp_path / "t.yaml", "fake").latency_table()
    with pytest.raises(ForeignTableError, match="was imported: it has no samples"):
        merge_tables([small, imported])


def test_a_network_that_any_correction_saw_is_not_held_out(small, again):
    merged = merge_tables([small, again]).table
    seen = {r.architecture for t in (small, again) for r in t.networks if r.role == "fit"}
    assert all((r.role == "fit") == (r.architecture in seen) for r in merged.networks)
