import json

import pytest
from doubles.fake_spaces import small_space
from doubles.listener import Listener
from doubles.ssh_device import JsonExporter, write_runtime

from edgewright.errors import ForeignTableError, TableError
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig
from edgewright.pipeline import profile
from edgewright.pipeline.earlier import find_earlier
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.runners import runner_on
from edgewright.spaces.operator import with_leads

SMALL = {"depths": (1,), "kernel_sizes": (3,), "expands": (3,)}
WIDER = small_space(resolutions=(8, 12), **SMALL)
SPACE = WIDER.restrict([8])
CONFIG = ProfileConfig(
    passes=1, rounds=2, segment=4, warm_ms=0.0, n_fit=3, n_validate=1, network_samples=1, max_repeats=0
)


@pytest.fixture
def writer(monkeypatch):
    """Have artifacts built for the stand-in runtime; counts them."""
    made = JsonExporter()
    monkeypatch.setattr(profile, "device_exporter", lambda found: made)
    return made


@pytest.fixture
def first(device, writer, tmp_path):
    return profile_device(device.profile, SPACE, tables=tmp_path, preset=CONFIG)


def look(device, space, journal):
    with runner_on(device.profile) as runner:
        return find_earlier(device.profile, space, "fp32", runner, journal)


def journal_of(first, **identity):
    path = first.path.with_name(".j")
    path.write_text(json.dumps({"kind": "header", "schema": 3, "identity": identity}) + "\n")
    return path


def test_what_another_part_of_the_space_holds_is_taken_and_the_rest_measured(device, writer, first, tmp_path):
    listener, before = Listener(), writer.built
    second = profile_device(device.profile, WIDER, tables=tmp_path, preset=CONFIG, progress=listener)
    wanted = with_leads(WIDER.all_operators())
    added = [operator for operator in wanted if operator not in first.table.entries]
    assert 0 < len(added) < len(wanted)
    assert second.table.settings["taken_from"] == first.table.table_id
    assert all(second.table.entries[op] == first.table.entries[op] for op in wanted if op not in added)
    anchor = second.table.anchor.operator not in added
    assert writer.built - before == len(added) + len(second.table.networks) + anchor
    n = len(wanted) - len(added)
    # A machine under load may have said that a link was silent, too.
    assert [line for line in listener.said if line.startswith("taking")] == [
        f"taking {n} of {len(wanted)} operators from {first.path}, measured {first.table.created_utc}; "
        "--again measures all anew"
    ]
    assert second.to_json()["n_taken"] == n
    assert f"{n} operators, leads counted, and 0 whole networks are those of table" in second.text()
    assert LatencyTable.load(second.path).covers(WIDER)


def test_again_measures_all_anew(device, writer, first, tmp_path):
    listener = Listener()
    options = {"tables": tmp_path, "preset": CONFIG, "progress": listener, "again": True}
    table = profile_device(device.profile, WIDER, **options).table
    assert "taken_from" not in table.settings
    assert not [line for line in listener.said if line.startswith("taking")]


def test_a_profile_that_was_killed_goes_on_with_the_table_that_it_began_with(device, first):
    absent = first.path.with_name(".none")
    found = look(device, WIDER, absent)
    assert found.table.table_id == first.table.table_id
    assert look(device, WIDER, journal_of(first)) is None
    began = journal_of(first, **{"taken from": first.table.table_id})
    assert look(device, WIDER, began).table.table_id == first.table.table_id
    assert look(device, WIDER, journal_of(first, **{"taken from": "another"})) is None


@pytest.mark.parametrize("content", ["", "hello\n", "[]\n", "{}\n", '{"identity": 5}\n'])
def test_a_damaged_journal_is_left_to_the_profile_to_refuse(device, first, content):
    journal = first.path.with_name(".j")
    journal.write_text(content)
    assert look(device, WIDER, journal) is not None


def test_what_is_no_table_or_of_another_space_is_passed_over(device, first):
    beside = first.path.parent
    for name, text in (("small@4", "{"), ("small@6", "[]"), ("small@7", '{"schema": 99}')):
        (beside / f"{name}-litert-fp32.json").write_text(text)
    (beside / "small@9-litert-fp32.json").mkdir()
    assert look(device, WIDER, beside / ".none").table.path == first.path
    assert look(device, small_space(base_name="smal", **SMALL), beside / ".none") is None
    assert look(device, small_space(version=2, **SMALL), beside / ".none") is None


def test_a_table_of_another_runtime_version_is_passed_over_unless_it_is_named(device, first, tmp_path):
    share = device.home / ".local" / "share" / "edgewright"
    write_runtime(share / "newer", "10.0")
    (share / "litert").unlink()
    (share / "litert").symlink_to("newer")
    assert look(device, WIDER, first.path.with_name(".none")) is None
    with pytest.raises(ForeignTableError, match=r"measured with ai-edge-litert 9.9, installed is .* 10.0"):
        profile_device(device.profile, WIDER, tables=tmp_path, preset=CONFIG, known=first.path)


def test_a_named_table_that_cannot_be_read_is_refused(device, first, tmp_path):
    (tmp_path / "notes.json").write_text("{}")
    with pytest.raises(TableError, match=r"notes\.json has schema None"):
        profile_device(device.profile, WIDER, tables=tmp_path, preset=CONFIG, known=tmp_path / "notes.json")
