import numpy as np
import pytest
from doubles.fake_device import law_ms
from doubles.fake_spaces import small_space

from edgewright.latency.correction import (
    FEATURES,
    NO_CORRECTION,
    Correction,
    cold_share,
    features,
    fit,
    in_context,
    spilled_share,
    working_set_bytes,
)
from edgewright.latency.records import NetCost
from edgewright.latency.sampling import sample_networks
from edgewright.latency.validation import spearman, validate
from edgewright.spaces import find_space


def sums(space, X, rng, noise=0.0):
    """Return features of networks ``(n, n_features)`` under the fake device's law."""
    rows = []
    for x in X:
        row = np.zeros(len(FEATURES))
        for op in space.operators(space.decode(x)):
            warm = law_ms(op) * (1 + noise * rng.standard_normal())
            values = features(NetCost(warm, 1.5 * warm))
            row += [values[name] for name in FEATURES]
        rows.append(row)
    return np.array(rows)


def test_fit_finds_what_the_borders_cost():
    rng, space = np.random.default_rng(0), find_space("mobilenetv3-small-image@16+24+32")
    F = sums(space, space.sample(rng, 60), rng)
    measured = 0.8 * F[:, 0] - 0.3 * F[:, FEATURES.index("calls")]
    correction = fit(F[:30], measured[:30])
    predicted = F[30:] @ [correction.coefficients[name] for name in FEATURES]
    assert np.abs(predicted / measured[30:] - 1).max() < 0.005
    assert correction.leave_one_out_percent < 0.5


def test_fit_of_noise_stays_near_the_plain_sum():
    rng, space = np.random.default_rng(1), find_space("mobilenetv3-small-image@16+24+32")
    F = sums(space, space.sample(rng, 8), rng)
    correction = fit(F, F[:, 0] * (1 + 0.2 * rng.standard_normal(8)))
    predicted = F @ [correction.coefficients[name] for name in FEATURES]
    assert np.abs(predicted / F[:, 0] - 1).max() < 0.3


def test_too_few_networks_fit_nothing():
    assert fit(np.ones((3, len(FEATURES))), np.ones(3)) == NO_CORRECTION
    assert fit(np.ones((0, len(FEATURES))), np.ones(0)) == NO_CORRECTION
    plain = in_context(0.4)
    assert fit(np.ones((3, len(FEATURES))), np.ones(3), plain) == plain


def test_a_corrected_operator_never_costs_nothing():
    coefficients = {**NO_CORRECTION.coefficients, "calls": -100.0}
    correction = Correction(coefficients=coefficients, ridge=0.1, n=9, leave_one_out_percent=1.0)
    assert correction.cost_ms(NetCost(1.0, 1.0)) > 0


def test_what_every_network_has_alike_lies_with_the_operators_that_none_lacks():
    correction = Correction(
        coefficients={**NO_CORRECTION.coefficients, "once": -3.0}, ridge=0.1, n=9, leave_one_out_percent=1.0
    )
    assert correction.cost_ms(NetCost(0.2, 0.4, is_fixed=True)) == pytest.approx(0.2 - 0.03)
    assert correction.cost_ms(NetCost(0.2, 0.4)) == 0.2
    assert correction.cost_ms(NetCost(0.02, 0.04, is_fixed=True)) > 0


def test_every_network_of_a_space_has_as_many_operators_that_none_lacks():
    for name in ("mobilenetv3-w1.0", "mobilenetv3-small-image@24+32"):
        space = find_space(name)
        X = space.sample(np.random.default_rng(0), 50)
        counts = {sum(not op.residual for op in space.operators(space.decode(x))) for x in X}
        assert len(counts) == 1


def test_an_operator_spills_what_the_cache_cannot_hold():
    space = find_space("mobilenetv3-w1.0@224")
    operators = space.operators(space.largest())
    sets = [working_set_bytes(op, "fp32") for op in operators]
    block = operators[2]  # 112 x 112 x 16 to 56 x 56 x 24, 6 times as wide inside
    inside = block.mid_channels * (block.in_size**2 + block.out_size**2)
    ends = block.in_channels * block.in_size**2 + block.out_channels * block.out_size**2
    assert sets[2] == 4 * (inside + ends + block.params)
    assert working_set_bytes(block, "int8") * 4 == sets[2]
    assert spilled_share(sets[2], sets[2]) == spilled_share(0, 2**20) == 0
    assert spilled_share(4 * 2**20, 2**20) == 0.75
    assert features(NetCost(2.0, 3.0, spilled=0.75))["spilled"] == 1.5


def test_a_correction_of_three_features_is_still_read():
    old = {
        "coefficients": {"warm": 0.4, "cold": 0.6, "calls": 1.0},
        "ridge": 0.1,
        "n": 30,
        "leave_one_out_percent": 2.0,
        "noise": 0.02,
        "covariance": [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]],
    }
    read = Correction.from_json(old)
    assert read.cost_ms(NetCost(1.0, 2.0, 0.5, is_fixed=True)) == pytest.approx(0.4 + 1.2 + 0.01)
    assert np.array(read.covariance).shape == (len(FEATURES), len(FEATURES))
    assert np.diag(read.covariance).tolist() == [1.0, 2.0, 3.0, 0.0, 0.0]


