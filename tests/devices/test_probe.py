import json
import platform
from dataclasses import replace

import pytest
from doubles.sysfs import tree

from edgewright.devices import DeviceProfile, Fingerprint, check_gates, probe, read_conditions
from edgewright.devices.conditions import Conditions
from edgewright.errors import TableError


@pytest.fixture
def pi(tmp_path):
    """The facts that Linux keeps on a Raspberry Pi 5."""
    cpu = "/sys/devices/system/cpu"
    core = "processor\t: 0\nFeatures\t: fp asimd asimddp crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"
    files = {
        "/proc/cpuinfo": core + "\n" + core.replace(": 0\n", ": 1\n") + "\nModel\t: Raspberry Pi 5\n",
        "/proc/meminfo": "MemTotal:  8245248 kB\nMemFree: 1 kB\nMemAvailable:  6000000 kB\n",
        "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "/proc/stat": "cpu  1 2 3 4 5 6 7 800 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n",
        "/sys/class/thermal/thermal_zone0/temp": "62500\n",
        "/sys/class/thermal/thermal_zone1/temp": "-274000\n",
    }
    for number in (0, 1):
        files |= {
            f"{cpu}/cpu{number}/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}/cpu{number}/cpufreq/scaling_cur_freq": "2400000\n",
            f"{cpu}/cpu{number}/cache/index0/level": "2\n",
            f"{cpu}/cpu{number}/cache/index0/type": "Unified\n",
            f"{cpu}/cpu{number}/cache/index0/size": "512K\n",
            f"{cpu}/cpu{number}/cache/index0/shared_cpu_list": f"{number}\n",
        }
    return tree(tmp_path, files)


def test_a_raspberry_pi_is_recognised(pi):
    found = probe(root=pi)
    assert found.board == "Raspberry Pi 5 Model B Rev 1.0"
    assert found.isa == ("asimd", "asimddp")
    assert found.cpu_model == "CPU implementer 0x41, CPU part 0xd0b"
    assert found.caches == ("L2 Unified 512K x2",)
    assert found.memory_gib == 8
    assert found.governor == "ondemand"
    assert not found.emulated


def test_an_emulated_machine_is_recognised(pi):
    tree(pi, {"/proc/cpuinfo": "processor : 0\nmodel name : QEMU Virtual CPU version 2.5+\nflags : sse4_2\n"})
    assert probe(root=pi).emulated


def test_conditions_of_a_raspberry_pi(pi):
    found = read_conditions(root=pi)
    assert found.temperature_c == 62.5
    assert found.clocks_mhz == (2400.0, 2400.0)
    assert found.memory_available_bytes == 6_000_000 * 1024
    assert found.steal_ms == 8000


def test_a_system_that_tells_nothing_is_no_error(tmp_path):
    assert probe(root=tmp_path).caches == ()
    found = read_conditions(root=tmp_path)
    assert found.temperature_c is None
    assert found.governor == "none"


def test_this_machine_is_the_same_twice():
    first, second = probe(), probe()
    assert first.digest == second.digest
    assert not first.differences(second)
    assert first.cores >= 1
    assert first.memory_bytes > 0


def test_the_digest_follows_what_decides_speed_and_nothing_else():
    found = probe()
    for change in ({"cores": 999}, {"isa": ()}, {"governor": "x"}, {"memory_bytes": 1 << 50}):
        assert replace(found, **change).digest != found.digest
    for change in ({"os_release": "9"}, {"python": "9"}, {"packages": {}}):
        assert replace(found, **change).digest == found.digest
    assert replace(found, memory_bytes=found.memory_bytes + 1000).digest == found.digest


def test_fingerprint_and_conditions_survive_json(pi):
    found = probe(root=pi)
    assert Fingerprint.from_json(json.loads(json.dumps(found.to_json()))) == found
    conditions = read_conditions(root=pi)
    assert Conditions.from_json(json.loads(json.dumps(conditions.to_json()))) == conditions
    with pytest.raises(TableError):
        Fingerprint.from_json({"cores": 2})
    with pytest.raises(TableError):
        Conditions.from_json([])


def test_gates_name_every_reason_with_its_mend(pi):
    profile = DeviceProfile.find("raspberry-pi-5")
    warm = replace(read_conditions(root=pi), temperature_c=78.0, throttled=("under-voltage",))
    faults = " ".join(check_gates(profile, warm))
    assert "78 °C" in faults
    assert "let it cool down" in faults
    assert "scaling_governor" in faults
    assert "under-voltage" in faults


def test_gates_pass_where_the_system_does_not_tell(tmp_path):
    assert check_gates(DeviceProfile.find("raspberry-pi-5"), read_conditions(root=tmp_path)) == ()


@pytest.mark.parametrize(
    ("caches", "expected"),
    [
        (("L1 Data 48K x2", "L2 Unified 1024K x2", "L3 Unified 32768K x1"), 1 << 20),
        (("L2 Unified 2M x4",), 2 << 20),
        ((), 1 << 20),
    ],
)
def test_the_cache_of_a_core_is_its_l2(caches, expected):
    assert replace(probe(), caches=caches).core_cache_bytes == expected


@pytest.mark.parametrize(
    ("files", "emulated"),
    [
        ({"/proc/sys/kernel/arch": "sparc64\n"}, True),
        ({"/proc/sys/kernel/arch": platform.machine() + "\n"}, False),
        ({"/proc/thread-self/maps": "7f00-7f01 r-xp 0 fe:00 1 /usr/bin/qemu-aarch64-static\n"}, True),
        (
            {"/proc/thread-self/maps": "7f00-7f01 r-xp 0 fe:00 1 /usr/lib/aarch64-linux-gnu/libc.so.6\n"},
            False,
        ),
        (
            {
                "/proc/cpuinfo": "model name : QEMU Virtual CPU version 2.5+\n",
                "/sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc\n",
            },
            False,
        ),
    ],
    ids=["foreign kernel", "own kernel", "emulator in memory", "no emulator", "the name under KVM"],
)
def test_an_emulator_shows_itself(tmp_path, files, emulated):
    assert probe(root=tree(tmp_path, files)).emulated is emulated
