"""Where the subsets agree, where they do not, and how sure one subset is of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import CLASSES
from napari_rdl.case import Grid

if TYPE_CHECKING:
    from napari_rdl.compare.label_stack import LabelStack
    from napari_rdl.segment import Representations

AGREEMENT_BELOW = 0.67
"""Places of disagreement are where fewer than this share of the subsets say the same; two of three are."""


@dataclass(frozen=True)
class Place:
    """A connected region in which the subsets disagree.

    Attributes
    ----------
    volume_ml : float
    disagreement_ml : float
        Share of the subsets outvoted, summed over the voxels, in ml: what places are ordered by.
    agreement : float
        Mean share of the subsets that say the same there.
    centroid_voxel : tuple of float
        On the case's grid (x, y, z).
    centroid_mm : tuple of float
        In RAS+ world millimetres.
    voxel : tuple of int
        The place's voxel that lies nearest its centroid, which itself may lie outside: where to go.
    """

    volume_ml: float
    disagreement_ml: float
    agreement: float
    centroid_voxel: tuple[float, float, float]
    centroid_mm: tuple[float, float, float]
    voxel: tuple[int, int, int]


def agreement(stack: LabelStack) -> NDArray[np.float32]:
    """Return the share of the subsets that give each voxel its most voted class: (X, Y, Z), 1 is all."""
    return stack.spread(_shares(stack), background=1)


def entropy(representations: Representations, subset: Iterable[str] | None = None) -> NDArray[np.float32]:
    """Return the entropy of a subset's class probabilities, over that of four equal ones.

    Parameters
    ----------
    representations : Representations
    subset : iterable of str, optional
        All modalities if left out.

    Returns
    -------
    ndarray of float32
        (X, Y, Z), 0 sure to 1 undecided; ``-sum(p ln p) / ln(classes)``. 0 outside the brain.
    """
    probabilities = representations.probabilities(subset)
    unsure = probabilities[0] < 1
    some = probabilities[:, unsure]
    volume = np.zeros(probabilities.shape[1:], np.float32)
    terms = some * np.log(np.maximum(some, np.finfo(np.float32).tiny))
    volume[unsure] = np.clip(-terms.sum(axis=0) / np.float32(np.log(len(probabilities))), 0, 1)
    return volume


def places_of_disagreement(
    stack: LabelStack,
    grid: Grid,
    *,
    below: float = AGREEMENT_BELOW,
    most: int = 20,
    smallest_ml: float = 0.02,
) -> list[Place]:
    """Return where the subsets disagree most, worst first.

    Parameters
    ----------
    stack : LabelStack
    grid : Grid
        The case's.
    below : float
        Voxels count where fewer than this share of the subsets say the same.
    most : int
        How many places to return at most.
    smallest_ml : float
        Places smaller than this are left out.
    """
    from scipy import ndimage

    shares = _shares(stack)
    where = np.flatnonzero(shares < below)
    if not where.size:
        return []
    indices = np.stack(np.unravel_index(stack.voxels[where], stack.shape), axis=1)
    start = indices.min(axis=0)
    box = np.zeros(indices.max(axis=0) - start + 1, bool)
    at = tuple((indices - start).T)
    box[at] = True
    components, _ = ndimage.label(box, np.ones((3, 3, 3)))
    numbers = components[at] - 1
    sizes = np.bincount(numbers)
    lost = np.bincount(numbers, weights=1 - shares[where].astype(float))
    centres = np.stack([np.bincount(numbers, weights=column) / sizes for column in indices.T], axis=1)
    order = [
        number for number in np.argsort(-lost, kind="stable") if sizes[number] * grid.voxel_ml >= smallest_ml
    ]
    places = []
    for number in order[:most]:
        own = indices[numbers == number]
        nearest = own[((own - centres[number]) ** 2).sum(axis=1).argmin()]
        world = grid.affine[:3, :3] @ centres[number] + grid.affine[:3, 3]
        places.append(
            Place(
                volume_ml=float(sizes[number] * grid.voxel_ml),
                disagreement_ml=float(lost[number] * grid.voxel_ml),
                agreement=float(1 - lost[number] / sizes[number]),
                centroid_voxel=_triple(centres[number]),
                centroid_mm=_triple(world),
                voxel=(int(nearest[0]), int(nearest[1]), int(nearest[2])),
            )
        )
    return places


def _shares(stack: LabelStack) -> NDArray[np.float32]:
    votes = np.stack([(stack.classes == value).sum(axis=0) for value in range(len(CLASSES))])
    return (votes.max(axis=0) / len(stack.subsets)).astype(np.float32)


def _triple(values: NDArray[np.floating]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
