"""From a modality's own grid to the case's, where the two differ: linear interpolation in space."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from napari_rdl.boxes import Box
from napari_rdl.case import Grid
from napari_rdl.segment.working_grid import Triple

_SLAB = 16


def box_on(target: Grid, own: Grid, box: Box) -> Box | None:
    """Return the voxels of `target` that a box of the grid `own` reaches; None where there are none."""
    corners = np.array(list(product(*((part.start - 1, part.stop) for part in box))), float)
    matrix = np.linalg.inv(target.affine) @ own.affine
    there = corners @ matrix[:3, :3].T + matrix[:3, 3]
    low = np.maximum(np.floor(there.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(there.max(0)).astype(int) + 1, target.shape)
    if (low >= high).any():
        return None
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return x, y, z


def moved(
    volume: Tensor, matrix: NDArray[np.float64], shape: tuple[int, int, int], *, nearest: bool = False
) -> Tensor:
    """Interpolate a volume at the voxels of another grid; 0 beyond its ends.

    Parameters
    ----------
    volume : Tensor
        (C, X, Y, Z) float32.
    matrix : ndarray, shape (4, 4)
        Voxel index of the result -> voxel index of `volume`.
    shape : tuple of int
        Of the result.
    nearest : bool
        Take the nearest voxel, as for masks.
    """
    size = torch.tensor(volume.shape[1:], dtype=torch.float32, device=volume.device)
    turn = torch.from_numpy(matrix[:3, :3].astype(np.float32)).to(volume.device)
    shift = torch.from_numpy(matrix[:3, 3].astype(np.float32)).to(volume.device)
    axes = [torch.arange(count, dtype=torch.float32, device=volume.device) for count in shape]
    result = volume.new_empty((len(volume), *shape))
    for start in range(0, shape[0], _SLAB):
        part = slice(start, min(start + _SLAB, shape[0]))
        index = torch.stack(torch.meshgrid(axes[0][part], axes[1], axes[2], indexing="ij"), -1)
        at = (index @ turn.T + shift) * 2 / size + 1 / size - 1
        result[:, part] = functional.grid_sample(
            volume[None],
            # The last axis comes first there.
            at.flip(-1)[None],
            mode="nearest" if nearest else "bilinear",
            padding_mode="zeros",
            align_corners=False,
        )[0]
    return result


def lattice_affine(
    grid: Grid, start: tuple[int, int, int], spacing: Triple, patch: int
) -> NDArray[np.float64]:
    """Return voxel index -> millimetres of a part of the working (or, with `patch`, the term) lattice."""
    scale = np.array(spacing) / np.array(grid.spacing)
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag(scale * patch)
    matrix[:3, 3] = (np.array(start) + patch / 2) * scale - 0.5
    return grid.affine @ matrix
