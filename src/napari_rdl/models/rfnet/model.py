"""RFNet (Ding, Yu and Yang, "RFNet: Region-aware Fusion Network", ICCV 2021, Sec. 3), written anew.

An encoder for each modality; at each level a *prior* says with which probability a voxel belongs to which
region, and the modalities are weighed region by region. Where the paper is silent, facts are from the
public code, https://github.com/dyh127/RFNet, commit 6938e79b5ca2f940cab252b8910c6e85aa6ea3ab, files
``models.py`` and ``layers.py``: kernel sizes and widths, reflected borders, instance normalisation without
parameters, a leaky ReLU of 0.2, trilinear doubling with corners kept, 128 hidden units of the weights, 16
of the priors, and that the weighted features are added (not multiplied and normalised).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.models.base import JointNetwork, Place
from napari_rdl.models.joint import Auxiliaries, encode_present, oriented
from napari_rdl.models.layers import (
    SLOPE,
    Encoder,
    SeparateDecoder,
    conv_units,
    decoder_levels,
    enlarge,
    initialise,
)
from napari_rdl.models.orientation import from_axes
from napari_rdl.models.rfnet.config import RFNetConfig

_HIDDEN_OF_WEIGHTS = 128
_HIDDEN_OF_PRIOR = 16
_SMALLEST_SHARE = 1e-7


class RegionPrior(nn.Module):
    """Says from all modalities, and from what is decoded of deeper levels, which region a voxel is of."""

    def __init__(self, modalities: int, width: int, classes: int, *, deepest: bool) -> None:
        super().__init__()
        inner = width // 4
        self.embedding = conv_units((modalities * width, inner, inner, width), (1, 3, 1))
        self.hidden = conv_units((width if deepest else 2 * width, _HIDDEN_OF_PRIOR), (1,))
        self.last = nn.Conv3d(_HIDDEN_OF_PRIOR, classes, 1)

    def forward(self, stacked: Tensor, decoded: Tensor | None) -> Tensor:
        """Return probabilities (N, J, d, h, w) from (N, M, C, d, h, w) and (N, C, d, h, w)."""
        embedded = self.embedding(stacked.flatten(1, 2))
        if decoded is not None:
            embedded = torch.cat((decoded, embedded), 1)
        return self.last(self.hidden(embedded)).softmax(1)


class ModalityWeights(nn.Module):
    """One region's weight for each modality, from the region's mean features and its share of the volume."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(modalities * width + 1, _HIDDEN_OF_WEIGHTS, 1)
        self.last = nn.Conv3d(_HIDDEN_OF_WEIGHTS, modalities, 1)

    def forward(self, features: Tensor, prior: Tensor) -> Tensor:
        """Return the weighted sum (N, C, d, h, w) of a region's features (N, M, C, d, h, w)."""
        share = prior.mean((2, 3, 4), keepdim=True) + _SMALLEST_SHARE
        means = features.mean((3, 4, 5)).flatten(1)[..., None, None, None] / share
        hidden = functional.leaky_relu(self.first(torch.cat((means, share), 1)), SLOPE)
        weights = self.last(hidden).sigmoid()
        return (features * weights[:, :, None]).sum(1)


class RegionFusion(nn.Module):
    """Fuses the modalities of one level region by region, with a way past the regions beside it."""

    def __init__(self, modalities: int, width: int, classes: int) -> None:
        super().__init__()
        self.weights = nn.ModuleList(ModalityWeights(modalities, width) for _ in range(classes))
        self.merge = conv_units((classes * width, width, width, width // 2), (1, 3, 1))
        self.past = conv_units((modalities * width, width, width, width // 2), (1, 3, 1))

    def forward(self, stacked: Tensor, prior: Tensor) -> Tensor:
        """Return (N, C, d, h, w) from (N, M, C, d, h, w) and the region's probabilities (N, J, d, h, w)."""
        regions = []
        for index, weigh in enumerate(self.weights):
            region = prior[:, index : index + 1]
            regions.append(weigh(stacked * region[:, :, None], region))
        return torch.cat((self.merge(torch.cat(regions, 1)), self.past(stacked.flatten(1, 2))), 1)


class FusedDecoder(nn.Module):
    """Decodes all modalities together, from the deepest level up."""

    def __init__(self, modalities: int, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        self.levels = decoder_levels(widths)
        self.fusions = nn.ModuleList(RegionFusion(modalities, width, classes) for width in widths)
        self.priors = nn.ModuleList(
            RegionPrior(modalities, width, classes, deepest=width == widths[-1]) for width in widths
        )
        self.head = nn.Conv3d(widths[0], classes, 1)

    def forward(self, stacked: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return logits (N, J, D, H, W) and each level's prior, full resolution first, enlarged to it."""
        deepest = len(stacked) - 1
        decoded, priors = None, []
        for number in range(deepest, -1, -1):
            prior = self.priors[number](stacked[number], decoded)
            priors.append(enlarge(prior, 2**number))
            # The fusion's loss does not teach the prior.
            fused = self.fusions[number](stacked[number], prior.detach())
            x = fused if decoded is None else self.levels[number].join(fused, decoded)  # type: ignore[operator]
            if number:
                decoded = self.levels[number - 1].deeper(x)  # type: ignore[operator]
        return self.head(x), priors[::-1]


class RFNet(JointNetwork):
    """Four encoders, the fused decoder, and the separate one that training alone asks."""

    def __init__(self, config: RFNetConfig) -> None:
        super().__init__()
        self.config = config
        count, classes = len(config.modalities), len(config.classes)
        self.encoders = nn.ModuleList(Encoder(config.widths) for _ in range(count))
        self.fused = FusedDecoder(count, config.widths, classes)
        self.separate = SeparateDecoder(config.widths, classes)
        initialise(self)

    def forward(
        self, images: Tensor, present: Tensor, *, auxiliary: Tensor | None = None
    ) -> tuple[Tensor, Auxiliaries]:
        """Segment a batch.

        Parameters
        ----------
        images : Tensor
            (N, M, D, H, W) in the order and along the axes of the config.
        present : Tensor
            (N, M) bool: what the fused decoder sees.
        auxiliary : Tensor, optional
            (N, M) bool: of what the separate decoder is asked; of nothing if left out.

        Returns
        -------
        logits : Tensor
            (N, J, D, H, W).
        auxiliaries : Auxiliaries
            What the separate decoder and the priors say.
        """
        wanted = present if auxiliary is None else present | auxiliary
        features = encode_present(self.encoders, images, wanted)
        stacked = [
            torch.stack(level, 1) * present[:, :, None, None, None, None]
            for level in zip(*features, strict=True)
        ]
        logits, priors = self.fused(stacked)
        if auxiliary is None:
            return logits, Auxiliaries((), tuple(priors))
        alone = tuple(self.separate(one).softmax(1) for one in features)
        return logits, Auxiliaries(alone, tuple(priors))

    def logits(self, images: Mapping[str, Tensor], *place: Place) -> Tensor:
        """Return the logits of the subset whose images these are."""
        stacked, present = oriented(images, self.config)
        return from_axes(self(stacked, present)[0], self.config.axes)


def build(config: RFNetConfig) -> RFNet:
    """Return the network of these numbers, with fresh weights."""
    return RFNet(config)
