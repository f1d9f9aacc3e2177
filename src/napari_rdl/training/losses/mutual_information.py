"""L_MI (Eq. 2-3): what the subset's features still tell of the full set's, by a variational bound.

MI(d_f; d_m) = H(d_f) - H(d_f | d_m) >= H(d_f) + E[log q(d_f | d_m)] for any q (Barber and Agakov; Ahn
et al., CVPR 2019). Minimising -log q raises that bound as far as H(d_f) stays as it is: d_f is a
teacher here, without gradient, but it moves as the network is trained, so that a falling curve can also
mean features that have become easier to guess. A q that ignores d_m reaches H of a Gaussian with d_f's
variance; only what lies below it is information.
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
        # softplus(a) = 1 until `start` says better.
        self.spread = nn.Parameter(torch.full((channels,), math.log(math.e - 1)))

    def variance(self) -> Tensor:
        """Return sigma^2 (C,)."""
        return functional.softplus(self.spread) + self.epsilon

    @torch.no_grad()
    def start(self, squared: Tensor) -> None:
        """Set sigma^2 to squared residuals (C,): Adam moves it by about lr a step, and would come late."""
        variance = (squared.to(self.spread) - self.epsilon).clamp(min=1e-6)
        # The inverse of softplus, stable for small and for large values.
        self.spread.copy_(variance + torch.log(-torch.expm1(-variance)))

    def squared_residual(self, of_all: Tensor, of_subset: Tensor) -> Tensor:
        """Return the mean over voxels of (d_f - mu(d_m))^2 (B, C)."""
        difference = (of_all.detach() - self.mean(of_subset)).flatten(2)
        return torch.einsum("bcv,bcv->bc", difference, difference) / difference.shape[2]

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
        squared = self.squared_residual(of_all, of_subset)
        return (0.5 * variance.log() + squared / (2 * variance)).mean(1)
