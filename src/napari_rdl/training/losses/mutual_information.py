"""L_MI (Eq. 2-3): what the subset's features still tell of the full set's, by a variational bound.

MI(d_f; d_m) = H(d_f) - H(d_f | d_m) >= H(d_f) + E[log q(d_f | d_m)], so minimising -log q raises a
lower bound of the mutual information (Ahn et al., CVPR 2019; Barber and Agakov).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def level_weights(levels: int) -> tuple[float, ...]:
    """Return gamma_1 ... gamma_K, growing with depth and summing to 1."""
    total = levels * (levels + 1) / 2
    return tuple((level + 1) / total for level in range(levels))


class GaussianTransfer(nn.Module):
    """q(d_f | d_m) of one level: a Gaussian with a learned mean and one variance for each channel.

    mu is three 1x1x1 convolutions; sigma^2_c = softplus(a_c) + epsilon.
    """

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.mean = nn.Sequential(
            nn.Conv3d(channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv3d(channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv3d(channels, channels, 1),
        )
        # softplus(a) = 1 at the start.
        self.spread = nn.Parameter(torch.full((channels,), math.log(math.e - 1)))

    def variance(self) -> Tensor:
        """Return sigma^2 (C,)."""
        return functional.softplus(self.spread) + self.epsilon

    def forward(self, of_all: Tensor, of_subset: Tensor) -> Tensor:
        """Return -log q(d_f | d_m) of each sample, without its constant, as a mean over elements.

        Parameters
        ----------
        of_all : Tensor
            (B, C, D, H, W) d_f; it teaches, so no gradient flows into it.
        of_subset : Tensor
            (B, C, D, H, W) d_m.

        Returns
        -------
        Tensor
            (B,): mean of log sigma_c + (d_f - mu(d_m))^2 / (2 sigma_c^2).
        """
        variance = self.variance()
        difference = (of_all.detach() - self.mean(of_subset)).flatten(2)
        squared = torch.einsum("bcv,bcv->bc", difference, difference) / difference.shape[2]
        return (0.5 * variance.log() + squared / (2 * variance)).mean(1)
