"""How well predictions agree with the truth."""

from __future__ import annotations

import numpy as np
from scipy import stats

from edgewright.regression.base import FloatArray


def kendall_tau(predicted: FloatArray, true: FloatArray) -> float | None:
    """Return Kendall's tau-b, or None where either side is constant or shorter than 2."""
    if not _varies(predicted, true):
        return None
    return float(stats.kendalltau(predicted, true).statistic)


def spearman(predicted: FloatArray, true: FloatArray) -> float | None:
    """Return Spearman's rank correlation, or None as :func:`kendall_tau` does."""
    if not _varies(predicted, true):
        return None
    ranks = stats.rankdata(predicted), stats.rankdata(true)
    return float(np.corrcoef(*ranks)[0, 1])


def rmse(predicted: FloatArray, true: FloatArray) -> float | None:
    """Return the root mean squared error, or None where there is nothing to compare."""
    return float(np.sqrt(np.mean((predicted - true) ** 2))) if len(true) else None


def _varies(a: FloatArray, b: FloatArray) -> bool:
    return len(a) >= 2 and bool(np.ptp(a) > 0) and bool(np.ptp(b) > 0)
