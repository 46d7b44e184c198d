import json
import re
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from doubles.sensors import SENSOR
from doubles.tiny_chain import DEVICES, contents

from edgewright.devices.energy_sensors import find_sensors
from edgewright.devices.profile import DeviceProfile
from edgewright.latency.encoding_predictor import EncodingPredictor
from edgewright.latency.energy_model import EnergyModel
from edgewright.pipeline.tables import energy_path

SPACE = "mobilenetv3-small-image@16:4"


@pytest.fixture
def energy(edgewright, tmp_path):
    """Measure the tiny space's energy on ``cpu``: ``energy("--samples", "5")``."""

    def command(*arguments, device="cpu", tables=None):
        common = ("--space", SPACE, "--tables", tables or tmp_path / "tables")
        return edgewright("table", "energy", device, *common, *arguments)

    return command


@pytest.fixture
def search(edgewright, trained_only, energy_tables):
    def command(*arguments, tables=energy_tables):
        common = ("--tables", tables, "--surrogate", "ridge", "--allow-inaccurate")
        return edgewright("search", "--run", trained_only, *common, *arguments)

    return command


def test_a_sensor_makes_a_model_that_says_what_it_stands_on(energy, edgewright, chain, powered, tmp_path):
    tables = shutil.copytree(chain.tables, tmp_path / "tables")
    made = energy("--samples", "6", "--validate", "4", "--json").json()
    assert (made["n_fit"], made["n_validate"], made["reused"]) == (6, 4, False)
    assert made["sensor"] == SENSOR
    assert made["sources"][0].startswith(DEVICES["cpu"]), "its own latency table"
    assert made["validation"]["mape_percent"] > 0
    model = EnergyModel.load(tables / DEVICES["cpu"] / chain.table("cpu").with_suffix(".energy.json").name)
    visits = [visit for record in model.networks for visit in record.visits]
    for visit in visits:
        assert visit.energy_mj == pytest.approx(visit.power_mw * visit.seconds / visit.n, rel=1e-6)
    powers = [visit.power_mw for visit in visits]  # 5 W all the time, whatever ran
    assert np.median(powers) == pytest.approx(5000, rel=0.25)
    assert not list(tables.rglob("*.journal*"))

    again = energy("--samples", "6", "--validate", "4")
    assert again.status == 0
    assert "measured earlier; --again measures anew" in again.out
    assert f"measured by {SENSOR}, the latency table of {DEVICES['cpu']} behind them" in again.out
    assert "error on 4 networks that it has not seen" in again.out

    shown = edgewright("table", "show", made["model"], "--json").json()
    assert (shown["kind"], shown["sensor"]) == ("energy model", SENSOR)
    assert edgewright("table", "validate", made["model"], "--json").json()["kind"] == "energy model"
    edgewright("table", "show", made["model"], "--pick", "smallest").refusal(2, "knows whole networks")


def test_energy_is_a_budget_and_an_objective_from_the_search_to_the_report(
    search, edgewright, trained_only, energy_tables, powered
):
    asked = ("--budget", "cpu=50ms,cpu.energy=500mJ", "--evaluations")
    found = search(*asked, "8", "--finalists", "1", "--json").json()
    assert found["objectives"] == ["error", "cpu", "cpu.energy"]
    assert found["budgets"] == {"cpu": 50, "cpu.energy": 500}
    (row,) = found["verification"]["finalists"]
    assert row["verdict"] == "met"
    assert row["energy_note"] == SENSOR
    assert row["energy_budget_mj"] == 500
    assert row["energy_mj"] < 500
    assert row["predicted_energy_mj"] > 0
    described = json.loads((trained_only / "searches/default/search.json").read_text("utf-8"))
    assert described["energies"]["cpu.energy"]["sensor"] == SENSOR
    assert described["asked"]["cpu.energy"] == 500

    told = edgewright("front", "show", trained_only)
    assert told.out.splitlines()[0].split()[:4] == ["id", "accuracy", "cpu", "cpu.energy"]
    least = min(member["costs"]["cpu.energy"] for member in found["front"])
    under = ("front", "pick", trained_only, "--under")
    picked = edgewright(*under, f"cpu.energy={1000 * least * 1.000001}uJ", "--json").json()
    assert picked["costs"]["cpu.energy"] == least
    edgewright(*under, "cpu.energy=1uJ").refusal(3, "cpu.energy <= 0.001 mJ", "the nearest", "mJ")
    edgewright(*under, "cpu.energy=1ms").refusal(2, "takes the units uJ, µJ, mJ, J")
    edgewright(*under, "energy=1mJ").refusal(2, "write DEVICE.energy")

    verified = edgewright("verify", trained_only, "--finalists", "1")
    assert re.search(r"mJ \(predicted \S+, budget 500\)", verified.out)
    assert edgewright("report", trained_only).status == 0
    page = (trained_only / "report.html").read_text("utf-8")
    assert "energy model</b> by RAPL package-0" in page
    assert f"Energy on {DEVICES['cpu']}" in page

    assert search(*asked, "10", "--no-verify", "--json").json()["n_evaluations"] == 10, "it goes on"


