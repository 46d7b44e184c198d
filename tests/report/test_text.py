import math

import pytest

from edgewright.report.text import SPACE, display_scale, percent, plural, quantity, significant


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (3.14159, "ms", "3.14 ms"),
        (0.0432, "ms", "0.0432 ms"),
        (123.4, "ms", "123 ms"),
        (9.999, "ms", "10 ms"),
        (4.0, "ms", "4 ms"),
        (0.0, "ms", "0 ms"),
        (0.978, "fraction", "97.8 %"),
        (1_450_000, "B", "1.45 MB"),
        (996_000, "B", "996 kB"),
        (12, "B", "12 B"),
        (11_800_000, "", "11.8 M"),
        (7, "", "7"),
        (5.25, "mJ", "5.25 mJ"),
        (None, "ms", "–"),
        (math.nan, "ms", "–"),
        (math.inf, "B", "–"),
    ],
)
def test_quantity_has_few_digits_and_a_unit(value: float | None, unit: str, shown: str) -> None:
    assert quantity(value, unit).replace(SPACE, " ") == shown


def test_fixed_keeps_the_zeros_of_a_column() -> None:
    assert quantity(1.5, "ms", fixed=True) == f"1.50{SPACE}ms"
    assert significant(9.999, fixed=True) == "10.0"


def test_very_small_and_large_values_are_not_powers_of_ten() -> None:
    assert significant(1.5e-7) == "0.00000015"
    assert significant(123_456_789) == "123000000"


def test_percent_shows_a_sign_on_request() -> None:
    assert percent(0.004, sign=True).replace(SPACE, " ") == "+0.4 %"
    assert percent(None) == "–"


def test_display_scale_follows_the_largest_value() -> None:
    assert display_scale("B", 2e6) == (1e-6, "MB")
    assert display_scale("fraction", 0.1) == (100.0, "%")
    assert display_scale("ms", 1e9) == (1.0, "ms")


def test_plural() -> None:
    assert (plural(1, "network"), plural(0, "network"), plural(1200, "network")) == (
        "1 network",
        "0 networks",
        "1,200 networks",
    )
