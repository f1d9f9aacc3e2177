"""Surface distances of one reference to many label maps: MONAI's HD95, with the reference's part kept.

Beside it the HD95 of both surfaces' distances pooled, and surface Dice.
`napari_rdl.metrics.hd95` prepares both masks anew for every pair. Here a mask's surface voxels and their
search tree are made once, and used for as many pairs as it has a part in. The numbers are the same.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box, start_of

if TYPE_CHECKING:
    from scipy.spatial import KDTree

_LEAF = 32  # as MONAI has it

TOLERANCE_MM = 1.0
"""How far apart surfaces may lie and still agree: a voxel of BraTS."""


class Surface:
    """The surface voxels of a mask, in mm.

    Parameters
    ----------
    mask : ndarray of bool
        (X, Y, Z); what lies outside the array is not of the mask.
    spacing : tuple of float
        Voxel size in mm along x, y, z.
    offset : tuple of int
        Where the array's first voxel lies on the grid, so that boxes of one grid can be compared.
    """

    def __init__(
        self,
        mask: NDArray[np.bool_],
        spacing: tuple[float, float, float],
        offset: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        from scipy.ndimage import binary_erosion

        self.points: NDArray[np.float64] = np.zeros((0, 3))
        box = bounding_box(mask)
        if box is None:
            return
        inside = mask[box]
        start = np.add(offset, start_of(box))
        edge = inside & ~binary_erosion(inside)
        self.points = (np.argwhere(edge) + start) * np.asarray(spacing, float)

    @cached_property
    def _tree(self) -> KDTree:
        from scipy.spatial import KDTree

        return KDTree(self.points, leafsize=_LEAF)

    def distances_from(self, other: Surface) -> NDArray[np.float32]:
        """Return the distance in mm of each of the other's points to the nearest of these."""
        return self._tree.query(other.points, k=1)[0].astype(np.float32)


def surface_distances(one: Surface, other: Surface) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return the distances in mm of the other's points from `one`, and of its own from the other.

    None where one is empty.
    """
    if not len(one.points) or not len(other.points):
        return None
    return one.distances_from(other), other.distances_from(one)


def pooled_hd95(one: Surface, other: Surface) -> float | None:
    """Return the 95th percentile of the distances of both surfaces together in mm; None where one is empty.

    As MedPy has it. `hd95_between` takes the larger of the two surfaces' own percentiles.
    """
    ways = surface_distances(one, other)
    return None if ways is None else float(np.percentile(np.concatenate(ways), 95))


def surface_dice(one: Surface, other: Surface, tolerance: float = TOLERANCE_MM) -> float:
    """Return the share of both surfaces' voxels that lie within `tolerance` mm of the other surface.

    Normalised surface Dice (Nikolov et al. 2021) of surface voxels, as MONAI counts them without subvoxels.
    1 where both are empty, 0 where one is.
    """
    ways = surface_distances(one, other)
    if ways is None:
        return float(len(one.points) == len(other.points))
    return float((np.concatenate(ways) <= tolerance).mean())


def hd95_between(one: Surface, other: Surface) -> float | None:
    """Return the 95th percentile of the symmetric surface distance in mm; None where a mask is empty."""
    import torch

    ways = surface_distances(one, other)
    if ways is None:
        return None
    return max(float(torch.quantile(torch.from_numpy(way), 0.95)) for way in ways)
