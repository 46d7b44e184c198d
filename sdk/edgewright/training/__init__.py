"""Training a supernet so that its subnets need no training of their own."""

from edgewright.training.config import TrainConfig
from edgewright.training.evaluate import Evaluation, evaluate, evaluate_subnet
from edgewright.training.loop import TrainProgress, train
from edgewright.training.single import Tuned, fine_tune, train_network

__all__ = [
    "Evaluation",
    "TrainConfig",
    "TrainProgress",
    "Tuned",
    "evaluate",
    "evaluate_subnet",
    "fine_tune",
    "train",
    "train_network",
]
