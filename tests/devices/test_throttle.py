import pytest
from doubles.sysfs import tree

from edgewright.devices.conditions import read_conditions
from edgewright.devices.throttle import changed, snapshot

CPU = "/sys/devices/system/cpu"
PI = {
    "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "/sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
    "/sys/class/thermal/thermal_zone0/temp": "61300\n",
    f"{CPU}/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
    f"{CPU}/cpu1/cpufreq/scaling_cur_freq": "1500000\n",
}


def test_clock_and_temperature_are_read(tmp_path):
    found = snapshot(root=tree(tmp_path, PI))
    assert (found.clock_mhz, found.temperature_c, found.throttled) == (1500.0, 61.3, ())
    assert found.to_json() == {"clock_mhz": 1500.0, "temperature_c": 61.3, "throttled": []}


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("50000", ()),  # under-voltage and throttling since boot, but before this
        ("50005", ("under-voltage", "throttled")),
        ("8", ("soft temperature limit",)),
        ("not told", ()),
    ],
)
def test_what_the_firmware_of_a_raspberry_pi_does_now(tmp_path, bits, expected):
    root = tree(tmp_path, PI | {"/sys/devices/platform/soc/soc:firmware/get_throttled": bits})
    assert snapshot(root=root).throttled == expected
    assert read_conditions(root=root).throttled == expected


def test_what_came_and_went_between_two_snapshots_is_seen(tmp_path):
    root = tree(tmp_path, PI)
    before = snapshot(root=root)
    assert changed(before, snapshot(root=root)) == ()
    tree(root, {"/sys/devices/platform/soc/soc:firmware/get_throttled": "10000\n"})
    assert changed(before, snapshot(root=root)) == ("under-voltage (firmware) rose by 1",)
    # From then on it is history, and what follows is clean.
    again = snapshot(root=root)
    assert changed(again, snapshot(root=root)) == ()


def test_counters_of_the_kernel_that_move(tmp_path):
    counter = f"{CPU}/cpu0/thermal_throttle/core_throttle_count"
    alarm = "/sys/class/hwmon/hwmon3/oc1_event_cnt"
    root = tree(tmp_path, {counter: "7\n", alarm: "0\n"})
    before = snapshot(root=root)
    tree(root, {counter: "9\n", alarm: "1\n"})
    reasons = changed(before, snapshot(root=root))
    assert reasons == (
        "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count rose by 2",
        "class/hwmon/hwmon3/oc1_event_cnt rose by 1",
    )


def test_a_cooling_device_that_holds_a_processor_back_but_not_a_fan(tmp_path):
    folder = "/sys/class/thermal/cooling_device"
    files = {
        f"{folder}0/type": "cpufreq-cpu0\n",
        f"{folder}0/cur_state": "0\n",
        f"{folder}1/type": "pwm-fan\n",
        f"{folder}1/cur_state": "3\n",
    }
    root = tree(tmp_path, files)
    before = snapshot(root=root)
    assert before.throttled == ()
    tree(root, {f"{folder}0/cur_state": "2\n"})
    assert changed(before, snapshot(root=root)) == ("cpufreq-cpu0 holds back (2)",)


def test_a_machine_that_tells_nothing_is_not_accused(tmp_path):
    found = snapshot(root=tmp_path)
    assert (found.clock_mhz, found.temperature_c, found.throttled, found.events) == (None, None, (), ())


def test_this_machine_can_be_asked_often():
    first = snapshot()
    assert changed(first, snapshot()) == first.throttled or first.throttled
