from dataclasses import replace

import pytest
from doubles.tiny_chain import PROFILE

from edgewright.errors import UsageError
from edgewright.pipeline.profile import profile_device
from edgewright.spaces.operator import with_leads


def test_a_table_is_measured_once_and_again_when_asked(chain, tmp_path):
    first = profile_device("litert", chain.space, tables=tmp_path, preset=PROFILE)
    assert not first.reused
    assert set(first.table.entries) == set(with_leads(chain.space.all_operators()))
    assert not first.table.failures
    assert "operators of mobilenetv3-small-image@16:4" in first.text()
    assert "the vendor's own tool: litert-benchmark of " in first.text()
    check = first.table.cross_check
    assert check.network in {record.architecture for record in first.table.networks}
    assert min(check.found.median_ms, check.measured_ms) > 0
    kept = profile_device("litert", chain.space, tables=tmp_path, preset=PROFILE)
    assert kept.reused
    assert kept.table.table_id == first.table.table_id
    anew = profile_device("litert", chain.space, tables=tmp_path, preset=PROFILE, again=True, seed=1)
    assert not anew.reused
    assert anew.table.settings["seed"] == 1
    assert [path.name for path in first.path.parent.iterdir()] == [first.path.name], "no journal is left"


@pytest.mark.parametrize("device", ["cpu", pytest.param("litert", marks=pytest.mark.slow)])
def test_int8_is_measured_like_any_precision(chain, tmp_path, device):
    brief = replace(PROFILE, n_fit=4, n_validate=2)
    found = profile_device(device, chain.space, precision="int8", tables=tmp_path, preset=brief)
    assert found.path.name.endswith("-int8.json")
    assert not found.table.failures


def test_an_unknown_preset_is_answered_with_the_known_ones(chain, tmp_path):
    with pytest.raises(UsageError, match="known: quick, default, thorough"):
        profile_device("cpu", chain.space, tables=tmp_path, preset="hasty")
