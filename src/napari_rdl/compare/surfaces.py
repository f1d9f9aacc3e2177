"""Surface distances of one reference to many label maps: MONAI's HD95, with the reference's part kept.

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


def hd95_between(one: Surface, other: Surface) -> float | None:
    """Return the 95th percentile of the symmetric surface distance in mm; None where a mask is empty."""
    import torch

    if not len(one.points) or not len(other.points):
        return None
    ways = one.distances_from(other), other.distances_from(one)
    return max(float(torch.quantile(torch.from_numpy(way), 0.95)) for way in ways)
