"""Dice, HD95 and volumes of regions, with the rules for empty masks said once.

Everything but the distances comes from one count of class pairs: how many voxels have class i in one label
map and class j in another. Dice of two empty masks is 1, of one empty mask 0. HD95 with an empty mask is
undefined and given as None, never as a number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box
from napari_rdl.brats import CLASSES, REGIONS

_CLASSES = len(CLASSES)

EMPTY_MASK_RULE = (
    "Dice is 1 where both masks are empty and 0 where one is; HD95 is undefined there and left out."
)
"""The rule in words, for the headers of reports."""


@dataclass(frozen=True)
class Overlap:
    """How many voxels two masks have, and how many they share."""

    found: int
    true: int
    both: int

    @property
    def dice(self) -> float:
        """The hard Dice coefficient 2|P and G| / (|P| + |G|); 1 where both are empty."""
        return 2 * self.both / (self.found + self.true) if self.found + self.true else 1.0

    @classmethod
    def of_masks(cls, predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Overlap:
        """Count two masks of one shape."""
        return cls(*(int(np.count_nonzero(mask)) for mask in (predicted, truth, predicted & truth)))

    @classmethod
    def of_pairs(cls, pairs: NDArray[np.integer], region: str) -> Overlap:
        """Count a region in what `class_pairs` returns."""
        among = list(REGIONS[region])
        counted = pairs[among], pairs[:, among], pairs[np.ix_(among, among)]
        return cls(*(int(part.sum()) for part in counted))


def dice(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the hard Dice coefficient 2|P and G| / (|P| + |G|) of two masks of one shape."""
    return Overlap.of_masks(predicted, truth).dice


def class_counts(classes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how many voxels each class has: (4,) from indices of any shape; others are background."""
    if classes.dtype != np.uint8:
        classes = np.where((classes > 0) & (classes < _CLASSES), classes, 0)
    flat = np.ascontiguousarray(classes, np.uint8).reshape(-1)
    # Eight at a time, for most are background: a fourth of the time of comparing each with each class.
    whole = flat.size // 8 * 8
    words = flat[:whole].view(np.uint64)
    marked = np.concatenate((words[words != 0].view(np.uint8), flat[whole:]))
    counts = np.bincount(marked, minlength=_CLASSES)[:_CLASSES].astype(np.int64)
    counts[0] = flat.size - counts[1:].sum()
    return counts


def class_pairs(predicted: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many voxels have each pair of classes.

    Parameters
    ----------
    predicted, truth : ndarray of uint8
        Class indices of one shape.

    Returns
    -------
    ndarray of int64, shape (4, 4)
        By class of `predicted` and class of `truth`.
    """
    pairs = predicted * np.uint8(_CLASSES) + truth
    return np.bincount(pairs.reshape(-1), minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)


def region_counts(counts: NDArray[np.integer]) -> dict[str, int]:
    """Return the voxels of each region from those of each class."""
    return {region: int(counts[list(members)].sum()) for region, members in REGIONS.items()}


def region_dice(predicted: NDArray[np.uint8], truth: NDArray[np.uint8]) -> dict[str, float]:
    """Return the hard Dice of each region of two label maps of one shape."""
    pairs = class_pairs(predicted, truth)
    return {region: Overlap.of_pairs(pairs, region).dice for region in REGIONS}


def hd95(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> float | None:
    """Return the 95th percentile of the symmetric surface distance in mm (MONAI's definition).

    Parameters
    ----------
    predicted, truth : ndarray of bool
        (X, Y, Z) masks.
    spacing : tuple of float
        Voxel size in mm along x, y, z.

    Returns
    -------
    float or None
        None where a mask is empty.
    """
    import torch
    from monai.metrics import compute_hausdorff_distance

    if not (predicted.any() and truth.any()):
        return None
    # Distances outside the box of both masks change nothing and cost most of the time; one voxel of margin,
    # so that a surface at the box's edge is still a surface.
    box = bounding_box(predicted | truth, margin=1)
    assert box is not None
    distance = compute_hausdorff_distance(
        torch.from_numpy(np.ascontiguousarray(predicted[box]))[None, None],
        torch.from_numpy(np.ascontiguousarray(truth[box]))[None, None],
        include_background=True,
        percentile=95,
        spacing=[float(size) for size in spacing],
    )
    return float(distance[0, 0])


def region_masks(classes: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    """Return the masks of WT, TC and ET from class indices of any shape."""
    return {region: np.isin(classes, members) for region, members in REGIONS.items()}


def volumes_ml(classes: NDArray[np.uint8], voxel_ml: float) -> dict[str, float]:
    """Return the volume of each region in millilitres.

    Parameters
    ----------
    classes : ndarray of uint8
        Class indices.
    voxel_ml : float
        Volume of one voxel in ml.
    """
    counted = region_counts(class_counts(classes))
    return {region: float(count * voxel_ml) for region, count in counted.items()}


def region_scores(
    predicted: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    spacing: tuple[float, float, float],
    *,
    distances: bool = True,
) -> dict[str, dict[str, float | None]]:
    """Return Dice, and HD95 in mm unless `distances` is False, of each region.

    Parameters
    ----------
    predicted, truth : ndarray of uint8
        (X, Y, Z) class indices on one grid.
    """
    scores: dict[str, dict[str, float | None]] = {
        region: {"dice": value} for region, value in region_dice(predicted, truth).items()
    }
    if distances:
        found, true = region_masks(predicted), region_masks(truth)
        for region in REGIONS:
            scores[region]["hd95"] = hd95(found[region], true[region], spacing)
    return scores
