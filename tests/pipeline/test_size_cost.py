import numpy as np
import pytest

from edgewright.backends.registry import exporter
from edgewright.pipeline.size_cost import size_bytes
from edgewright.spaces import find_space
from edgewright.supernet.plain import network_from_architecture

SPACE = find_space("mobilenetv3-small-image@16+24", n_classes=7)


@pytest.fixture
def encodings():
    return SPACE.sample(np.random.default_rng(1), 6)


def test_a_file_grows_from_the_smallest_to_the_largest_network():
    ends = np.stack([SPACE.encode(SPACE.smallest()), SPACE.encode(SPACE.largest())])
    small, large = size_bytes(SPACE, [("onnxruntime", "fp32")])(ends)
    assert 0 < small < large


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [("onnxruntime", "fp32"), ("onnxruntime", "fp16"), ("litert", "fp16"), ("litert", "int8")],
)
def test_the_size_of_a_file_is_known_without_making_it(encodings, tmp_path, runtime, precision):
    expected = size_bytes(SPACE, [(runtime, precision)])(encodings[:3])
    writer = exporter(runtime)
    for x, size in zip(encodings, expected, strict=False):
        arch = SPACE.decode(x)
        side = arch.resolution
        images = np.random.default_rng(0).standard_normal((2, 3, side, side)).astype(np.float32)
        path = tmp_path / f"network{writer.suffix}"
        module = network_from_architecture(SPACE, arch)
        writer.export(module, (1, 3, side, side), path, precision=precision, calibration=images)
        assert size == pytest.approx(path.stat().st_size, rel=0.005)


def test_with_several_targets_the_largest_file_counts(encodings):
    both = size_bytes(SPACE, [("onnxruntime", "fp32"), ("litert", "fp16")])(encodings)
    assert both.tolist() == size_bytes(SPACE, [("onnxruntime", "fp32")])(encodings).tolist()


def test_a_space_of_one_network_has_a_size_too():
    class One:
        """A space whose smallest network is its largest."""

        def __getattr__(self, name):
            return getattr(SPACE, "smallest" if name == "largest" else name)

    x = SPACE.encode(SPACE.smallest())[None]
    assert size_bytes(One(), [("onnxruntime", "fp32")])(x)[0] > 0
