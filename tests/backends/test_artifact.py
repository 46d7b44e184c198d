from __future__ import annotations

import numpy as np
import pytest

from edgewright.backends.artifact import checked_feeds, feeds_from_image, random_feeds
from edgewright.backends.base import TensorSpec
from edgewright.errors import RuntimeFailureError

NHWC = (TensorSpec("input", (1, 4, 5, 3), "float32", "NHWC"),)


def test_an_image_is_fed_in_the_sessions_own_layout() -> None:
    image = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    fed = feeds_from_image(NHWC, image)["input"]
    assert fed.flags.c_contiguous
    assert np.array_equal(fed[0].transpose(2, 0, 1), image)


def test_all_faults_of_feeds_are_named_at_once() -> None:
    with pytest.raises(RuntimeFailureError, match=r"no input 'x'.*'input' is missing"):
        checked_feeds(NHWC, {"x": np.zeros(3)})


def test_random_feeds_depend_on_the_generator_alone() -> None:
    one, two = (random_feeds(NHWC, np.random.default_rng(3))["input"] for _ in range(2))
    assert np.array_equal(one, two)
    assert one.dtype == np.float32
