"""The terms of Eq. 5, each beside its equation."""

from napari_rdl.training.losses.dice import dice_loss, region_dice_loss
from napari_rdl.training.losses.divergence import (
    f_divergence,
    holder_divergence,
    label_divergence,
    proper_holder_divergence,
)
from napari_rdl.training.losses.mutual_information import GaussianTransfer, level_weights
from napari_rdl.training.losses.total import Objective, StepLoss

__all__ = [
    "GaussianTransfer",
    "Objective",
    "StepLoss",
    "dice_loss",
    "f_divergence",
    "holder_divergence",
    "label_divergence",
    "level_weights",
    "proper_holder_divergence",
    "region_dice_loss",
]
