"""Fine-tuning: one subnet, trained on from the weights that it inherits.

The first step of NATv2's post-processing (arXiv:2307.00960): a picked network is trained on the training
images and evaluated on the validation images after each epoch, and the best epoch's weights are kept.
Epoch 0 takes part, so that no network ends below what it inherited there. Unlike there, all epochs are
trained: a learning rate that falls to zero ends well in the last ones. The second step, which trains on
the validation images too, is left out: nothing would be left to judge its result by but the test images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from edgewright.training.config import TrainConfig
from edgewright.training.data.images import ImageData
from edgewright.training.evaluate import Evaluation
from edgewright.training.uniform import FixedRecipe


class TuningRecipe(FixedRecipe):
    """Ordinary training from given weights that ends with the best epoch's.

    Args:
        network: plain layers with the weights to start from; is trained in place.
        resolution: of its images.
        config: of the run; ``recipe`` and ``n_random`` play no part.
        before: how ``network`` does on the validation split.
    """

    def __init__(
        self, network: nn.Sequential, resolution: int, config: TrainConfig, before: Evaluation
    ) -> None:
        super().__init__(network, resolution, config)
        self._standing = _standing(before)
        self._best = _copy(network)

    def evaluations(self, data: ImageData) -> dict[str, Callable[[], Evaluation]]:
        """Return how to evaluate the network; doing so remembers the weights if they are the best yet."""
        (plain,) = super().evaluations(data).values()

        def judged() -> Evaluation:
            found = plain()
            if _standing(found) > self._standing:
                self._standing, self._best = _standing(found), _copy(self.network)
            return found

        return {"network": judged}

    def conclude(self) -> None:
        """Give the network its best weights."""
        self.network.load_state_dict(self._best)

    def state(self) -> dict[str, Tensor]:
        """Return the best weights and how well they did."""
        standing = torch.tensor(self._standing, dtype=torch.float64)
        return {"standing": standing, **{f"best.{name}": tensor for name, tensor in self._best.items()}}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`state` returned."""
        top1, loss = state["standing"].tolist()
        self._standing = (top1, loss)
        self._best = {name: state[f"best.{name}"].clone() for name in self._best}


def _standing(found: Evaluation) -> tuple[float, float]:
    """Return what is compared: accuracy, then the loss, which tells small differences."""
    return (found.top1, -found.loss)


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
