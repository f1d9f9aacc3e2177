"""Moving average of the weights: what a short run's last steps agree on."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from napari_rdl.models import RobustNet


class WeightAverage:
    """Exponential moving average of a network's weights.

    Attributes
    ----------
    network : RobustNet
        Holds the averaged weights, in evaluation mode.
    """

    def __init__(self, network: RobustNet, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: RobustNet, step: int) -> None:
        """Move towards `network`'s weights after optimiser step `step`; faster at the start."""
        decay = min(self.decay, (1 + step) / (10 + step))
        own = list(self.network.state_dict().values())
        torch._foreach_lerp_(own, list(network.state_dict().values()), 1 - decay)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged weights."""
        return dict(self.network.state_dict())

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Put averaged weights back."""
        self.network.load_state_dict(state)
