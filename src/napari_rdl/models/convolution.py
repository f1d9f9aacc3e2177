"""Convolutions that take the quick path on a CPU, however small what they are given."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Convolution(nn.Conv3d):
    """A 3D convolution with zero padding; on a CPU without gradients it always runs in oneDNN.

    Given one sample of float32, the library itself takes oneDNN only where N C D H exceeds 20,480, and for
    1x1x1 kernels only with several threads (``ConvParams::use_mkldnn`` in ATen's Convolution.cpp). The
    deep levels of a 64^3 tile are smaller and would run several times slower, in ``slow_conv3d``.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` (N, C, D, H, W)."""
        assert not isinstance(self.padding, str)
        if self.padding_mode != "zeros" or not quick(x):
            return super().forward(x)
        return convolve(
            x, self.weight, self.bias, self.stride, self.padding, self.groups, dilation=self.dilation
        )


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    groups: int,
    *,
    dilation: Sequence[int] = (1, 1, 1),
) -> Tensor:
    """Return ``torch.nn.functional.conv3d``, by the quick path where there is one."""
    if quick(x):
        return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
    return functional.conv3d(x, weight, bias, tuple(stride), tuple(padding), tuple(dilation), groups)


def quick(x: Tensor) -> bool:
    """Return whether oneDNN is to be asked directly."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()
        and not torch.compiler.is_compiling()
    )
