"""L_Dice (Eq. 4), and the same over the evaluation regions."""

from __future__ import annotations

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
    # einsum reduces without a temporary of the volume's size.
    shared = torch.einsum("bjv,bjv->bj", probabilities, target)
    size = torch.einsum("bjv,bjv->bj", probabilities, probabilities)
    size = size + torch.einsum("bjv,bjv->bj", target, target)
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
    rows = region_rows(classes).to(probabilities)
    of_regions = torch.einsum("rj,bjv->brv", rows, probabilities)
    truth = torch.einsum("rj,bjv->brv", rows, target)
    loss = dice_loss(of_regions, truth)
    if not absent_voxels:
        return loss
    absent = (truth.sum(2) == 0).to(probabilities)
    false = torch.einsum("brv,brv->br", of_regions, of_regions)
    # `loss` counts each absent region as 1, without gradient.
    return loss - (absent * absent_voxels / (false + absent_voxels)).mean(1)


def region_rows(classes: tuple[str, ...]) -> Tensor:
    """Return (3, J): 1 where a class belongs to WT, TC, ET."""
    rows = [[float(CLASSES.index(name) in members) for name in classes] for members in REGIONS.values()]
    return torch.tensor(rows)
