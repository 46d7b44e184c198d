from dataclasses import replace

import pytest
from doubles.fake_device import FINGERPRINT

from edgewright.errors import ForeignTableError, TableError
from edgewright.latency.measure import Measurement
from edgewright.latency.precision import Speedup, compare_precisions
from edgewright.latency.records import Anchor, Entry


def times(measurement, factor, before=0.0):
    """Return a measurement whose part beyond ``before`` is so many times as long."""
    samples = tuple(before + (ms - before) * factor for ms in measurement.samples_ms)
    return replace(measurement, samples_ms=samples)


def at_int8(table, law):
    """Return the table as if an operator added ``law(operator)`` times as much in int8."""
    entries = {}
    for op, entry in table.entries.items():
        lead = table.entries.get(op.lead)
        warm, cold = (0.0, 0.0) if lead is None else (lead.warm.median_ms, lead.cold.median_ms)
        factor = 1.0 if op.kind == "lead" else law(op)
        entries[op] = Entry(times(entry.warm, factor, warm), times(entry.cold, factor, cold))
    networks = tuple(replace(r, measurement=times(r.measurement, 0.8)) for r in table.networks)
    return replace(table, precision="int8", entries=entries, networks=networks)


def operators(table):
    return [op for op in table.entries if op.kind != "lead"]


def test_what_is_slower_is_found_worst_first_and_grouped(table):
    other = at_int8(table, lambda op: 2.0 if op.se else 1.25 if op.kind == "head" else 0.5)
    found = compare_precisions(table, other)
    expected = [op for op in operators(table) if op.se or op.kind == "head"]
    assert {op for op, _ in found.slower} == set(expected)
    assert [row.factor for _, row in found.slower] == sorted(row.factor for _, row in found.slower)
    groups = {group.name: group for group in found.groups()}
    assert groups["head"].median == pytest.approx(0.8)
    assert groups["stem"].median == pytest.approx(2.0)
    n_se = sum(op.se for op in table.entries)
    assert groups["mbconv"].n_slower == n_se
    assert sum(g.n for name, g in groups.items() if name.endswith("+ se")) == n_se
    value = found.to_json()
    assert value["n_slower"] == len(expected)
    assert value["networks"]["median"] == pytest.approx(1.25)
    assert value["networks"]["n"] == len(table.networks)


def test_a_difference_within_the_noise_is_none(table):
    assert Speedup(1.0, 1.04, 0.05).verdict == "same"
    assert Speedup(1.0, 1.06, 0.05).verdict == "slower"
    assert Speedup(1.06, 1.0, 0.05).verdict == "faster"
    calm = compare_precisions(table, at_int8(table, lambda op: 1.1))
    assert len(calm.slower) == len(operators(table))
    medians = tuple(ms * f for ms in table.anchor.medians_ms[:1] for f in (0.8, 0.9, 1.0, 1.1, 1.2))
    drifting = replace(table, anchor=Anchor(table.anchor.operator, medians))
    assert not compare_precisions(drifting, at_int8(drifting, lambda op: 1.1)).slower


def test_scattered_samples_widen_the_noise(table):
    op = operators(table)[0]
    entry = table.entries[op]
    median = entry.warm.median_ms
    wild = Measurement(tuple(median * f for f in (0.7, 0.9, 1.0, 1.1, 1.3)))
    other = replace(table, precision="int8", entries={**table.entries, op: Entry(wild, entry.cold)})
    found = compare_precisions(table, other)
    assert found.operators[op].verdict == "same"
    assert found.operators[op].noise > 0.1


def test_tables_that_differ_in_more_are_refused(table):
    other = replace(table, precision="int8")
    for change, told in (
        ({"fingerprint": replace(FINGERPRINT, cores=8)}, "cores: 2 here, 8 there"),
        ({"threads": 4}, "threads: 1 and 4"),
        ({"runtime_version": "fake 9"}, "runtime_version"),
    ):
        with pytest.raises(ForeignTableError, match=told):
            compare_precisions(table, replace(other, **change))
    with pytest.raises(TableError, match=r"both of fp32; give tables of two precisions"):
        compare_precisions(table, table)
    with pytest.raises(TableError, match=r"no operator is in both; .* the same --space"):
        compare_precisions(table, replace(other, entries={}))


def test_operators_of_one_table_alone_are_counted(table):
    fewer = {op: entry for op, entry in table.entries.items() if op not in operators(table)[:3]}
    found = compare_precisions(table, replace(table, precision="int8", entries=fewer))
    assert (found.n_only_one, len(found.operators)) == (3, len(operators(table)) - 3)
