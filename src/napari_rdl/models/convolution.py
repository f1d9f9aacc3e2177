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
    if not quick(x):
        return functional.conv3d(x, weight, bias, tuple(stride), tuple(padding), tuple(dilation), groups)
    # Autocast does not know this call.
    dtype = quick_dtype()
    return torch.mkldnn_convolution(
        x.to(dtype),
        weight.to(dtype),
        None if bias is None else bias.to(dtype),
        padding,
        stride,
        dilation,
        groups,
    )


def quick(x: Tensor) -> bool:
    """Return whether oneDNN is to be asked directly, and `x` may be written to where nobody else needs it.

    So it is on a CPU, without gradients, in float32, or in bf16 where the processor multiplies that itself.
    """
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and torch.backends.mkldnn.is_available()
        and not torch.compiler.is_compiling()
        and x.dtype in (torch.float32, quick_dtype())
        and (quick_dtype() == torch.float32 or _multiplies_bf16())
    )


def quick_dtype() -> torch.dtype:
    """Return in which precision the quick path computes: float32, or what autocast asks for."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


def _multiplies_bf16() -> bool:
    return quick_dtype() == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
