"""Lesion-wise Dice and HD95, as BraTS 2023 scores: each lesion counts once, however large it is.

The rules are those of the challenge's public code (https://github.com/rachitsaluja/BraTS-2023-Metrics, commit
0c603fc, brats_2023_metrics/surface_distance/brats_metrics.py, for gliomas), written anew: pieces of the
reference that touch once grown by three voxels are one lesion; all found pieces that reach into the grown
lesion are what was found of it; lesions of at most 50 mm³ are left out, and pieces that reach no lesion count
as lesions of Dice 0 and HD95 374 mm. One thing differs: distances are those of surface voxels, where that
code weighs pieces of surface by their area.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box
from napari_rdl.compare.surfaces import Surface, surface_distances
from napari_rdl.metrics import dice

GROWN_VOXELS = 3
"""By how much a lesion is grown before it is asked what touches it."""

SMALLEST_MM3 = 50.0
"""Lesions of the reference of at most this volume are left out."""

WORST_MM = 374.0
"""HD95 of a lesion that was not found, and of a found piece that is none."""


@dataclass(frozen=True)
class LesionScores:
    """How well the lesions of one region were found.

    Attributes
    ----------
    dice : float
        Mean over the reference's lesions and the pieces that are none; 1 where there is neither.
    hd95 : float
        Mean in mm; 0 where there is neither.
    lesions, missed, false : int
        Lesions of the reference that count, those among them of which nothing was found, and found pieces
        that reach no lesion.
    """

    dice: float
    hd95: float
    lesions: int
    missed: int
    false: int


def lesion_scores(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> LesionScores:
    """Score a region lesion by lesion.

    Parameters
    ----------
    found, truth : ndarray of bool
        (X, Y, Z) masks of one grid.
    spacing : tuple of float
        Voxel size in mm along x, y, z.
    """
    from scipy.ndimage import binary_dilation, generate_binary_structure, label

    box = bounding_box(found | truth, margin=GROWN_VOXELS + 1)
    if box is None:
        return LesionScores(1.0, 0.0, 0, 0, 0)
    found, truth = found[box], truth[box]
    corners, edges = generate_binary_structure(3, 3), generate_binary_structure(3, 2)
    pieces, count = label(found, corners)
    grown, lesions = label(binary_dilation(truth, edges, iterations=GROWN_VOXELS), corners)
    voxel_mm3 = float(np.prod(spacing))
    scores: list[tuple[float, float]] = []
    missed, hit = 0, np.zeros(count + 1, bool)
    for lesion in range(1, lesions + 1):
        # Grown alone, a lesion covers its part of what all of them grown together cover.
        place = grown == lesion
        own = truth & place
        touching = np.unique(pieces[place])
        touching = touching[touching > 0]
        hit[touching] = True
        if own.sum() * voxel_mm3 <= SMALLEST_MM3:
            continue
        missed += not len(touching)
        said = np.isin(pieces, touching) & found
        ways = surface_distances(Surface(said, spacing), Surface(own, spacing))
        far = WORST_MM if ways is None else float(max(np.percentile(way, 95) for way in ways))
        scores.append((dice(said, own), far))
    false = int(count - hit[1:].sum())
    everything = [*scores, *[(0.0, WORST_MM)] * false]
    if not everything:
        return LesionScores(1.0, 0.0, 0, 0, 0)
    means = np.mean(everything, axis=0)
    return LesionScores(float(means[0]), float(means[1]), len(scores), missed, false)
