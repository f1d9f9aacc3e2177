"""Moving average of the weights: what a short run's last steps agree on."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Kind = TypeVar("Kind", bound=nn.Module)


class WeightAverage(Generic[Kind]):
    """Exponential moving average of a network's weights.

    Attributes
    ----------
    network : Module
        Holds the averaged weights, in evaluation mode.
    """

    def __init__(self, network: Kind, decay: float) -> None:
        self.decay = decay
        self._averaged = AveragedModel(network, use_buffers=True).eval().requires_grad_(False)
        # The weights that a run begins with count as the first; else the first step's would replace them.
        self._averaged.n_averaged.fill_(1)
        self.network = cast(Kind, self._averaged.module)

    def update(self, network: Kind, step: int) -> None:
        """Move towards `network`'s weights after optimiser step `step`; faster at the start."""
        decay = min(self.decay, (1 + step) / (10 + step))
        self._averaged.multi_avg_fn = get_ema_multi_avg_fn(decay)
        self._averaged.update_parameters(network)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged weights, under the network's own names."""
        return dict(self.network.state_dict())

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Put averaged weights back."""
        self.network.load_state_dict(state)
