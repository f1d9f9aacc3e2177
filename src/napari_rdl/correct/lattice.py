"""A lattice of about 2 mm over a volume: what is slow voxel by voxel is quick there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LATTICE_MM = 2.0


def lattice_step(spacing: tuple[float, float, float]) -> NDArray[np.int64]:
    """Return how many voxels of `spacing` mm a block of the lattice has along each axis."""
    return np.array([max(1, round(_LATTICE_MM / size + 0.2)) for size in spacing])


def block_means(volume: NDArray[np.float32], step: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the means of the lattice's blocks; beyond the volume there is nothing."""
    after = -np.array(volume.shape) % step
    padded = np.pad(volume, [(0, int(size)) for size in after])
    a, b, c = step
    x, y, z = np.array(padded.shape) // step
    return padded.reshape(x, a, y, b, z, c).mean((1, 3, 5), dtype=np.float32)


def in_blocks(values: NDArray[Any], step: NDArray[np.integer], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return each voxel's block's value, for a volume of `shape`."""
    found = values
    for axis, number in enumerate(step):
        found = found.repeat(int(number), axis)
    return found[tuple(slice(size) for size in shape)]
