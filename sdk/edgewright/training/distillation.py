"""Learning from a larger network's answers."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def soft_cross_entropy(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Return the mean cross-entropy of ``logits`` against a teacher's probabilities, in nats.

    Distillation (arXiv:1503.02531) at temperature 1, as in OFA and BigNAS. No gradient reaches the teacher.

    Args:
        logits: of the student, ``(N, n_classes)``.
        teacher_logits: likewise.
    """
    targets = functional.softmax(teacher_logits.detach(), dim=1)
    return functional.cross_entropy(logits, targets)
