"""The embedded default: scikit-learn's handwritten digits, which ship in its wheel."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from edgewright.training.data.images import ImageData, Split, stratified_split

VAL_FRACTION = 0.15  # 270 of 1,797 images: one error is 0.4 % of the search's objective


def load_digits_data(*, size: int, seed: int = 0) -> ImageData:
    """Return 1,797 scans of handwritten digits, 8x8 in the source, enlarged to ``size`` pixels.

    From the test set of UCI's "Optical Recognition of Handwritten Digits"; values 0 to 16 become
    0 to 255. ``seed`` decides which 15 % are ``val`` and which 15 % ``test``.
    """
    # Imported here: only this data set needs scikit-learn, which takes long to import.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    raw = torch.from_numpy(np.asarray(bunch.images, dtype=np.float32)).unsqueeze(1)  # (N, 1, 8, 8)
    large = functional.interpolate(raw, size=(size, size), mode="bicubic", align_corners=False)
    images = (large * (255 / 16)).round().clamp(0, 255).to(torch.uint8).repeat(1, 3, 1, 1)
    whole = Split(images, torch.from_numpy(np.asarray(bunch.target, dtype=np.int64)))
    rng = np.random.default_rng(seed)
    rest, test = stratified_split(whole.labels.numpy(), VAL_FRACTION, rng)
    remaining = whole.take(rest)
    train, val = stratified_split(remaining.labels.numpy(), VAL_FRACTION / (1 - VAL_FRACTION), rng)
    names = tuple(str(name) for name in bunch.target_names)
    return ImageData.from_splits(
        remaining.take(train), remaining.take(val), whole.take(test), names, flip=False
    )
