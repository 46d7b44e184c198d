import numpy as np
import pytest

from edgewright.latency.measure import Measurement
from edgewright.latency.noise import Between, between_visits, difference_p, discoveries, spread_of

QUIET = Between(0.0, 0, 1)


def drawn(rng, scale, n=24, noise=0.03, state=0.0):
    level = scale * (1 + state * rng.standard_normal())
    return Measurement(tuple(level * (1 + noise * rng.standard_normal(n))))


def share_called_different(rng, ratio, between, state=0.0, n=400):
    pairs = [(drawn(rng, 1.0, state=state), drawn(rng, ratio, state=state)) for _ in range(n)]
    p = [
        difference_p(a.median_ms, b.median_ms, spread_of(a, between), spread_of(b, between)) for a, b in pairs
    ]
    return float(np.mean(discoveries(p)))


def test_nothing_changed_is_called_so():
    assert share_called_different(np.random.default_rng(0), 1.0, QUIET) < 0.02


def test_a_change_of_several_percent_is_found():
    assert share_called_different(np.random.default_rng(1), 1.08, QUIET) > 0.9


def test_what_the_anchor_shows_of_the_machine_counts():
    rng = np.random.default_rng(2)
    anchor = [1 + 0.05 * rng.standard_normal() for _ in range(40)]
    assert share_called_different(rng, 1.0, QUIET, state=0.05) > 0.2, (
        "samples of one visit know nothing of it"
    )
    between = between_visits(anchor, 1)
    assert between.share == pytest.approx(0.05, rel=0.3)
    assert share_called_different(rng, 1.0, between, state=0.05) < 0.02


def test_identical_samples_of_stored_resolution_are_not_exact():
    a, b = Measurement((0.0010,) * 20), Measurement((0.0011,) * 20)
    p = difference_p(a.median_ms, b.median_ms, spread_of(a, QUIET), spread_of(b, QUIET))
    assert p > 0.01
    assert difference_p(1.0, 1.0, spread_of(a, QUIET), spread_of(b, QUIET)) == pytest.approx(1.0)


def test_discoveries_are_those_of_benjamini_and_hochberg():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    for _ in range(20):
        p = rng.random(30) ** 3
        assert discoveries(p) == list(stats.false_discovery_control(p) <= 0.05)
    assert discoveries([]) == []
