import json
from dataclasses import replace

import numpy as np
import pytest
from doubles.fake_device import FINGERPRINT, FakeDevice
from doubles.lookup_tables import ofa_yaml

from edgewright.latency.diff import diff_tables
from edgewright.latency.imported import import_table
from edgewright.latency.measure import Measurement
from edgewright.latency.profiler import profile_space
from edgewright.latency.records import Entry, Failure
from edgewright.latency.target import ProfileConfig
from edgewright.spaces import find_space

CONFIG = ProfileConfig(passes=2, rounds=8, n_fit=6, n_validate=4)
SPACE = find_space("mobilenetv3-small-image@16:4")


def measured(folder, *, noise=0.02, seed=0, space=SPACE):
    device = FakeDevice(noise=noise)
    device._rng = np.random.default_rng(seed)
    return profile_space(space, device.target(space), journal=folder / "j", config=CONFIG)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("a"), seed=1)


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("b"), seed=2)


def slower(table, factor, chosen):
    """Return the table with some operators slower."""

    def scaled(m):
        return Measurement(tuple(ms * factor for ms in m.samples_ms), m.n_warmup)

    entries = {
        op: Entry(scaled(e.warm), scaled(e.cold)) if chosen(op) else e for op, e in table.entries.items()
    }
    return replace(table, entries=entries)


def test_a_table_does_not_differ_from_itself(first):
    found = diff_tables(first, first)
    assert found.n_beyond_noise == 0
    assert found.overall.median_ratio == 1
    assert not found.provenance


def test_two_runs_of_one_machine_agree_within_noise(first, second):
    found = diff_tables(first, second)
    assert len(found.changes) == len(first.entries)
    assert found.n_beyond_noise <= 1
    assert found.overall.low <= 1.002
    assert found.overall.high >= 0.998
    assert abs(found.predicted_networks.median_ratio - 1) < 0.01
    assert found.measured_networks.n == len(first.networks)
    assert found.by_kind["head"].low is None, "one head says nothing of a spread"


def test_drift_of_the_machine_widens_a_shift(first, second):
    drifting = tuple(ms * (0.8 if i % 2 else 1.2) for i, ms in enumerate(second.anchor.medians_ms))
    unsteady = replace(second, anchor=replace(second.anchor, medians_ms=drifting))
    steady, wide = diff_tables(first, second).overall, diff_tables(first, unsteady).overall
    assert wide.median_ratio == steady.median_ratio
    assert wide.high - wide.low > 2 * (steady.high - steady.low)


def test_what_became_slower_is_found_and_named_first(first, second):
    changed = slower(second, 1.2, lambda op: op.kernel_size == 7)
    found = diff_tables(first, changed)
    wanted = {op for op in first.entries if op.kernel_size == 7}
    beyond = {change.operator for change in found.changes if change.beyond_noise}
    assert wanted <= beyond
    assert len(beyond - wanted) <= 2
    assert {change.operator for change in found.changes[: len(wanted)]} == wanted
    assert found.changes[0].ratio == pytest.approx(1.2, rel=0.06)


def test_shifts_are_told_by_kind_and_of_whole_networks(first):
    found = diff_tables(first, slower(first, 2.0, lambda op: op.kind == "head"))
    assert found.by_kind["head"].median_ratio == pytest.approx(2)
    assert found.by_kind["mbconv"].median_ratio == pytest.approx(1)
    assert found.predicted_networks.median_ratio > 1
    assert found.measured_networks.median_ratio == 1


def test_other_machines_versions_and_settings_are_named(first):
    other = replace(
        first,
        runtime_version="fake 2.0",
        threads=4,
        runtime_conditions={"threads": 4},
        fingerprint=replace(FINGERPRINT, cores=64),
    )
    provenance = diff_tables(first, other).provenance
    assert provenance["runtime_version"] == ("fake 1.0", "fake 2.0")
    assert provenance["threads"] == provenance["runtime threads"] == ("1", "4")
    assert provenance["machine cores"] == ("2", "64")


def test_operators_of_one_table_and_failures_are_listed(first):
    gone, broken, *_ = sorted(first.entries)
    entries = {op: e for op, e in first.entries.items() if op not in (gone, broken)}
    other = replace(first, entries=entries, failures={broken: Failure("illegal instruction")})
    found = diff_tables(first, other)
    assert found.only_a == (gone,)
    assert found.only_b == ()
    assert found.failed == {broken.key: "second: illegal instruction"}


def test_tables_without_a_common_operator(first, tmp_path):
    other = measured(tmp_path, space=find_space("mobilenetv3-small-image@32:7"))
    apart = {op: entry for op, entry in other.entries.items() if op not in first.entries}
    found = diff_tables(first, replace(other, entries=apart, networks=first.networks))
    assert found.changes == ()
    assert found.overall is found.predicted_networks is found.measured_networks is None
    json.dumps(found.to_json(), allow_nan=False)


def test_noise_of_an_imported_table_is_not_made_up(tmp_path):
    tables = []
    for factor in (1.0, 1.3):
        (tmp_path / "t.yaml").write_text(ofa_yaml(factor=factor), "utf-8")
        tables.append(import_table(tmp_path / "t.yaml", "phone").latency_table())
    found = diff_tables(*tables)
    assert not found.tested
    assert found.n_beyond_noise == 0
    assert found.overall.median_ratio == pytest.approx(1.3)
