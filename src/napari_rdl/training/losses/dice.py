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


def region_dice_loss(probabilities: Tensor, target: Tensor, classes: tuple[str, ...] = CLASSES) -> Tensor:
    """Return the Dice loss of WT, TC and ET, each the union of its classes, for each sample.

    Parameters
    ----------
    probabilities, target : Tensor
        (B, J, V), as for `dice_loss`.
    classes : tuple of str
        Names of the J classes.

    Returns
    -------
    Tensor
        (B,).
    """
    rows = region_rows(classes).to(probabilities)
    return dice_loss(
        torch.einsum("rj,bjv->brv", rows, probabilities), torch.einsum("rj,bjv->brv", rows, target)
    )


def region_rows(classes: tuple[str, ...]) -> Tensor:
    """Return (3, J): 1 where a class belongs to WT, TC, ET."""
    rows = [[float(CLASSES.index(name) in members) for name in classes] for members in REGIONS.values()]
    return torch.tensor(rows)
