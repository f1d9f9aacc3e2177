"""Between a case's grid and the network's working grid: separable linear resampling.

Both grids share their axes, so resampling is one small matrix for each axis. Applied to logits it
commutes with their sum, which is why a linear fusion's terms are brought to the native grid only once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from napari_rdl import boxes
from napari_rdl.boxes import Box

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class WorkingGrid:
    """The part of the working lattice that covers a box of the case's grid.

    The lattice is anchored at the outer corner of the case's first voxel, so that the working voxels
    of all modalities of a case coincide, whatever their boxes; with a patch p, the part begins and ends
    at multiples of p, so that their term voxels coincide too.

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
    case_spacing: Triple
    spacing: Triple

    @classmethod
    def covering(
        cls,
        box: Box,
        case_spacing: Triple,
        spacing: Triple,
        *,
        patch: int = 1,
        within: tuple[int, int, int] | None = None,
    ) -> WorkingGrid:
        """Return the working voxels whose extent touches `box`.

        With `patch`, the box is grown to what these voxels cover of a case of the shape `within`.
        """
        ends, parts = [], []
        for axis, (part, fine, coarse) in enumerate(zip(box, case_spacing, spacing, strict=True)):
            first = int(np.floor(part.start * fine / coarse / patch + 1e-6)) * patch
            last = int(np.ceil(part.stop * fine / coarse / patch - 1e-6)) * patch
            last = max(last, first + patch)
            ends.append((first, last))
            if patch > 1:
                limit = part.stop if within is None else within[axis]
                start = min(part.start, max(int(np.floor(first * coarse / fine + 1e-6)), 0))
                part = slice(start, max(part.stop, min(int(np.ceil(last * coarse / fine - 1e-6)), limit)))
            parts.append(part)
        (x, x_end), (y, y_end), (z, z_end) = ends
        grown = (parts[0], parts[1], parts[2])
        return cls(grown, (x, y, z), (x_end - x, y_end - y, z_end - z), case_spacing, spacing)

    @classmethod
    def union(cls, grids: Iterable[WorkingGrid]) -> WorkingGrid:
        """Return the part of one lattice that holds several parts of it."""
        grids = list(grids)
        start = np.min([grid.start for grid in grids], axis=0)
        stop = np.max([np.add(grid.start, grid.shape) for grid in grids], axis=0)
        x, y, z = (int(value) for value in start)
        a, b, c = (int(value) for value in stop - start)
        return replace(
            grids[0], box=boxes.union([grid.box for grid in grids]), start=(x, y, z), shape=(a, b, c)
        )

    @property
    def coincides(self) -> bool:
        """Whether working voxels are the case's own, so that nothing needs resampling."""
        return bool(np.allclose(self.case_spacing, self.spacing, rtol=1e-6, atol=0))

    def place_in(self, whole: WorkingGrid, patch: int = 1) -> Box:
        """Return where this part of the lattice lies in a larger one, in voxels of `patch`."""
        x, y, z = (
            slice((own - first) // patch, (own - first + size) // patch)
            for own, first, size in zip(self.start, whole.start, self.shape, strict=True)
        )
        return x, y, z

    def to_working(self, image: Tensor) -> Tensor:
        """Resample `image` (..., X, Y, Z), which covers `box`, to (..., *shape)."""
        if self.coincides:
            # Where the patches reach beyond the case, there is nothing.
            after = [
                start + size - part.stop
                for start, size, part in zip(self.start, self.shape, self.box, strict=True)
            ]
            return functional.pad(image, [0, after[2], 0, after[1], 0, after[0]]) if any(after) else image
        return _apply(image, [linear_weights(*self._positions(axis)) for axis in range(3)])

    def to_case(self, volume: Tensor) -> Tensor:
        """Resample `volume` (..., *shape) to the voxels of `box` (..., X, Y, Z)."""
        if self.coincides:
            return volume[(..., *boxes.within(self.box, self._case_box))]
        return _apply(volume, [self._to_case_matrix(axis) for axis in range(3)])

    def reached_by(self, where: Box) -> tuple[Box, Box]:
        """Return which of the case's voxels a working voxel of a box takes part in.

        Parameters
        ----------
        where : tuple of slice
            Working voxels, within `shape`.

        Returns
        -------
        place : tuple of slice
            These voxels' place within `box`.
        needed : tuple of slice
            All working voxels that they are resampled from.
        """
        place: list[slice] = []
        needed: list[slice] = []
        for axis, part in enumerate(where):
            matrix = self._to_case_matrix(axis)
            rows = _extent(matrix[:, part])
            place.append(rows)
            needed.append(_extent(matrix[rows].T))
        x, y, z = place
        a, b, c = needed
        return (x, y, z), (a, b, c)

    def to_case_part(self, volume: Tensor, place: Box, needed: Box) -> Tensor:
        """Return `to_case` in `place` from the working voxels `needed` alone; see `reached_by`."""
        matrices = [
            np.ascontiguousarray(self._to_case_matrix(axis)[rows, columns])
            for axis, (rows, columns) in enumerate(zip(place, needed, strict=True))
        ]
        return _apply(volume, matrices)

    def needed_for(self, axis: int, index: int, patch: int = 1) -> slice:
        """Return which working voxels along `axis` a slice of the case (within `box`) is resampled from.

        They begin and end at multiples of `patch`.
        """
        if self.coincides:
            first = last = index - self.start[axis]
        else:
            found = np.flatnonzero(self._to_case_matrix(axis)[index - self.box[axis].start])
            first, last = int(found[0]), int(found[-1])
        return slice(first // patch * patch, -(-(last + 1) // patch) * patch)

    def slice_to_case(self, volume: Tensor, axis: int, index: int, part: slice) -> Tensor:
        """Return one slice of `to_case` from `part` of the working volume along `axis` (`needed_for`)."""
        if self.coincides:
            x, y, z = (
                slice(index - self.start[axis] - part.start, index - self.start[axis] - part.start + 1)
                if other == axis
                else place
                for other, place in enumerate(boxes.within(self.box, self._case_box))
            )
            return volume[..., x, y, z]
        matrices = [self._to_case_matrix(other) for other in range(3)]
        matrices[axis] = matrices[axis][index - self.box[axis].start][None, part]
        return _apply(volume, matrices)

    @property
    def _case_box(self) -> Box:
        """The working voxels as a box of the case's grid, where both have one spacing."""
        x, y, z = (slice(start, start + size) for start, size in zip(self.start, self.shape, strict=True))
        return x, y, z

    def _positions(self, axis: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return where case and working voxels lie along `axis`, in mm."""
        part = self.box[axis]
        case_mm = (np.arange(part.start, part.stop) + 0.5) * self.case_spacing[axis]
        work_mm = (self.start[axis] + np.arange(self.shape[axis]) + 0.5) * self.spacing[axis]
        return case_mm, work_mm

    def _to_case_matrix(self, axis: int) -> NDArray[np.float32]:
        case_mm, work_mm = self._positions(axis)
        return linear_weights(work_mm, case_mm)


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


def _extent(matrix: NDArray[np.float32]) -> slice:
    """Return from the first to the last row that is not zero; empty where all are."""
    found = np.flatnonzero(matrix.any(1))
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def _apply(volume: Tensor, matrices: list[NDArray[np.float32]]) -> Tensor:
    """Multiply the last three axes of `volume` by one matrix each."""
    x, y, z = (torch.from_numpy(matrix).to(volume.device, volume.dtype) for matrix in matrices)
    # The axis that shrinks most first would be cheapest; last to first keeps memory access regular.
    volume = volume @ z.T
    volume = y @ volume
    shape = volume.shape
    flat = volume.reshape(*shape[:-3], shape[-3], shape[-2] * shape[-1])
    return (x @ flat).reshape(*shape[:-3], x.shape[0], *shape[-2:])
