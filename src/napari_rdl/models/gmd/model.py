"""GMD's network (Wang et al., "Gradient-Guided Modality Decoupling for Missing-Modality Robustness", AAAI
2024), written anew: a U-Net that sees each modality alone, with normalisation of its own for each, and a
subset's logits are the mean of its modalities'.

So it is separable, as the paper's own network is: a patient is encoded once. Where the paper is silent,
facts are from the public code, https://github.com/HaoWang420/Gradient-guided-Modality-Decoupling, commit
9bee98dc164939109d0e778d04fffea935f1b211, files ``modeling/ensemble/ensemble.py``, ``modules.py`` and
``unet3d_parallel.py``: widths, eight groups, max pooling, trilinear doubling with corners kept, and that
the outputs are WT, TC and ET, each behind a sigmoid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.models.base import SeparableNetwork
from napari_rdl.models.gmd.config import GMDConfig
from napari_rdl.models.layers import enlarge
from napari_rdl.models.orientation import from_axes, to_axes
from napari_rdl.models.regions import class_scores

_GROUPS = 8


class ModalityNorms(nn.Module):
    """A group normalisation for each modality."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(nn.GroupNorm(_GROUPS, width) for _ in range(modalities))

    def forward(self, x: Tensor, modality: Sequence[int]) -> Tensor:
        """Normalise each sample of (N, C, D, H, W) as its modality."""
        if len(set(modality)) == 1:
            return self.each[modality[0]](x)
        rows = [self.each[index](sample) for index, sample in zip(modality, x.split(1), strict=True)]
        return torch.cat(rows)


class DoubleConv(nn.Module):
    """Twice a 3x3x3 convolution, normalisation and ReLU."""

    def __init__(self, modalities: int, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, middle, 3, padding=1)
        self.norm1 = ModalityNorms(modalities, middle)
        self.conv2 = nn.Conv3d(middle, outputs, 3, padding=1)
        self.norm2 = ModalityNorms(modalities, outputs)

    def forward(self, x: Tensor, modality: Sequence[int]) -> Tensor:
        """Map (N, C_in, D, H, W) to (N, C_out, D, H, W)."""
        x = functional.relu(self.norm1(self.conv1(x), modality))
        return functional.relu(self.norm2(self.conv2(x), modality))


class GMDNet(SeparableNetwork):
    """The U-Net of all modalities."""

    patch = 1
    linear = False

    def __init__(self, config: GMDConfig) -> None:
        super().__init__()
        self.config = config
        count, width = len(config.modalities), config.width
        # The deepest level has no more channels than the one above it: doubling adds none.
        downs = (width, 2 * width, 4 * width, 8 * width, 8 * width)
        self.down = nn.ModuleList(
            DoubleConv(count, before, here, here) for before, here in zip((1, *downs), downs, strict=False)
        )
        # What is above and what comes from below, beside each other; then the channels of the level above.
        ups = ((16, 8, 4), (8, 4, 2), (4, 2, 1), (2, 1, 1))
        self.up = nn.ModuleList(
            DoubleConv(count, inputs * width, middle * width, outputs * width)
            for inputs, middle, outputs in ups
        )
        self.head = nn.Conv3d(width, len(config.regions), 1)

    def forward(self, image: Tensor, modality: Sequence[int]) -> Tensor:
        """Return the region logits (N, 3, D, H, W) of images (N, 1, D, H, W) along the config's axes.

        Parameters
        ----------
        modality : sequence of int
            Of each sample, its place in ``config.inputs``.
        """
        x, skips = image, []
        for number, block in enumerate(self.down):
            x = block(functional.max_pool3d(x, 2) if number else x, modality)
            skips.append(x)
        skips.pop()
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(torch.cat((skip, enlarge(x, 2)), 1), modality)
        return self.head(x)

    def terms(self, image: Tensor, modality: Tensor, where: Tensor | None = None) -> Tensor:
        """Return region logits and a count of 1 (N, 4, D, H, W), float32: they add up to a mean."""
        del where  # a convolution says something everywhere
        names = self.config.modalities
        places = [self.config.inputs.index(names[index]) for index in modality.tolist()]
        axes = self.config.axes
        said = from_axes(self(to_axes(image, axes).contiguous(), places), axes).float()
        return torch.cat((said, torch.ones_like(said[:, :1])), 1)

    def read_folded(self, total: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return class scores (N, 4, ...) of a subset's mean region logits."""
        count = total[:, -1:].clamp(min=torch.finfo(torch.float16).tiny)
        return class_scores(total[:, :-1] / count, self.config.regions)


def build(config: GMDConfig) -> GMDNet:
    """Return the network of these numbers, with fresh weights."""
    return GMDNet(config)
