"""L_Dice (Eq. 4), and the same over the evaluation regions."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from napari_rdl.brats import CLASSES, REGIONS

EPSILON = 1e-5
"""Added to the denominators: a class that neither side has counts as missed, without gradient."""


def dice_loss(probabilities: Tensor, target: Tensor) -> Tensor:
    """Return Eq. 4 for each sample: 1 - 2/J sum_j (sum_i p y) / (sum_i p^2 + sum_i y^2).

    Parameters
    ----------
    probabilities : Tensor
        (B, J, V) predicted probabilities.
    target : Tensor
        (B, J, V) one-hot labels, same dtype.

    Returns
    -------
    Tensor
        (B,).
    """
    shared = _inner(probabilities, target)
    size = _inner(probabilities, probabilities) + _inner(target, target)
    return 1 - 2 * (shared / (size + EPSILON)).mean(1)


def region_dice_loss(
    probabilities: Tensor,
    target: Tensor,
    classes: tuple[str, ...] = CLASSES,
    absent_voxels: float = 0.0,
) -> Tensor:
    """Return the Dice loss of WT, TC and ET, each the union of its classes, for each sample.

    The Dice of a region that the sample does not have is 0 whatever is predicted, so nothing is
    learned from it: neither from patients without a tumour, nor from tumours that do not enhance.
    With `absent_voxels` v, such a region's loss is sum_i p^2 / (sum_i p^2 + v) instead.

    Parameters
    ----------
    probabilities, target : Tensor
        (B, J, V), as for `dice_loss`.
    classes : tuple of str
        Names of the J classes.
    absent_voxels : float
        How many voxels falsely found make half of an absent region's loss; 0 leaves it constant.

    Returns
    -------
    Tensor
        (B,).
    """
    of_regions, truth = _regions(probabilities, classes), _regions(target, classes)
    loss = dice_loss(of_regions, truth)
    if not absent_voxels:
        return loss
    absent = (truth.sum(2) == 0).to(probabilities)
    false = _inner(of_regions, of_regions)
    # `loss` counts each absent region as 1, without gradient.
    return loss - (absent * absent_voxels / (false + absent_voxels)).mean(1)


def _inner(one: Tensor, other: Tensor) -> Tensor:
    """Return the sum over voxels of the product: (B, R, V), (B, R, V) -> (B, R)."""
    if one.is_cuda:
        # A GPU's matrix product of two such long vectors takes five times as long.
        return torch.linalg.vector_norm(one, 2, 2).square() if one is other else (one * other).sum(2)
    # einsum reduces without a temporary of the volume's size.
    return torch.einsum("brv,brv->br", one, other)


def _regions(volumes: Tensor, classes: tuple[str, ...]) -> Tensor:
    """Return WT, TC and ET as sums of their classes: (B, J, V) -> (B, 3, V)."""
    regions = []
    for members in REGIONS.values():
        known = [volumes[:, j] for j, name in enumerate(classes) if CLASSES.index(name) in members]
        regions.append(reduce(torch.add, known))
    return torch.stack(regions, 1)
