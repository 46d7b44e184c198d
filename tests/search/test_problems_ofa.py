import numpy as np
import pytest

from edgewright.errors import UsageError
from edgewright.search.problems import AccuracyPredictor, ofa_problem, ofa_space
from edgewright.spaces import find_space

SHAPES = {"0": (400, 128), "2": (400, 400), "4": (400, 400), "6": (1, 400)}


def write_predictor(path, **changes):
    rng = np.random.default_rng(0)
    arrays = {}
    for layer, shape in SHAPES.items():
        arrays[f"{layer}.weight"] = (rng.standard_normal(shape) / np.sqrt(shape[1])).astype(np.float32)
        arrays[f"{layer}.bias"] = (0.1 * rng.standard_normal(shape[0])).astype(np.float32)
    arrays.update(changes)
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


@pytest.fixture
def predictor(tmp_path):
    return AccuracyPredictor.load(write_predictor(tmp_path / "predictor.npz"))


def shown(arch):
    """Return what OFA's own code shows the perceptron of an architecture."""
    one_hot = []
    for values, choices in ((arch.kernel_sizes, (3, 5, 7)), (arch.expands, (3, 4, 6))):
        for slot, value in enumerate(values):
            built = slot % 4 < arch.depths[slot // 4]
            one_hot += [float(built and value == choice) for choice in choices]
    return np.array(one_hot + [float(arch.resolution == side) for side in range(112, 225, 16)])


def test_the_perceptron_sees_a_network_as_ofa_shows_it(predictor):
    space = predictor.space
    X = space.sample(np.random.default_rng(1), 20)
    h = np.stack([shown(space.decode(x)) for x in X])
    for i in range(4):
        h = h @ predictor.weights[i].T + predictor.biases[i]
        h = np.maximum(h, 0) if i < 3 else h
    np.testing.assert_allclose(predictor.error(X), 100 * (1 - h[:, 0]), rtol=1e-9)


def test_an_error_does_not_depend_on_what_is_asked_beside_it(predictor):
    X = predictor.space.sample(np.random.default_rng(2), 5000)
    alone = np.concatenate([predictor.error(X[i : i + 1]) for i in range(20)])
    np.testing.assert_array_equal(predictor.error(X)[:20], alone)
    assert predictor.error(X[:0]).shape == (0,)


def test_single_precision_ranks_as_double_does(predictor):
    X = predictor.space.sample(np.random.default_rng(3), 300)
    np.testing.assert_allclose(predictor.single().error(X), predictor.error(X), atol=1e-3)


def test_the_problem_has_the_error_and_the_latency_that_it_is_given(predictor):
    macs = predictor.space.tabulate(lambda op: float(op.macs))
    problem = ofa_problem(predictor, macs, device="counter")
    X = problem.space.sample(np.random.default_rng(4), 5)
    np.testing.assert_array_equal(problem.objectives(X), np.column_stack([predictor.error(X), macs(X)]))
    assert problem.names == ("error", "counter")
    assert problem.known is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"2.weight": None, "6.bias": None}, "lacks 2.weight, 6.bias"),
        ({"2.weight": np.zeros((400, 300))}, "expected a chain"),
        ({"6.bias": np.zeros(2), "6.weight": np.zeros((2, 400))}, "to 1"),
        ({"0.bias": np.full(400, np.nan)}, "not finite"),
    ],
)
def test_files_of_another_predictor_are_refused(tmp_path, changes, said):
    with pytest.raises(UsageError, match=said):
        AccuracyPredictor.load(write_predictor(tmp_path / "predictor.npz", **changes))


def test_spaces_that_the_predictor_knows_nothing_of_are_refused(tmp_path):
    path = write_predictor(tmp_path / "predictor.npz")
    for name in ("mobilenetv3-small-image", "mobilenetv3-w1.2@132"):
        with pytest.raises(UsageError, match="not mobilenetv3"):
            AccuracyPredictor.load(path, find_space(name))
    assert AccuracyPredictor.load(path, ofa_space((112 + 48, 224))).space.resolutions == (160, 224)
