from dataclasses import replace

import pytest
from doubles.fake_device import FakeDevice

from edgewright.errors import TableError
from edgewright.latency.measure import Measurement
from edgewright.latency.profiler import profile_space
from edgewright.latency.records import Entry, NetworkRecord
from edgewright.latency.sanity import implausible
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig
from edgewright.spaces import find_space

CONFIG = ProfileConfig(passes=1, rounds=2, n_fit=4, n_validate=4)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    device, space = FakeDevice(), find_space("mobilenetv3-small-image@16:4")
    journal = tmp_path_factory.mktemp("profile") / "j"
    return profile_space(space, device.target(space), journal=journal, config=CONFIG)


def scaled(measurement, factor):
    return Measurement(tuple(factor * ms for ms in measurement.samples_ms))


def entries_scaled(table, factor, chosen=None):
    return {
        op: Entry(scaled(e.warm, factor), scaled(e.cold, factor)) if chosen in (None, op) else e
        for op, e in table.entries.items()
    }


def test_a_measured_table_is_plausible(table):
    assert implausible(table) == []


@pytest.mark.parametrize(("factor", "unit"), [(1e3, "µs"), (1e6, "ns")])
def test_entries_in_another_unit_than_the_networks_are_noticed(table, factor, unit):
    (said,) = implausible(replace(table, entries=entries_scaled(table, factor)))
    assert f"entries look like {unit} given as ms" in said


def test_networks_in_another_unit_than_the_entries_are_noticed(table):
    networks = tuple(
        NetworkRecord(r.architecture, scaled(r.measurement, 1e3), r.role) for r in table.networks
    )
    (said,) = implausible(replace(table, networks=networks))
    assert "networks look like µs given as ms" in said


def test_a_single_entry_in_another_unit_is_noticed(table):
    for index, factor in ((5, 1e3), (-5, 1e-3)):
        chosen = sorted(table.entries)[index]
        (said,) = implausible(replace(table, entries=entries_scaled(table, factor, chosen)))
        assert said.startswith(chosen.key)
        assert "operators of its size take" in said


def test_an_implausible_table_is_refused_wherever_it_is_read(table, tmp_path):
    path = replace(table, entries=entries_scaled(table, 1e3)).save(tmp_path / "t.json").path
    with pytest.raises(TableError, match="look like µs given as ms; measure it again with"):
        LatencyTable.load(path)