@pytest.mark.slow
def test_a_search_by_energy_alone_verifies_on_its_device(search, powered):
    found = search("--objectives", "cpu.energy", "--evaluations", "4", "--finalists", "1", "--json").json()
    assert found["objectives"] == ["error", "cpu.energy"]
    (row,) = found["verification"]["finalists"]
    assert (row["device"], row["predicted_ms"], row["budget_ms"]) == (DEVICES["cpu"], None, None)
    assert row["energy_mj"] > 0


def test_a_file_above_its_energy_budget_is_told(search, edgewright, trained_only, powered):
    assert search("--budget", "cpu.energy=500mJ", "--evaluations", "4", "--no-verify").status == 0
    path = trained_only / "searches/default/search.json"
    described = json.loads(path.read_text("utf-8"))
    described["asked"]["cpu.energy"] = 1e-6
    path.write_text(json.dumps(described), "utf-8")
    told = edgewright("verify", trained_only, "--finalists", "1")
    told.refusal(3, "takes", "mJ, budget 1e-06 mJ")


def test_a_budget_that_cannot_be_met_names_the_least(search, trained_only):
    line = search("--budget", "cpu.energy=1uJ").refusal(
        3, "cpu.energy <= 0.001 mJ", "the least is", "mJ", "raise the budget", told=1
    )
    assert "of which" not in line, "no operator was measured alone"
    assert not (trained_only / "searches").exists()


def test_a_budget_is_held_with_the_models_uncertainty(search, energy_tables, chain):
    model = EnergyModel.load(next(energy_tables.rglob("*.energy.json")))
    predictor = EncodingPredictor(model, chain.space)
    middle = sorted(record.value for record in model.networks)[len(model.networks) // 2]
    found = search("--budget", f"cpu.energy={middle}mJ", "--evaluations", "8", "--no-verify", "--json")
    front = found.json()["front"]
    assert front
    for member in front:
        at_most = predictor.at_most(np.array([member["encoding"]]), 1.96)[0]
        assert member["costs"]["cpu.energy"] < at_most <= middle * (1 + 1e-9)


def test_a_changed_model_is_noticed(search, trained_only, energy_tables, tmp_path):
    asked = ("--budget", "cpu.energy=500mJ", "--evaluations", "4", "--no-verify")
    assert search(*asked).status == 0
    before = contents(trained_only)
    tables = shutil.copytree(energy_tables, tmp_path / "other")
    path = next(tables.rglob("*.energy.json"))
    model = EnergyModel.load(path)
    replace(model, created_utc="2026-01-01T00:00:00Z").save(path)
    search(*asked, tables=tables).refusal(2, "tables was", "now", told=1)
    path.unlink()
    search(*asked, tables=tables).refusal(2, "no energy model of", "edgewright table energy")
    path.write_text('{"kind": "energy model"', "utf-8")
    search(*asked, tables=tables).refusal(2, "truncated", "edgewright table energy")
    assert contents(trained_only) == before


def test_a_model_with_a_large_error_is_refused(edgewright, trained_only, energy_tables, tmp_path):
    tables = shutil.copytree(energy_tables, tmp_path / "other")
    path = next(tables.rglob("*.energy.json"))
    model = EnergyModel.load(path)
    replace(model, validation=replace(model.validation, mape_percent=23.0)).save(path)
    told = edgewright("search", "--run", trained_only, "--tables", tables, "--objectives", "cpu.energy")
    told.refusal(2, "energy model", "23% off", "--allow-inaccurate")


def test_without_a_sensor_nothing_is_measured(energy, monkeypatch, tmp_path):
    monkeypatch.setattr("edgewright.latency.local_runner.find_sensors", partial(find_sensors, root=tmp_path))
    energy().refusal(4, "energy of local-cpu-onnxruntime cannot be measured", "no energy sensor", "RAPL")
    assert not (tmp_path / "tables").exists()


def test_a_device_behind_ssh_is_asked_for_its_sensors(energy, device, tmp_path):
    outcome = energy("--samples", "10", device=device.profile.path)
    if outcome.status == 4:
        outcome.refusal(4, "energy of shelf cannot be measured", "sensor")
        assert not (tmp_path / "tables").exists()


def test_wrong_requests_are_told_in_one_line(energy, powered, tmp_path):
    energy("--samples", "6").refusal(2, "no latency table behind them", "at least 10 are needed")
    energy("--samples", "300").refusal(2, "more than the 300", "--samples and --validate")
    energy("--precision", "fp8").refusal(2, "no precision 'fp8'")
    energy(device="gpu7").refusal(2, "gpu7")
    assert not (tmp_path / "tables").exists()


def test_what_is_there_of_something_else_is_kept(energy, chain, energy_tables, powered, tmp_path):
    path = energy_path(tmp_path / "tables", DeviceProfile.find("cpu"), chain.space, "fp32")
    path.parent.mkdir(parents=True)
    path.write_text("notes", "utf-8")
    energy().refusal(2, "is there already and is kept", "--again")
    assert path.read_text("utf-8") == "notes"
