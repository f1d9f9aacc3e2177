"""Where a prediction is in doubt: places to look at, worst first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import middle_of, pieces

UNSURE_ABOVE = 0.5
"""Entropy, over that of four equal classes, above which a voxel is in doubt."""


@dataclass(frozen=True)
class Doubt:
    """A connected place in doubt.

    Attributes
    ----------
    voxel : tuple of int
        The voxel of the place that lies nearest its middle.
    ml : float
        Its volume.
    weight : float
        Entropy summed over it, in ml: what places are ordered by.
    """

    voxel: tuple[int, int, int]
    ml: float
    weight: float


def doubtful_places(
    entropy: NDArray[np.float32],
    voxel_ml: float,
    *,
    above: float = UNSURE_ABOVE,
    most: int = 30,
    smallest_ml: float = 0.02,
) -> list[Doubt]:
    """Return the connected places whose entropy is high, the heaviest first.

    Parameters
    ----------
    entropy : ndarray of float32, shape (X, Y, Z)
        0 sure, 1 undecided; see `napari_rdl.compare.entropy`.
    voxel_ml : float
    above : float
        Voxels count from here on.
    most : int
        How many places to return at most.
    smallest_ml : float
        Smaller places are left out.
    """
    places = []
    for box, own in pieces(entropy > above):
        ml = np.count_nonzero(own) * voxel_ml
        if ml < smallest_ml:
            continue
        weight = float(entropy[box][own].sum() * voxel_ml)
        places.append(Doubt(middle_of(box, own), float(ml), weight))
    return sorted(places, key=lambda place: -place.weight)[:most]


def mean_doubt(labels: NDArray[np.uint8], entropy: NDArray[np.float32]) -> float:
    """Return how unsure a model is of a patient: the mean entropy in the tumour and wherever it is unsure.

    Parameters
    ----------
    labels : ndarray of uint8, shape (X, Y, Z)
        What it says.
    entropy : ndarray of float32, shape (X, Y, Z)
        0 sure, 1 undecided.

    Returns
    -------
    float
        0 to 1; 0 where it finds nothing and is sure of that.
    """
    concerned = (labels > 0) | (entropy > UNSURE_ABOVE)
    return float(entropy[concerned].mean()) if concerned.any() else 0.0
