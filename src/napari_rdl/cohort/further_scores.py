"""Scores beside Dice and HD95 that cost time, and are measured when asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import REGIONS
from napari_rdl.cohort.calibration import LEAST_TUMOUR, expected_calibration_error
from napari_rdl.compare.lesions import lesion_scores
from napari_rdl.compare.scores import Reference
from napari_rdl.compare.surfaces import Surface, pooled_hd95, surface_dice
from napari_rdl.metrics import dice, region_masks

Further = Literal["surface", "lesions", "calibration", "without_small_et", "soft"]
"""``surface``: HD95 of both surfaces pooled, and surface Dice; ``lesions``: lesion by lesion, as BraTS
2023; ``calibration``: how far probabilities are from what is right; ``without_small_et``: Dice once
enhancing tumour of fewer than 500 voxels is taken away; ``soft``: Dice of probabilities."""

SMALL_ET = 500
"""Voxels."""

Probabilities = Callable[[], NDArray[np.float32]]
"""Returns class probabilities (J, X, Y, Z); asked where they are needed."""


def further_scores(
    wanted: Collection[Further],
    reference: Reference,
    labels: NDArray[np.uint8],
    probabilities: Probabilities,
    *,
    smallest_et: int = 0,
) -> dict[str, dict[str, float | None]]:
    """Return region -> measure -> value of one label map.

    Parameters
    ----------
    wanted : collection of str
        Names of `Further`.
    reference : Reference
    labels : ndarray of uint8
        (X, Y, Z) class indices on the reference's grid.
    probabilities : callable
    smallest_et : int
        Enhancing tumour of fewer voxels counts as none; probabilities stay what they are.
    """
    found, true = region_masks(labels), region_masks(reference.classes)
    if found["ET"].sum() < smallest_et:
        found["ET"] = np.zeros_like(found["ET"])
    scores: dict[str, dict[str, float | None]] = {region: {} for region in REGIONS}
    spacing = reference.grid.spacing
    for region, row in scores.items():
        if "surface" in wanted:
            surface, other = Surface(found[region], spacing), reference.surfaces[region]
            row["hd95_pooled"] = pooled_hd95(surface, other)
            row["surface_dice"] = surface_dice(surface, other)
        if "lesions" in wanted:
            lesions = lesion_scores(found[region], true[region], spacing)
            row["lesion_dice"], row["lesion_hd95"] = lesions.dice, lesions.hd95
    if "without_small_et" in wanted:
        few = found["ET"].sum() < SMALL_ET
        for region, row in scores.items():
            kept = np.zeros_like(found["ET"]) if region == "ET" and few else found[region]
            row["dice_without_small_et"] = dice(kept, true[region])
    said = probabilities() if {"calibration", "soft"} & set(wanted) else None
    if said is not None and "soft" in wanted:
        for region, members in REGIONS.items():
            share = said[list(members)].sum(0)
            shared, total = float(share[true[region]].sum()), float(share.sum() + true[region].sum())
            scores[region]["soft_shared"], scores[region]["soft_total"] = shared, total
            scores[region]["soft_dice"] = 2 * shared / total if total else 1.0
    if said is not None and "calibration" in wanted:
        doubtful = 1 - said[0] > LEAST_TUMOUR
        for region, members in REGIONS.items():
            of_region = said[list(members)][:, doubtful].sum(0)
            pair = np.stack([1 - of_region, of_region], axis=1)
            truth = true[region][doubtful].astype(int)
            scores[region]["calibration_error"] = expected_calibration_error(pair, truth)
    return scores