def test_a_correction_survives_json():
    correction = Correction(
        coefficients=NO_CORRECTION.coefficients, ridge=0.1, n=9, leave_one_out_percent=1.0
    )
    assert Correction.from_json(correction.to_json()) == correction


def test_sampled_networks_cover_the_whole_range_and_every_resolution():
    space = find_space("mobilenetv3-w1.0@128+160+192+224")
    found = sample_networks(space, 20, 30, np.random.default_rng(0))
    X = np.array([space.encode(network.architecture) for network in found])
    macs = np.log(space.tabulate(lambda op: float(op.macs))(X))
    ends = space.tabulate(lambda op: float(op.macs))(
        np.array([space.encode(space.smallest()), space.encode(space.largest())])
    )
    assert len({network.architecture for network in found}) == 50
    assert [network.role for network in found].count("fit") == 20
    assert (macs.min(), macs.max()) == pytest.approx(tuple(np.log(ends)))
    assert np.diff(np.sort(macs)).max() < 0.15 * np.ptp(macs)
    assert np.bincount(X[:, 0]).min() >= 5
    for role in ("fit", "validate"):
        part = macs[[network.role == role for network in found]]
        assert np.ptp(part) > 0.85 * np.ptp(macs)


def test_a_space_with_few_networks_gives_them_all_once():
    space = small_space(resolutions=(8,), depths=(1,), kernel_sizes=(3,), expands=(3, 4))
    found = sample_networks(space, 5, 5, np.random.default_rng(0))
    assert len({network.architecture for network in found}) == len(found) == 4


def test_validation_of_perfect_predictions():
    space = small_space()
    archs = [space.decode(x) for x in space.sample(np.random.default_rng(0), 10)]
    measured = np.linspace(1, 2, 10)
    found = validate(archs, measured, measured, 0.5 * measured)
    assert found.mape_percent == found.bias_percent == found.p95_percent == 0
    assert found.within_5_percent == found.within_10_percent == 100
    assert found.spearman == pytest.approx(1)
    assert found.raw_mape_percent == pytest.approx(50)
    assert len(found.worst) == 5


def test_validation_names_the_worst_first():
    space = small_space()
    archs = [space.decode(x) for x in space.sample(np.random.default_rng(0), 4)]
    measured = np.ones(4)
    found = validate(archs, measured, np.array([1.0, 1.2, 0.7, 1.07]), measured)
    assert [round(worst.error_percent) for worst in found.worst] == [-30, 20, 7, 0]
    assert found.worst[0].architecture == archs[2].to_json()
    assert found.within_5_percent == 25
    assert found.within_10_percent == 50


def test_spearman_agrees_with_scipy_also_for_ties():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 6, 15).astype(float), rng.integers(0, 6, 15).astype(float)
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert spearman(np.ones(5), np.arange(5.0)) == 0


def test_intervals_cover_networks_that_were_not_seen_as_often_as_they_say():
    space, inside, total = find_space("mobilenetv3-small-image@16+24+32"), 0, 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        F = sums(space, space.sample(rng, 70), rng)
        measured = 0.8 * F[:, 0] * (1 + 0.03 * rng.standard_normal(70))
        correction = fit(F[:30], measured[:30])
        predicted = F[30:] @ [correction.coefficients[name] for name in FEATURES]
        std = correction.std_ms(F[30:], predicted)
        inside += int((np.abs(measured[30:] - predicted) <= 1.96 * std).sum())
        total += 40
        assert correction.noise == pytest.approx(0.03, rel=0.5)
    assert 0.93 <= inside / total <= 0.985


def test_one_wild_network_does_not_blow_up_the_intervals():
    rng, space = np.random.default_rng(3), find_space("mobilenetv3-small-image@16+24+32")
    F = sums(space, space.sample(rng, 30), rng)
    measured = 0.8 * F[:, 0] * (1 + 0.02 * rng.standard_normal(30))
    calm = fit(F, measured).noise
    measured[7] *= 2
    assert fit(F, measured).noise < 2 * calm


def test_without_a_fit_the_uncertainty_is_unknown():
    assert np.isnan(NO_CORRECTION.std_ms(np.ones((2, len(FEATURES))), np.ones(2))).all()


def test_validation_counts_what_lies_in_its_interval():
    space = small_space()
    archs = [space.decode(x) for x in space.sample(np.random.default_rng(0), 4)]
    measured, predicted = np.ones(4), np.array([1.0, 1.01, 1.1, 0.7])
    found = validate(archs, measured, predicted, predicted, np.full(4, 0.06))
    assert found.coverage_95_percent == 75
    assert validate(archs, measured, predicted, predicted).coverage_95_percent is None


def test_a_network_within_the_cache_is_warm_and_a_larger_one_colder():
    shares = [cold_share(megabytes * 2**20, 2**20) for megabytes in (0.1, 1, 2, 8, 100)]
    assert shares[:2] == [0, 0]
    assert shares == sorted(shares)
    assert shares[-1] < 1
