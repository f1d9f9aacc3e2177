"""M3AE's segmentation network (Liu et al., "M3AE: Multimodal Representation Learning for Brain Tumor
Segmentation with Missing Modalities", AAAI 2023), written anew.

One U-Net sees all four channels; where a modality is missing, its channel is a part of an image that was
learnt by model inversion, cut at the place of the tile. Where the paper is silent, facts are from the
public code, https://github.com/ccarliu/m3ae, commit 3a5eb45ff61d7c4d45e88bc67eec885740125327, classes
``UNet3D_g`` and ``Unet_missing`` of ``model/Unet.py``: widths and blocks, eight groups, doubling by
repetition, the order of channels and regions. That code cuts the learnt images at the crop's place in the
whole volume when training, and in the brain's bounding box when testing (``inference_util.py``); here it
is the latter, and no further than the images reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.models.base import JointNetwork, Place
from napari_rdl.models.joint import oriented
from napari_rdl.models.m3ae.config import M3AEConfig
from napari_rdl.models.orientation import from_axes
from napari_rdl.models.published import PLACES
from napari_rdl.models.regions import class_scores

_GROUPS = 8
_BLOCKS = (1, 2, 2, 4)
"""Residual blocks of each encoder level."""


class Said(NamedTuple):
    """What the network says of a batch.

    Attributes
    ----------
    logits : Tensor
        (N, 3, D, H, W) of the regions.
    deep : tuple of Tensor
        The same of two deeper levels, enlarged, shallow to deep; empty without deep supervision.
    features : Tensor
        (N, 8 W, D/8, H/8, W/8) of the deepest level.
    shallow : Tensor
        (N, W, D, H, W) of the decoder at full resolution: what the logits are read from.
    """

    logits: Tensor
    deep: tuple[Tensor, ...]
    features: Tensor
    shallow: Tensor


class ResidualBlock(nn.Module):
    """Twice group normalisation, ReLU and a 3x3x3 convolution, beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(_GROUPS, width)
        self.conv1 = nn.Conv3d(width, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(_GROUPS, width)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, D, H, W) to the same shape."""
        y = self.conv1(functional.relu(self.norm1(x)))
        return x + self.conv2(functional.relu(self.norm2(y)))


class M3AE(JointNetwork):
    """The learnt images and the U-Net."""

    placed = True

    def __init__(self, config: M3AEConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * 2**level for level in range(4)]
        count, outputs = len(config.modalities), len(config.regions)
        self.substitute = nn.Parameter(torch.randn(1, count, *config.substitute))
        self.enter = nn.ModuleList(
            nn.Conv3d(count, width, 3, padding=1)
            if not level
            else nn.Conv3d(width // 2, width, 3, stride=2, padding=1)
            for level, width in enumerate(widths)
        )
        self.encoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
            for width, blocks in zip(widths, _BLOCKS, strict=True)
        )
        self.narrow = nn.ModuleList(nn.Conv3d(2 * width, width, 1) for width in widths[:-1])
        self.decoder = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.head = nn.Conv3d(widths[0], outputs, 1)
        deeper = widths[1:-1] if config.deep_supervision else []
        self.deep_heads = nn.ModuleList(nn.Conv3d(width, outputs, 1) for width in deeper)

    def forward(
        self,
        images: Tensor,
        present: Tensor,
        starts: Tensor | None = None,
        mirrored: Tensor | None = None,
    ) -> Said:
        """Segment a batch.

        Parameters
        ----------
        images : Tensor
            (N, M, D, H, W) in the order and along the axes of the config.
        present : Tensor
            (N, M) bool; or (N, M, D, H, W), where parts of an image are missing too.
        starts : Tensor, optional
            (N, 3) int64, the first voxel's place in the learnt images; the middle of them if left out.
        mirrored : Tensor, optional
            (N, 3) bool, True for axes along which a sample runs the other way.
        """
        there = present if present.ndim == 5 else present[:, :, None, None, None]
        x = torch.where(there, images, self._substitutes(images, starts, mirrored))
        skips = []
        for enter, blocks in zip(self.enter, self.encoder, strict=True):
            x = blocks(enter(x))
            skips.append(x)
        features, levels = skips.pop(), []
        for narrow, block, skip in zip(self.narrow[::-1], self.decoder[::-1], skips[::-1], strict=True):
            x = block(functional.interpolate(narrow(x), scale_factor=2) + skip)
            levels.append(x)
        levels.reverse()
        deep = tuple(
            functional.interpolate(head(level), scale_factor=2**number, mode="trilinear", align_corners=True)
            for number, (head, level) in enumerate(zip(self.deep_heads, levels[1:], strict=False), 1)
        )
        return Said(self.head(x), deep, features, x)

    def _substitutes(self, images: Tensor, starts: Tensor | None, mirrored: Tensor | None) -> Tensor:
        """Return the learnt images (N, M, D, H, W) at each sample's place, or one for all of them."""
        size = images.shape[2:]
        if starts is None:
            return self._substitute_at([None] * 3, size).to(images.dtype)
        cut = []
        for number, start in enumerate(starts.tolist()):
            found = self._substitute_at(start, size)
            if mirrored is not None:
                found = found.flip(
                    [2 + axis for axis, turned in enumerate(mirrored[number].tolist()) if turned]
                )
            cut.append(found)
        return torch.cat(cut).to(images.dtype)

    def _substitute_at(self, start: Sequence[int | None], size: Sequence[int]) -> Tensor:
        """Return the learnt images (1, M, D, H, W) at a place; their border's values beyond them."""
        substitute: Tensor = self.substitute
        for axis, (wanted, edge) in enumerate(zip(start, size, strict=True), 2):
            limit = substitute.shape[axis]
            first = (limit - edge) // 2 if wanted is None else wanted
            first = max(min(first, limit - edge), 0)
            if edge <= limit:
                substitute = substitute.narrow(axis, first, edge)
            else:
                places = torch.arange(edge, device=substitute.device).clamp(max=limit - 1)
                substitute = substitute.index_select(axis, places)
        return substitute

    def logits(self, images: Mapping[str, Tensor], *place: Place) -> Tensor:
        """Return the region logits (N, 3, D, H, W) of the subset whose images these are."""
        stacked, present = oriented(images, self.config)
        starts = None
        if place:
            size = next(iter(images.values())).shape[2:]
            start = _start_along(self.config.axes, place[0], (size[0], size[1], size[2]))
            starts = torch.tensor([start] * len(stacked))
        return from_axes(self(stacked, present, starts).logits, self.config.axes)

    def classes(self, blended: Tensor) -> Tensor:
        """Return class scores (4, D, H, W) from blended region logits (3, D, H, W)."""
        return class_scores(blended, self.config.regions, 0)


def _start_along(axes: str, place: Place, size: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return where a tile begins in a volume that is turned to `axes`."""
    starts = []
    for code in axes:
        axis, turned = PLACES[code]
        first = place.start[axis]
        starts.append(place.whole[axis] - first - size[axis] if turned else first)
    return starts[0], starts[1], starts[2]


def build(config: M3AEConfig) -> M3AE:
    """Return the network of these numbers, with fresh weights."""
    return M3AE(config)
