import pytest
from doubles.sysfs import tree

from edgewright.devices.energy import measure_energy
from edgewright.devices.energy_sensors import find_sensors

RAPL = "/sys/class/powercap"


def rapl(root, energy_uj=0, max_uj=262_143_328_850):
    """A processor's package with its cores and its memory, as powercap.rst describes them."""
    zones = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram"}
    files = {}
    for folder, name in zones.items():
        files[f"{RAPL}/{folder}/name"] = name + "\n"
        files[f"{RAPL}/{folder}/energy_uj"] = f"{energy_uj}\n"
        files[f"{RAPL}/{folder}/max_energy_range_uj"] = f"{max_uj}\n"
    return tree(root, files)


def rails(root, labels, name="ina3221"):
    files = {"/sys/class/hwmon/hwmon1/name": f"{name}\n"}
    for channel, label in enumerate(labels, 1):
        files[f"/sys/class/hwmon/hwmon1/in{channel}_label"] = f"{label}\n"
        files[f"/sys/class/hwmon/hwmon1/in{channel}_input"] = "5000\n"  # mV
        files[f"/sys/class/hwmon/hwmon1/curr{channel}_input"] = "1200\n"  # mA
    return tree(root, files)


class Counter:
    """A package that takes 2 mJ an inference and 1 W while idle; its clock stands still in between."""

    def __init__(self, root, energy_uj, max_uj):
        self.path = root / f"{RAPL}/intel-rapl:0/energy_uj".lstrip("/")
        self.energy_uj, self.max_uj, self.now_s = energy_uj, max_uj, 0.0

    def spend(self, uj, seconds):
        self.energy_uj = (self.energy_uj + uj) % self.max_uj
        self.now_s += seconds
        self.path.write_text(f"{self.energy_uj}\n")

    def run(self):
        self.spend(2000, 0.001)

    def sleep(self, seconds):
        self.spend(round(seconds * 1e6), seconds)


@pytest.mark.parametrize("start_uj", [0, 9_500_000], ids=["from zero", "over the end of its range"])
def test_a_counter_gives_the_energy_of_an_inference(tmp_path, start_uj):
    max_uj = 10_000_000
    root = rapl(tmp_path, start_uj, max_uj)
    counter = Counter(root, start_uj, max_uj)
    found = find_sensors(root=root)
    assert [sensor.name for sensor in found.sensors] == ["RAPL package-0", "RAPL dram of package-0"]
    (package, _) = measure_energy(
        counter.run, lambda: None, found.sensors, clock_s=lambda: counter.now_s, sleep=counter.sleep
    )
    assert package.energy_mj == pytest.approx(2.0)
    assert package.idle_power_mw == pytest.approx(1000.0)
    assert package.power_mw == pytest.approx(2000.0)
    assert package.n == pytest.approx(1000, abs=1)
    assert package.net_mj == pytest.approx(1.0)
    assert package.to_json()["net_mj"] == package.net_mj
    assert "2 mJ an inference on RAPL package-0 (1 mJ above idle" in package.text()


def test_a_counter_that_only_root_may_read_names_the_mend(tmp_path):
    root = rapl(tmp_path)
    for path in root.glob("sys/class/powercap/*/energy_uj"):
        path.unlink()
        path.mkdir()  # reading it fails for root as well, who runs some tests
    found = find_sensors(root=root)
    assert not found.sensors
    assert "sudo chmod a+r" in found.reason


def test_the_rail_that_feeds_a_jetson_stands_for_all(tmp_path):
    root = rails(tmp_path, ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"])
    found = find_sensors(root=root)
    assert [sensor.name for sensor in found.sensors] == ["INA3221 VDD_IN"]
    (energy,) = measure_energy(lambda: None, lambda: None, found.sensors, seconds=0.1)
    assert energy.power_mw == pytest.approx(6000, rel=0.05)  # 5 V x 1.2 A, summed up by the real clock
    assert energy.energy_mj == pytest.approx(6000 * energy.seconds / energy.n, rel=0.05)
    assert energy.net_mj == pytest.approx(0.0, abs=0.1 * energy.energy_mj)


def test_rails_without_a_common_one_are_told_one_by_one(tmp_path):
    names = [s.name for s in find_sensors(root=rails(tmp_path, ["VDD_GPU", "VDD_CPU"])).sensors]
    assert names == ["INA3221 VDD_GPU", "INA3221 VDD_CPU"]


def test_a_sensor_that_fails_meanwhile_is_left_out(tmp_path):
    root = rapl(tmp_path)
    sensors = find_sensors(root=root).sensors

    def run():
        (root / f"{RAPL}/intel-rapl:0/energy_uj".lstrip("/")).unlink(missing_ok=True)

    found = measure_energy(run, lambda: None, sensors, seconds=0.01)
    assert [energy.sensor for energy in found] == ["RAPL dram of package-0"]


def test_a_machine_without_sensor_says_what_was_looked_for(tmp_path):
    found = find_sensors(root=rails(tmp_path, ["VDD_IN"], name="coretemp"))
    assert not found.sensors
    assert all(word in found.reason for word in ("no energy sensor", "RAPL", "NVML", "INA3221"))


def test_this_machine_has_a_sensor_or_says_why_not():
    found = find_sensors()
    assert bool(found.sensors) != bool(found.reason)
    for energy in measure_energy(lambda: sum(range(1000)), lambda: None, found.sensors, seconds=0.3):
        assert energy.energy_mj >= 0
