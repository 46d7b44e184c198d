import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.errors import BudgetError
from edgewright.search import Budget, format_cost, parse_budgets
from edgewright.search.budget import ERRORS


def test_the_documented_example_is_read_in_base_units():
    budgets = parse_budgets("cpu=4ms,size=2MB,macs=30M,params=0.5M", devices=["cpu"])
    assert budgets == (
        Budget("cpu", 4.0, "ms"),
        Budget("size", 2e6, "B"),
        Budget("macs", 30e6, ""),
        Budget("params", 0.5e6, ""),
    )


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("cpu=250us", 0.25),
        ("cpu=1.5s", 1500.0),
        ("cpu<=4ms", 4.0),
        (" cpu = 4 ms ", 4.0),
        ("size=512KiB", 512 * 1024),
        ("size=1.5MiB", 1.5 * 2**20),
        ("size=100kB", 1e5),
        ("size=2e6B", 2e6),
        ("macs=300", 300.0),
        ("macs=1.2G", 1.2e9),
        ("params=20k", 20e3),
        ("raspberry-pi-4=60ms", 60.0),
        ("cpu.energy=20mJ", 20.0),
        ("cpu.energy<=500uJ", 0.5),
        ("cpu.energy=500µJ", 0.5),
        ("raspberry-pi-4.energy=1.5J", 1500.0),
    ],
)
def test_every_unit_is_read(text, limit):
    assert parse_budgets(text)[0].limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "limit"), [("error=5%", 0.05), ("error<=0.05", 0.05), ("adversarial-error=100%", 1.0)]
)
def test_errors_are_read_as_shares_where_they_are_known(text, limit):
    (budget,) = parse_budgets(text, devices=["cpu"], errors=ERRORS)
    assert budget.limit == pytest.approx(limit)
    assert parse_budgets(str(budget), errors=ERRORS) == (budget,)


@pytest.mark.parametrize("devices", [["cpu"], None])
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_cannot_be_held_before_it_is_evaluated(name, devices):
    with pytest.raises(
        BudgetError, match=rf"'{name}', which only evaluating.*front pick RUN --under {name}="
    ):
        parse_budgets(f"{name}=10%", devices=devices)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("error=5ms", "'error' takes the units none, %, got ms"),
        ("error=30", "at most 1 or 100%, got 30"),
        ("error=101%", "at most 1 or 100%, got 101%"),
        ("error=0%", "above 0"),
        ("cpu=4%", "units us, µs, ms, s, got %"),
        ("cpu.energy=4ms", "'cpu.energy' takes the units uJ, µJ, mJ, J, got ms"),
        ("cpu.energy=4", "'cpu.energy' takes the units uJ, µJ, mJ, J, got none"),
        ("cpu.energy=4kJ", "got kJ"),
        ("cpu.energy=0mJ", "'cpu.energy' must be above 0"),
        ("cpu=4mJ", "'cpu' takes the units us, µs, ms, s, got mJ"),
        ("size.energy=4mJ", "unknown name 'size.energy'"),
        ("gpu.energy=4mJ", r"unknown name 'gpu.energy' \(known: .*DEVICE.energy"),
        ("cpu.power=4mJ", "unknown name 'cpu.power'"),
        (".energy=4mJ", "is not NAME=VALUE"),
        ("energy=4mJ", "write DEVICE.energy.*edgewright table energy DEVICE --space SPACE"),
    ],
)
def test_what_is_no_share(text, fault):
    with pytest.raises(BudgetError, match=fault):
        parse_budgets(text, devices=["cpu"], errors=ERRORS)


def test_an_empty_text_is_no_budget():
    assert parse_budgets("") == ()
    assert parse_budgets("  ") == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cpu=4", "units us, µs, ms, s, got none"),
        ("cpu=4MB", "got MB"),
        ("size=4ms", "units B, kB"),
        ("macs=4MB", "units none, k"),
        ("gpu=4ms", "unknown name 'gpu' .known: cpu, size, macs, params"),
        ("accuracy=70%", "'accuracy' is told as the error.*--under error=30%`.* at least 70%"),
        ("cpu=fastms", "is not NAME=VALUE|needs a number"),
        ("cpu=ms", "needs a number"),
        ("cpu=-4ms", "above 0"),
        ("cpu=0ms", "above 0"),
        ("cpu=nanms", "needs a number|is not NAME"),
        ("cpu", "is not NAME=VALUE"),
        ("cpu=4ms,cpu=5ms", "given twice"),
        ("cpu=4ms,,size=2MB", "between commas is empty"),
        ("cpu=1e999ms", "above 0|needs a number"),
    ],
)
def test_each_fault_is_named_with_an_example(text, fault):
    with pytest.raises(BudgetError, match=fault) as caught:
        parse_budgets(text, devices=["cpu"])
    assert "cpu=4ms,size=2MB" in str(caught.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(BudgetError) as caught:
        parse_budgets("cpu=4,disk=3GB,size=", devices=["cpu"])
    message = str(caught.value)
    assert "'cpu'" in message
    assert "'disk'" in message
    assert "'size'" in message


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_budget_error(text):
    try:
        budgets = parse_budgets(text)
    except BudgetError:
        return
    assert all(budget.limit > 0 for budget in budgets)


@given(
    name=st.sampled_from(["cpu", "size", "macs", "params", "cpu.energy"]),
    limit=st.floats(1e-2, 1e12, allow_nan=False).map(lambda v: float(f"{v:.3g}")),
)
def test_a_printed_budget_reads_back(name, limit):
    budget = parse_budgets(str(Budget(name, limit, "")))[0]
    assert budget.limit == pytest.approx(limit, rel=1e-3)


def test_costs_are_shown_with_a_readable_unit():
    assert format_cost("cpu", 2.3149) == "2.315 ms"
    assert format_cost("cpu.energy", 20.0) == "20 mJ"
    assert format_cost("size", 1_800_000) == "1.8 MB"
    assert format_cost("macs", 30e6) == "30 M"
    assert format_cost("params", 12.0) == "12"
    assert format_cost("error", 0.0714) == "7.14%"
