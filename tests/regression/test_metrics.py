import numpy as np

from edgewright.regression.metrics import kendall_tau, rmse, spearman


def test_ranks_that_agree_give_one_and_reversed_ranks_minus_one():
    a = np.array([1.0, 2.0, 3.0, 10.0])
    assert kendall_tau(a, a**3) == 1.0
    assert spearman(a, -a) == -1.0


def test_constant_or_short_input_is_undefined_and_not_a_number_in_disguise():
    a = np.array([1.0, 2.0, 3.0])
    assert kendall_tau(np.ones(3), a) is None
    assert spearman(a, np.ones(3)) is None
    assert kendall_tau(a[:1], a[:1]) is None
    assert rmse(a[:0], a[:0]) is None


def test_rmse_is_in_the_unit_of_the_data():
    assert rmse(np.array([1.0, 3.0]), np.array([1.0, 1.0])) == np.sqrt(2.0)
