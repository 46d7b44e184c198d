"""Profiles that take what a known table of the device holds."""

import json
from dataclasses import replace

import pytest
from doubles.fake_device import FakeDevice
from doubles.fake_spaces import small_space
from doubles.quick_profile import CONFIG, run, visits


@pytest.fixture
def space():
    return small_space()


def test_only_operators_that_a_known_table_lacks_are_measured(space, tmp_path):
    first = run(space, FakeDevice(), tmp_path)
    (tmp_path / "b").mkdir()
    device, wider = FakeDevice(), small_space(n_classes=7)
    table = run(wider, device, tmp_path / "b", known=first)
    added = {op for op in table.entries if op not in first.entries}
    assert {op.kind for op in added} == {"head"}
    assert {key for key in visits(tmp_path / "b" / "j")} == {
        json.dumps({"operator": op.to_json()}) for op in added
    }
    assert set(device.builds) <= {op.key for op in added} | {table.anchor.operator.key}
    assert all(table.entries[op] == first.entries[op] for op in table.entries if op not in added)
    assert table.settings["taken_from"] == first.table_id
    assert table.validation.mape_percent < 1


def test_networks_of_a_wider_table_that_suffice_for_a_part_are_not_measured_again(space, tmp_path):
    wide = run(space, FakeDevice(), tmp_path, config=replace(CONFIG, n_fit=30, n_validate=30))
    (tmp_path / "b").mkdir()
    part, device = small_space(resolutions=(8,)), FakeDevice()
    table = run(part, device, tmp_path / "b", known=wide)
    assert device.runs == 0
    assert {record.architecture.resolution for record in table.networks} == {8}
    roles = {record.architecture: record.role for record in wide.networks}
    assert all(roles[record.architecture] == record.role for record in table.networks)
    n_judging = sum(record.role == "validate" for record in table.networks)
    assert table.validation.n == n_judging >= CONFIG.n_validate
    assert table.validation != wide.validation
    assert table.settings["n_networks_taken"] == len(table.networks)
    assert table.anchor == wide.anchor


@pytest.mark.parametrize("changes", [{"version": 2}, {"base_name": "other"}, {"n_classes": 7}])
def test_networks_that_are_others_by_the_same_numbers_are_measured(space, tmp_path, changes):
    wide = run(space, FakeDevice(), tmp_path, config=replace(CONFIG, n_fit=30, n_validate=30))
    (tmp_path / "b").mkdir()
    device = FakeDevice()
    table = run(small_space(resolutions=(8,), **changes), device, tmp_path / "b", known=wide)
    assert device.runs > 0
    assert "n_networks_taken" not in table.settings
    assert len(table.networks) == CONFIG.n_fit + CONFIG.n_validate


def test_too_few_networks_of_a_part_are_measured_though_all_operators_are_known(space, tmp_path):
    wide = run(space, FakeDevice(), tmp_path)
    (tmp_path / "b").mkdir()
    device = FakeDevice()
    table = run(small_space(resolutions=(8,)), device, tmp_path / "b", known=wide)
    assert len(table.networks) == CONFIG.n_fit + CONFIG.n_validate
    assert not device.builds, "but no operator is"
