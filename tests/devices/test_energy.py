import pytest

from edgewright.devices.energy import Energy, Metered, SensorNames

TOLD = Energy(sensor="RAPL package-0", energy_mj=2.0, idle_power_mw=1e3, power_mw=2e3, n=500, seconds=1.0)


@pytest.mark.parametrize("found", [Metered((TOLD,), ""), Metered((), "no sensor")])
def test_what_was_metered_is_read_back_as_it_was_told(found):
    assert Metered.from_json(found.to_json()) == found


@pytest.mark.parametrize("found", [SensorNames(("RAPL package-0",), ""), SensorNames((), "no sensor")])
def test_names_of_sensors_are_read_back_as_they_were_told(found):
    assert SensorNames.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    "told",
    [None, {}, {"names": [], "reason": ""}, {"names": ["a"], "reason": "b"}, {"names": [3], "reason": ""}],
)
def test_names_of_sensors_that_make_no_sense_are_refused(told):
    with pytest.raises(ValueError, match="sensor"):
        SensorNames.from_json(told)


@pytest.mark.parametrize(
    "change",
    [{"n": 0}, {"n": 1.5}, {"energy_mj": float("nan")}, {"power_mw": "2 W"}, {"sensor": 3}, {"x": 1}],
)
def test_an_energy_that_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError, match="an energy"):
        Energy.from_json(TOLD.to_json() | change)
