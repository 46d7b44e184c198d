"""How a supernet is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgewright.errors import UsageError

RECIPES = ("sandwich", "shrinking")
OPTIMIZERS = ("sgd", "adamw")

_DEFAULT_LR = {"sgd": 0.1, "adamw": 2e-3}
_DEFAULT_WEIGHT_DECAY = {"sgd": 1e-4, "adamw": 2e-2}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Settings of one training run.

    Attributes:
        recipe: ``sandwich`` (BigNAS) or ``shrinking`` (progressive shrinking, OFA).
        epochs: passes over the training images.
        batch_size: images a step, of all processes together.
        optimizer: ``sgd`` (Nesterov, momentum 0.9) or ``adamw``.
        lr: peak learning rate; ``None`` is the optimiser's default, 0.1 or 0.002.
        weight_decay: on convolutions and classifier; ``None`` is the default, 1e-4 or 0.02.
        label_smoothing: of the hard labels, which in the sandwich only the largest subnet sees.
        dropout: before the classifier, of the largest subnet alone.
        n_random: random subnets of a sandwich step, beside the largest and the smallest.
        warmup_epochs: of linearly growing learning rate, then it falls as a cosine to zero.
        clip_norm: largest L2 norm of a step's gradient.
        crop_fraction: see :class:`edgewright.training.data.Augmentation`.
        flip: mirror images at random; ``None`` leaves it to the data set.
        evaluate_every: epochs between evaluations of the largest and smallest subnet; 0 for the last
            epoch alone.
        seed: decides weights, order, augmentation and subnets.
        threads: of the CPU, in each process; ``None`` leaves torch's setting. Another number may round
            differently.
        tensorboard: whether a TensorBoard log is written too.

    Raises:
        UsageError: a value is out of range; every fault is named.
    """

    recipe: str = "sandwich"
    epochs: int = 30
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.1
    dropout: float = 0.1
    n_random: int = 2
    warmup_epochs: float = 1.0
    clip_norm: float = 5.0
    crop_fraction: float = 0.125
    flip: bool | None = None
    evaluate_every: int = 1
    seed: int = 0
    threads: int | None = None
    tensorboard: bool = False

    def __post_init__(self) -> None:
        checks = (
            (self.recipe in RECIPES, f"recipe is one of {RECIPES}, got {self.recipe!r}"),
            (self.optimizer in OPTIMIZERS, f"optimizer is one of {OPTIMIZERS}, got {self.optimizer!r}"),
            (self.epochs >= 1, f"epochs is at least 1, got {self.epochs}"),
            # BatchNorm has no statistics of one image whose last map is one pixel.
            (self.batch_size >= 2, f"batch_size is at least 2, got {self.batch_size}"),
            (self.lr is None or self.lr > 0, f"lr is positive, got {self.lr}"),
            (
                self.weight_decay is None or self.weight_decay >= 0,
                f"weight_decay is not negative, got {self.weight_decay}",
            ),
            (0 <= self.label_smoothing < 1, f"label_smoothing lies in [0, 1), got {self.label_smoothing}"),
            (0 <= self.dropout < 1, f"dropout lies in [0, 1), got {self.dropout}"),
            (self.n_random >= 0, f"n_random is not negative, got {self.n_random}"),
            (self.warmup_epochs >= 0, f"warmup_epochs is not negative, got {self.warmup_epochs}"),
            (self.clip_norm > 0, f"clip_norm is positive, got {self.clip_norm}"),
            (0 <= self.crop_fraction <= 0.5, f"crop_fraction lies in [0, 0.5], got {self.crop_fraction}"),
            (self.evaluate_every >= 0, f"evaluate_every is not negative, got {self.evaluate_every}"),
            (self.seed >= 0, f"seed is not negative, got {self.seed}"),
            (self.threads is None or self.threads >= 1, f"threads is at least 1, got {self.threads}"),
        )
        if faults := [message for passed, message in checks if not passed]:
            raise UsageError("training cannot be set up: " + "; ".join(faults))

    @property
    def peak_lr(self) -> float:
        """The learning rate after warm-up."""
        return _DEFAULT_LR[self.optimizer] if self.lr is None else self.lr

    @property
    def decay(self) -> float:
        """The weight decay in force."""
        return _DEFAULT_WEIGHT_DECAY[self.optimizer] if self.weight_decay is None else self.weight_decay

    def identity(self) -> dict[str, Any]:
        """Return what decides the weights; two runs that agree in it are the same run."""
        values = asdict(self)
        for name in ("threads", "tensorboard", "evaluate_every"):
            del values[name]
        return values | {"lr": self.peak_lr, "weight_decay": self.decay}
