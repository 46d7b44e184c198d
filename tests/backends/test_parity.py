from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contracts.exporter_contract import IN_SHAPE, random_images
from doubles.plain_networks import small_network
from numpy.typing import NDArray

from edgewright.backends.onnxruntime.exporter import OnnxExporter
from edgewright.backends.onnxruntime.runtime import OnnxRuntime
from edgewright.backends.parity import LIMITS, check_parity, compare
from edgewright.errors import ParityError, PrecisionError


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    OnnxExporter().export(small_network(), IN_SHAPE, path)
    return path


def logits(n: int = 100) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((n, 10)).astype(np.float32)


def test_a_faithful_artifact_passes_and_says_by_how_much(artifact: Path) -> None:
    images = random_images(8)
    labels = np.zeros(8, np.int64)
    report = check_parity(small_network(), OnnxRuntime(), artifact, images, labels=labels)
    report.require()
    assert report.passed
    assert report.top1_agreement == 1.0
    assert report.accuracy == report.reference_accuracy
    assert report.to_json()["n"] == 8


def test_another_network_fails_with_figures(artifact: Path) -> None:
    report = check_parity(small_network(seed=1), OnnxRuntime(), artifact, random_images(8))
    with pytest.raises(ParityError, match=r"of their range; at most 1e-04") as caught:
        report.require(allow_unverified=True)
    assert caught.value.exit_code == 5


def test_the_modules_mode_is_restored(artifact: Path) -> None:
    network = small_network().train()
    assert check_parity(network, OnnxRuntime(), artifact, random_images(2)).passed
    assert network.training


def test_an_artifact_that_does_not_load_fails(artifact: Path) -> None:
    artifact.write_bytes(artifact.read_bytes()[:500])
    report = check_parity(small_network(), OnnxRuntime(), artifact, random_images(2))
    assert report.status == "failed"
    assert "truncated" in report.reason


def test_an_artifact_for_another_input_fails(artifact: Path) -> None:
    OnnxExporter().export(small_network(), (1, 3, 16, 16), artifact)
    report = check_parity(small_network(), OnnxRuntime(), artifact, random_images(2))
    assert report.status == "failed"
    assert "expected float32 (1, 3, 16, 16)" in report.reason


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_fail(precision: str, value: float) -> None:
    found = logits()
    found[3, 3] = value
    report = compare(logits(), found, precision, LIMITS[precision])
    assert report.status == "failed"
    assert "not finite" in report.reason


def test_a_reference_that_is_not_finite_fails() -> None:
    expected = logits()
    expected[0, 0] = np.nan
    assert compare(expected, logits(), "fp32", LIMITS["fp32"]).status == "failed"


def test_another_shape_fails() -> None:
    assert compare(logits(), logits()[:, :5], "fp32", LIMITS["fp32"]).status == "failed"


@pytest.mark.parametrize(("relative", "status"), [(0.9e-4, "passed"), (1.1e-4, "failed")])
def test_fp32_is_judged_by_the_range_of_the_outputs(relative: float, status: str) -> None:
    found = logits(1)
    found[0, 0] += np.float32(relative * np.ptp(logits(1)))
    assert compare(logits(1), found, "fp32", LIMITS["fp32"]).status == status


def test_constant_outputs_that_differ_fail() -> None:
    constant = np.ones((4, 10), np.float32)
    assert compare(constant, constant, "fp32", LIMITS["fp32"]).passed
    assert not compare(constant, constant + 1e-6, "fp32", LIMITS["fp32"]).passed


def test_int8_is_judged_by_agreement_and_accuracy() -> None:
    expected = logits()
    labels = expected.argmax(axis=1)
    swapped = expected.copy()
    swapped[:5] = np.roll(swapped[:5], 1, axis=1)  # another class on 5 %
    assert compare(expected, swapped, "int8", LIMITS["int8"]).passed
    report = compare(expected, swapped, "int8", LIMITS["int8"], labels)
    assert report.status == "failed"
    assert "accuracy falls from 100.0% to 95.0%" in report.reason
    swapped[:12] = np.roll(expected[:12], 1, axis=1)
    assert "88.0% of 100 images" in compare(expected, swapped, "int8", LIMITS["int8"]).reason


@pytest.mark.parametrize(("n_lost", "status"), [(3, "passed"), (4, "failed")])
def test_a_drop_of_exactly_what_is_allowed_passes(n_lost: int, status: str) -> None:
    expected = logits()
    labels = expected.argmax(axis=1)
    labels[:10] = (labels[:10] + 5) % 10  # torch is right on 90 %: 0.9 - 0.87 is more than 0.03
    swapped = expected.copy()
    swapped[-n_lost:] = np.roll(expected[-n_lost:], 1, axis=1)
    report = compare(expected, swapped, "int8", LIMITS["int8"], labels)
    assert (report.reference_accuracy, report.accuracy) == (0.9, pytest.approx(0.9 - n_lost / 100))
    assert report.status == status, report.reason


def test_a_failed_comparison_says_what_it_means() -> None:
    report = compare(logits(), logits()[:, :5], "fp32", LIMITS["fp32"])
    with pytest.raises(ParityError, match=r"^the compiled fp32 network disagrees with torch: torch gives"):
        report.require(allow_unverified=True)


def test_no_images_verify_nothing(artifact: Path) -> None:
    report = check_parity(small_network(), OnnxRuntime(), artifact, random_images(0))
    assert report.status == "not verified"
    with pytest.raises(ParityError, match="not verified"):
        report.require()
    report.require(allow_unverified=True)


def test_an_unknown_precision_is_refused(artifact: Path) -> None:
    with pytest.raises(PrecisionError, match="fp8"):
        check_parity(small_network(), OnnxRuntime(), artifact, random_images(1), precision="fp8")
