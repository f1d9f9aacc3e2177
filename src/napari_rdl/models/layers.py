"""Layers that several published methods share: RFNet and mmFormer are built of these."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Padding = Literal["zeros", "reflect"]

SLOPE = 0.2
"""Of the leaky ReLUs."""


class ConvUnit(nn.Module):
    """A 3D convolution and, after or before it, instance normalisation and a leaky ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        *,
        padding_mode: Padding = "reflect",
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        padding = kernel // 2
        self.conv = nn.Conv3d(inputs, outputs, kernel, stride, padding, padding_mode=padding_mode)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, D, H, W) to (N, C_out, D/stride, H/stride, W/stride)."""
        if self.norm_first:
            return self.conv(functional.leaky_relu(functional.instance_norm(x), SLOPE))
        return functional.leaky_relu(functional.instance_norm(self.conv(x)), SLOPE)


def conv_units(
    widths: Sequence[int],
    kernels: Sequence[int],
    *,
    padding_mode: Padding = "reflect",
    norm_first: bool = False,
) -> nn.Sequential:
    """Return units one after the other, from ``widths[0]`` to ``widths[-1]`` channels."""
    return nn.Sequential(
        *(
            ConvUnit(first, then, kernel, padding_mode=padding_mode, norm_first=norm_first)
            for first, then, kernel in zip(widths, widths[1:], kernels, strict=False)
        )
    )


class Encoder(nn.Module):
    """One modality's encoder: levels of three convolutions, the last two with the identity beside them."""

    def __init__(self, widths: Sequence[int], *, norm_first: bool = False) -> None:
        super().__init__()
        levels: list[nn.Module] = []
        for number, (before, width) in enumerate(zip((1, *widths), widths, strict=False)):
            first: nn.Module
            if norm_first and not number:
                # Nothing to normalise yet but the image itself.
                first = nn.Conv3d(1, width, 3, padding=1, padding_mode="reflect")
            else:
                first = ConvUnit(before, width, stride=2 if number else 1, norm_first=norm_first)
            others = [ConvUnit(width, width, norm_first=norm_first) for _ in range(2)]
            levels.append(nn.ModuleList([first, *others]))
        self.levels = nn.ModuleList(levels)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return features from full resolution to the deepest: (N, C_k, D/2^k, H/2^k, W/2^k)."""
        features = []
        for level in self.levels:
            first, second, third = cast(nn.ModuleList, level)
            x = first(x)
            x = x + third(second(x))
            features.append(x)
        return features


class DecoderLevel(nn.Module):
    """From a level to the one above it: after doubling a 3x3x3 unit, then one of both sides, then a 1x1x1."""

    def __init__(self, below: int, width: int, *, norm_first: bool = False) -> None:
        super().__init__()
        self.up = ConvUnit(below, width, norm_first=norm_first)
        self.merge = ConvUnit(2 * width, width, norm_first=norm_first)
        self.out = ConvUnit(width, width, 1, norm_first=norm_first)

    def deeper(self, x: Tensor) -> Tensor:
        """Double a deeper level's features (N, C_below, d, h, w) to (N, C, 2d, 2h, 2w)."""
        return self.up(enlarge(x, 2))

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        """Merge two (N, C, D, H, W) to one."""
        return self.out(self.merge(torch.cat((one, other), 1)))


class SeparateDecoder(nn.Module):
    """Decodes one modality's features alone; all modalities share it, and only training asks it."""

    def __init__(self, widths: Sequence[int], classes: int, *, norm_first: bool = False) -> None:
        super().__init__()
        self.levels = decoder_levels(widths, norm_first=norm_first)
        self.head = nn.Conv3d(widths[0], classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return logits (N, J, D, H, W)."""
        x = features[-1]
        for level, skip in zip(self.levels[::-1], features[-2::-1], strict=True):
            level = cast(DecoderLevel, level)
            x = level.join(level.deeper(x), skip)
        return self.head(x)


def decoder_levels(widths: Sequence[int], *, norm_first: bool = False) -> nn.ModuleList:
    """Return the levels from full resolution down to the last but one."""
    return nn.ModuleList(
        DecoderLevel(below, width, norm_first=norm_first) for width, below in pairwise(widths)
    )


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Return a volume (N, C, d, h, w) `factor` times as large along each axis, corners kept."""
    if factor == 1:
        return x
    return functional.interpolate(x, scale_factor=factor, mode="trilinear", align_corners=True)


def initialise(network: nn.Module) -> None:
    """Draw every 3D convolution's weights as He et al. (2015) do."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight)
