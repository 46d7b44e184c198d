"""Training a supernet so that its subnets need no training of their own."""

from edgewright.training.config import TrainConfig
from edgewright.training.evaluate import Evaluation, evaluate, evaluate_subnet
from edgewright.training.loop import TrainProgress, train, train_network

__all__ = [
    "Evaluation",
    "TrainConfig",
    "TrainProgress",
    "evaluate",
    "evaluate_subnet",
    "train",
    "train_network",
]
