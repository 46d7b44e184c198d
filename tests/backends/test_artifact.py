from __future__ import annotations

import numpy as np
import pytest

from edgewright.backends.artifact import broken_off, checked_feeds, feeds_from_image, random_feeds
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


def test_what_fails_while_it_runs_is_one_line_with_the_runtimes_own_reason_and_the_mend() -> None:
    for error, reason in ((RuntimeError("node 3\nstack"), "node 3"), (RuntimeError(), "no reason given")):
        told = str(broken_off("LiteRT", error))
        assert "\n" not in told
        assert f"LiteRT loaded the file but failed while running it ({reason})" in told
        assert told.endswith("edgewright compile")
