from dataclasses import replace

import numpy as np
import pytest
from doubles.fake_device import FakeDevice, law_ms, network_law_ms
from doubles.fake_spaces import small_space
from doubles.ofa_problem import data_folder

from edgewright.errors import MissingEntryError, TableError
from edgewright.latency.encoding_features import EncodingFeatures, moved_elements
from edgewright.latency.encoding_predictor import (
    SPREAD,
    EncodingPredictor,
    SourceModel,
    model_covers,
    prior_of,
    source_costs,
)
from edgewright.latency.few_shot import log_normal
from edgewright.latency.measure import Measurement
from edgewright.latency.model import SourceCosts
from edgewright.latency.profiler import profile_space
from edgewright.latency.records import NetworkRecord
from edgewright.latency.target import ProfileConfig
from edgewright.latency.transfer import measure_transfer, plan_transfer
from edgewright.latency.validation import spearman
from edgewright.regression.transfer import Posterior, choose
from edgewright.spaces import Architecture, find_space

CONFIG = ProfileConfig(passes=1, rounds=4, n_fit=12, n_validate=4, max_repeats=0)
SPACE = "mobilenetv3-small-image@16+24+32:4"


@pytest.fixture(scope="module")
def space():
    return find_space(SPACE)


@pytest.fixture(scope="module")
def table(space, tmp_path_factory):
    device = FakeDevice(noise=0.01)
    return profile_space(
        space, device.target(space), journal=tmp_path_factory.mktemp("t") / "j", config=CONFIG
    )


@pytest.fixture(scope="module")
def model(space, table, tmp_path_factory):
    plan = plan_transfer(space, [table], n_samples=8, n_validate=10)
    return measure_transfer(
        space, slower().target(space), plan, journal=tmp_path_factory.mktemp("m") / "j", config=CONFIG
    )


def slower():
    """A device that is not the table's: three times as slow, and its clock is coarser."""
    return FakeDevice(noise=0.01, slowness=3.0)


def test_features_are_finite_and_fit_their_groups(space):
    features = EncodingFeatures(space)
    X = space.sample(np.random.default_rng(0), 50)
    F = features(X)
    assert F.shape == (50, sum(features.groups))
    assert np.isfinite(F).all()
    elastic = int((space.n_choices > 1).sum())
    assert features.groups[1] == elastic
    assert (F[:, -features.groups[2] :].sum(axis=1) == elastic).all()


def test_moved_elements_grow_with_the_image():
    small, large = (find_space(f"mobilenetv3-small-image@{side}") for side in (16, 32))
    for a, b in zip(small.all_operators(), large.all_operators(), strict=True):
        assert 0 < moved_elements(a) <= moved_elements(b)


def test_few_networks_and_a_source_predict_the_rest(space, model):
    predictor = EncodingPredictor(model, space)
    X = space.sample(np.random.default_rng(5), 200)
    truth = np.array([3 * network_law_ms(space, space.decode(x)) for x in X])
    assert np.abs(predictor.predict_ms(X) / truth - 1).mean() < 0.03
    assert (np.abs(predictor.predict_ms(X) - truth) < 1.96 * predictor.std_ms(X)).mean() > 0.85
    assert model.validation.n == 10
    assert predictor.error == pytest.approx(model.validation.mape_percent / 100)
    assert model.leave_one_out_percent < 10


def test_its_methods_are_those_of_a_tables_predictor(space, model):
    predictor = EncodingPredictor(model, space)
    X = space.sample(np.random.default_rng(5), 9)
    assert predictor.at_most_ms(X, 2.0) == pytest.approx(predictor.predict_ms(X) + 2 * predictor.std_ms(X))
    assert predictor.predict_one(space.decode(X[0])) == pytest.approx(predictor.predict_ms(X)[0])
    assert (predictor.std_ms(X) > 0).all()


def test_without_sources_more_networks_are_enough(space, tmp_path):
    plan = plan_transfer(space, [], n_samples=40, n_validate=10)
    found = measure_transfer(space, slower().target(space), plan, journal=tmp_path / "j", config=CONFIG)
    assert found.validation.mape_percent < 8
    assert found.sources == ()


