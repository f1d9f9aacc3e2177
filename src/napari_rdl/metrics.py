"""Dice, HD95 and volumes: MONAI's metrics with the rules for empty masks said once.

Dice of two empty masks is 1, of one empty mask 0. HD95 with an empty mask is undefined and given as
None, never as a number. Used by training, comparison and the benchmark alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import REGIONS

EMPTY_MASK_RULE = (
    "Dice is 1 where both masks are empty and 0 where one is; HD95 is undefined there and left out."
)
"""The rule in words, for the headers of reports."""


def dice(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the hard Dice coefficient 2|P and G| / (|P| + |G|) of two masks of one shape."""
    total = int(np.count_nonzero(predicted)) + int(np.count_nonzero(truth))
    if total == 0:
        return 1.0
    return 2 * int(np.count_nonzero(predicted & truth)) / total


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

    if not predicted.any() or not truth.any():
        return None
    # Distances outside the box of both masks change nothing and cost most of the time.
    box = _bounding_box(predicted | truth)
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
    counts = np.bincount(classes.ravel(), minlength=4)
    return {region: float(counts[list(members)].sum() * voxel_ml) for region, members in REGIONS.items()}


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
    found, true = region_masks(predicted), region_masks(truth)
    scores: dict[str, dict[str, float | None]] = {}
    for region in REGIONS:
        scores[region] = {"dice": dice(found[region], true[region])}
        if distances:
            scores[region]["hd95"] = hd95(found[region], true[region], spacing)
    return scores


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    box = []
    for axis in range(mask.ndim):
        filled = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        # One voxel of margin, so that a surface at the box's edge is still a surface.
        box.append(slice(max(int(filled[0]) - 1, 0), int(filled[-1]) + 2))
    return tuple(box)
