"""Regression models for few samples, shared by latency prediction and search. No torch.

This package itself needs numpy alone, as a device has it; ``rbf``, ``gaussian_process`` and
``metrics`` need scipy and ``boosting`` scikit-learn, and are imported by their own names.
"""

from edgewright.regression.base import NotFittedError, Prediction, Regressor
from edgewright.regression.ensemble import Ensemble
from edgewright.regression.ridge import Ridge

__all__ = ["Ensemble", "NotFittedError", "Prediction", "Regressor", "Ridge"]