def test_a_part_of_the_space_is_predicted_alike(space, model):
    part = find_space("mobilenetv3-small-image@16+32:4")
    archs = [part.decode(x) for x in part.sample(np.random.default_rng(0), 6)]
    whole = EncodingPredictor(model, space).predict_ms(np.stack([space.encode(a) for a in archs]))
    found = EncodingPredictor(model, part).predict_ms(np.stack([part.encode(a) for a in archs]))
    assert found == pytest.approx(whole)


def test_networks_of_another_space_are_refused(model):
    for other in (
        small_space(),
        find_space("mobilenetv3-small-image@16+40:4"),
        find_space("mobilenetv3-small-image@16:5"),
    ):
        assert not model_covers(model, other)
        with pytest.raises(MissingEntryError, match="networks that are not in it; make one with"):
            EncodingPredictor(model, other)


def test_a_model_without_networks_is_refused(space, model):
    with pytest.raises(TableError, match="holds 0 networks, at least 2"):
        EncodingPredictor(replace(model, networks=()), space)


def test_a_source_with_costs_of_other_operators_is_refused(space):
    with pytest.raises(TableError, match="the costs of other are not those"):
        SourceModel(space, [SourceCosts("other", "x 1", "fp32", "id", (1.0, 2.0))])


def test_a_source_whose_operators_failed_is_refused(space, tmp_path):
    operator = space.block(0, 16, 5, 4)
    broken = FakeDevice(broken=frozenset({operator.key}))
    table = profile_space(space, broken.target(space), journal=tmp_path / "j", config=CONFIG)
    with pytest.raises(TableError, match=r"1 operators of .* failed on"):
        source_costs(table, space)


def test_sources_with_networks_teach_how_far_they_are_followed(space, table):
    """A device like the others makes the common part weigh more, and the noise less."""
    rng = np.random.default_rng(0)
    tables, sources = [], []
    for number in range(3):
        twist = np.exp(0.2 * rng.standard_normal(len(space.all_operators())))
        costs = [law_ms(op) * t for op, t in zip(space.all_operators(), twist, strict=True)]
        of = dict(zip(space.all_operators(), costs, strict=True))
        archs = [space.decode(x) for x in space.sample(rng, 30)]
        networks = tuple(
            NetworkRecord(a, Measurement((sum(of[op] for op in space.operators(a)),)), "fit") for a in archs
        )
        tables.append(replace(table, networks=networks, device=f"d{number}"))
        sources.append(SourceCosts(f"d{number}", "x 1", "fp32", str(number), tuple(costs)))
    pool = space.sample(rng, 60)
    _, taught = prior_of(space, pool, sources, tables)
    _, default = prior_of(space, pool, sources[:1], tables[:1])
    assert taught[-1] < default[-1]


@pytest.mark.shared
@pytest.mark.skipif(data_folder() is None, reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
@pytest.mark.parametrize(
    ("device", "n", "max_error", "min_spearman"),
    [("v100_64", 10, 0.03, 0.99), ("v100_64", 50, 0.02, 0.99), ("2080ti_64", 50, 0.03, 0.99)],
)
def test_chosen_networks_alone_predict_published_ones(device, n, max_error, min_spearman):
    """OFA-MobileNetV3 on GPUs, measured end to end by HELP's authors: no table exists of them."""
    space = find_space("mobilenetv3-w1.0")
    with np.load(data_folder() / "gpu_latency_5000.npz") as data:
        rows = zip(data["r"][:1300], data["d"], data["ks"], data["e"], strict=False)
        archs = [
            Architecture(int(r), *(tuple(map(int, part)) for part in (d, ks, e))) for r, d, ks, e in rows
        ]
        ms = data[f"lat_ms_{device}"][:1300]
    X = np.stack([space.encode(arch) for arch in archs])
    frame, weights = prior_of(space, X[:300], [], [])
    points = frame.points(EncodingFeatures(space)(X), np.zeros((len(X), 0)))
    chosen = choose(points.take(slice(0, 300)), weights, n)
    known = Posterior(points.take(chosen), np.log(ms[chosen]), weights, spread=SPREAD)
    found = log_normal(known.predict(points.take(slice(300, None))))
    assert np.abs(found.mean / ms[300:] - 1).mean() < max_error
    assert spearman(found.mean, ms[300:]) > min_spearman
    assert (np.abs(found.mean - ms[300:]) < 1.96 * found.std).mean() > 0.9
