"""The losses of the methods that the paper compares itself with.

RFNet and mmFormer: a weighted cross-entropy and Dice (``utils/criterions.py`` of
https://github.com/YaoZhang93/mmFormer, commit 0296ef1). GMD: Dice of each region behind a sigmoid
(``utils/loss.py`` of https://github.com/HaoWang420/Gradient-guided-Modality-Decoupling, commit 78dfb27).
M3AE's ``loss/dice.py`` is not among the files of its repository that could be read; its ``EDiceLoss_Val`` is
that of https://github.com/himashi92/VT-UNet, commit db771f9, on which its code builds: Dice with squared
denominators, which is taken here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_rdl.brats import REGIONS

_SMALLEST_PROBABILITY = 0.005
_EPSILON = 1e-7
_SMOOTH = 1.0
_SPACE = (2, 3, 4)


def weighted_cross_entropy(probabilities: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of the voxels, each class weighed by the share of all others.

    Parameters
    ----------
    probabilities, target : Tensor
        (N, J, D, H, W) class probabilities, and the one-hot label.
    """
    share = target.sum(_SPACE, keepdim=True) / target.sum((1, *_SPACE), keepdim=True)
    logs = probabilities.clamp(_SMALLEST_PROBABILITY, 1).log()
    return -((1 - share) * target * logs).sum(1).mean()


def overlap_loss(probabilities: Tensor, target: Tensor) -> Tensor:
    """Return 1 less the mean over classes of Dice, each counted over the whole batch."""
    over = (0, *_SPACE)
    both = (probabilities * target).sum(over)
    total = probabilities.sum(over) + target.sum(over)
    return 1 - (2 * both / (total + _EPSILON)).mean()


def fused_loss(probabilities: Tensor, target: Tensor) -> Tensor:
    """Return what RFNet and mmFormer ask of each of their predictions."""
    return weighted_cross_entropy(probabilities, target) + overlap_loss(probabilities, target)


def region_targets(labels: Tensor, regions: Sequence[str]) -> Tensor:
    """Return the regions (N, R, D, H, W), float32, of class indices (N, D, H, W)."""
    masks = [torch.isin(labels, torch.tensor(REGIONS[name], device=labels.device)) for name in regions]
    return torch.stack(masks, 1).float()


def region_overlap_loss(logits: Tensor, target: Tensor, *, squared: bool) -> Tensor:
    """Return the mean over regions of 1 less Dice, each counted over the whole batch.

    Parameters
    ----------
    logits, target : Tensor
        (N, R, D, H, W), of the regions, and the regions.
    squared : bool
        Whether the denominator has squares (M3AE) or not (GMD).
    """
    found, over = logits.sigmoid(), (0, *_SPACE)
    total = (found.square() + target.square() if squared else found + target).sum(over)
    return (1 - (2 * (found * target).sum(over) + _SMOOTH) / (total + _SMOOTH)).mean()
