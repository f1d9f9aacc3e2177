"""Between a case's grid and the network's working grid: separable linear resampling.

Both grids share their axes, so resampling is one small matrix for each axis. Applied to logits it
commutes with their sum, which is why each modality is brought to the native grid only once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl.boxes import Box


@dataclass(frozen=True)
class WorkingGrid:
    """The part of the working lattice that covers a box of the case's grid.

    The lattice is anchored at the outer corner of the case's first voxel, so that the working voxels
    of all modalities of a case coincide, whatever their boxes.

    Attributes
    ----------
    box : tuple of slice
        Voxels of the case's grid (x, y, z).
    start, shape : tuple of int
        First working voxel, and how many, along each axis.
    case_spacing, spacing : tuple of float
        Voxel sizes in mm.
    """

    box: Box
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    case_spacing: tuple[float, float, float]
    spacing: tuple[float, float, float]

    @classmethod
    def covering(
        cls, box: Box, case_spacing: tuple[float, float, float], spacing: tuple[float, float, float]
    ) -> WorkingGrid:
        """Return the working voxels whose extent touches `box`."""
        ends = []
        for part, fine, coarse in zip(box, case_spacing, spacing, strict=True):
            first = int(np.floor(part.start * fine / coarse + 1e-6))
            ends.append((first, max(int(np.ceil(part.stop * fine / coarse - 1e-6)), first + 1)))
        (x, x_end), (y, y_end), (z, z_end) = ends
        return cls(box, (x, y, z), (x_end - x, y_end - y, z_end - z), case_spacing, spacing)

    def to_working(self, image: Tensor) -> Tensor:
        """Resample `image` (..., X, Y, Z), which covers `box`, to (..., *shape)."""
        return _apply(image, [matrix for matrix, _ in self._matrices()])

    def to_case(self, volume: Tensor) -> Tensor:
        """Resample `volume` (..., *shape) to the voxels of `box` (..., X, Y, Z)."""
        return _apply(volume, [matrix for _, matrix in self._matrices()])

    def _matrices(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        pairs = []
        for part, first, count, fine, coarse in zip(
            self.box, self.start, self.shape, self.case_spacing, self.spacing, strict=True
        ):
            case_mm = (np.arange(part.start, part.stop) + 0.5) * fine
            work_mm = (first + np.arange(count) + 0.5) * coarse
            pairs.append((linear_weights(case_mm, work_mm), linear_weights(work_mm, case_mm)))
        return pairs


def linear_weights(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the matrix (targets, sources) of linear interpolation between regular positions in mm.

    Where the target is coarser, the triangle widens to the target's spacing, so that downsampling
    averages instead of picking every second voxel (no aliasing of noise). Rows sum to one; beyond the
    ends the last value holds.
    """
    step = source[1] - source[0] if len(source) > 1 else 1.0
    stride = target[1] - target[0] if len(target) > 1 else step
    width = max(step, stride)
    inside = np.clip(target, source[0], source[-1])
    weights = np.clip(1 - np.abs(inside[:, None] - source[None, :]) / width, 0, None)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _apply(volume: Tensor, matrices: list[NDArray[np.float32]]) -> Tensor:
    """Multiply the last three axes of `volume` by one matrix each."""
    x, y, z = (torch.from_numpy(matrix).to(volume.device, volume.dtype) for matrix in matrices)
    # The axis that shrinks most first would be cheapest; last to first keeps memory access regular.
    volume = volume @ z.T
    volume = y @ volume
    shape = volume.shape
    flat = volume.reshape(*shape[:-3], shape[-3], shape[-2] * shape[-1])
    return (x @ flat).reshape(*shape[:-3], x.shape[0], *shape[-2:])
