"""Where voxels lie: the RAS+ grid that a case lives on, and the way back to the files' own.

Affines map voxel indices to millimetres in RAS+ world coordinates, as NIfTI has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Header
from numpy.typing import DTypeLike, NDArray

Shape = tuple[int, int, int]

SPACING_MM = (0.1, 20.0)
"""Smallest and largest edge of a voxel of a head, in millimetres."""

_UNITS = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}
"""NIfTI's codes of units of length but millimetres -> name, and how many millimetres they are."""

_ROWS = 4
_RAS = np.array([[0, 1], [1, 1], [2, 1]], dtype=float)
_TOLERATED_SHIFT = 0.05
_TOLERATED_SPACING = 1e-3


@dataclass(frozen=True, eq=False)
class Grid:
    """A box of voxels in space.

    Attributes
    ----------
    shape : tuple of int
        Voxels along X, Y, Z.
    affine : ndarray of float64, shape (4, 4)
        Voxel index -> millimetres, RAS+.
    """

    shape: Shape
    affine: NDArray[np.float64]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along X, Y, Z in millimetres."""
        x, y, z = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)).tolist()
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) / 1000.0)

    @property
    def corners(self) -> NDArray[np.float64]:
        """The centres of the eight corner voxels in millimetres, shape (8, 3)."""
        indices = np.array(list(product(*((0, size - 1) for size in self.shape))), float)
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]

    def difference(self, other: Grid) -> str | None:
        """Say how `other` differs from this grid, or return None where both are the same.

        Grids are the same when their shapes are, and no corner lies more than a twentieth of a
        voxel off: rounding in headers goes that far, a displacement that matters does not.
        """
        if self.shape == other.shape:
            apart = float(np.linalg.norm(self.corners - other.corners, axis=1).max())
            if apart <= _TOLERATED_SHIFT * min(self.spacing):
                return None
        else:
            apart = None
        words = []
        if self.shape != other.shape:
            words.append(f"shape {_shape(other.shape)} instead of {_shape(self.shape)}")
        if not np.allclose(self.spacing, other.spacing, rtol=_TOLERATED_SPACING, atol=0):
            words.append(f"spacing {_mm(other.spacing)} instead of {_mm(self.spacing)} mm")
        angle = rotation_degrees(self.affine, other.affine)
        if angle > 0.05:
            words.append(f"turned by {angle:.1f} degrees")
        shift = float(np.linalg.norm(self._centre - other._centre))
        if shift > _TOLERATED_SHIFT * min(self.spacing):
            words.append(f"centre shifted by {shift:.3g} mm")
        if not words:
            words.append(f"voxels up to {apart:.3g} mm apart")
        return ", ".join(words)

    @property
    def _centre(self) -> NDArray[np.float64]:
        return self.corners.mean(axis=0)


@dataclass(frozen=True, eq=False)
class Native:
    """What the reference file had, for the way back.

    Attributes
    ----------
    shape : tuple of int
        The file's three spatial sizes, in the file's own axis order.
    affine : ndarray of float64, shape (4, 4)
        The file's affine, in the file's own unit of length.
    header : nibabel.nifti1.Nifti1Header
        The file's header (a subclass for NIfTI-2), never changed.
    orientation : ndarray of float64, shape (3, 2)
        nibabel's orientation of the file's axes: applied to its array, it gives RAS+.
    """

    shape: Shape
    affine: NDArray[np.float64]
    header: Nifti1Header
    orientation: NDArray[np.float64] = field(repr=False)

    @classmethod
    def from_header(cls, shape: tuple[int, ...], affine: NDArray[np.float64], header: Nifti1Header) -> Native:
        """Keep what `header` says, and find how the file's axes lie."""
        x, y, z = (int(size) for size in shape)
        return cls((x, y, z), np.array(affine, float), header, nib.orientations.io_orientation(affine))

    @property
    def grid(self) -> Grid:
        """The RAS+ grid: the same voxels in the same places, axes permuted and flipped."""
        to_native = nib.orientations.inv_ornt_aff(self.orientation, self.shape)
        # Of nothing: axes are permuted and flipped as those of an array.
        nothing = np.broadcast_to(np.empty((), np.bool_), self.shape)
        shape = nib.orientations.apply_orientation(nothing, self.orientation).shape
        to_mm = np.diag([*[millimetres_of(self.header)] * 3, 1.0])
        return Grid((shape[0], shape[1], shape[2]), to_mm @ self.affine @ to_native)

    def from_native(self, array: NDArray, dtype: DTypeLike | None = None) -> NDArray:
        """Turn an array in the file's axis order into RAS+, by permuting and flipping only; as `dtype`."""
        return _in_rows(nib.orientations.apply_orientation(array, self.orientation), dtype)

    def to_native(self, array: NDArray) -> NDArray:
        """Turn a RAS+ array into the file's axis order, by permuting and flipping only."""
        back = nib.orientations.ornt_transform(_RAS, self.orientation)
        return np.ascontiguousarray(nib.orientations.apply_orientation(array, back))


def _in_rows(array: NDArray, dtype: DTypeLike | None) -> NDArray:
    """Return an array in C order; a few rows at a time, so that what is read stays in the cache."""
    if array.ndim != 3 or array.flags.c_contiguous:
        return np.ascontiguousarray(array, dtype)
    rows = np.empty(array.shape, array.dtype if dtype is None else dtype)
    for start in range(0, array.shape[1], _ROWS):
        rows[:, start : start + _ROWS] = array[:, start : start + _ROWS]
    return rows


def unit_of(header: Nifti1Header) -> str:
    """Return the unit of a header's lengths; a header that names none means millimetres."""
    return _UNITS.get(int(header["xyzt_units"]) & 7, ("millimetres", 1.0))[0]


def millimetres_of(header: Nifti1Header) -> float:
    """Return how many millimetres the unit of a header's lengths is."""
    return _UNITS.get(int(header["xyzt_units"]) & 7, ("millimetres", 1.0))[1]


def rotation_degrees(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the angle between the axes of two affines, in degrees."""
    turns = [affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0) for affine in (first, second)]
    # Between matching columns rather than from the trace: it stays exact for shear and small angles.
    sines = np.linalg.norm(np.cross(turns[0].T, turns[1].T), axis=1)
    cosines = (turns[0] * turns[1]).sum(axis=0)
    return float(np.degrees(np.arctan2(sines, cosines)).max())


def resample_array(
    image: NDArray, source: Grid, target: Grid, *, order: int, background: float = 0.0
) -> NDArray:
    """Bring an image from one grid onto another.

    Parameters
    ----------
    image : ndarray, shape ``source.shape``
    order : int
        0 for labels (nearest neighbour), 1 for intensities (linear).
    background : float
        Value outside the source's box.

    Returns
    -------
    ndarray, shape ``target.shape``, the dtype of `image`
    """
    from scipy.ndimage import affine_transform

    matrix = np.linalg.inv(source.affine) @ target.affine
    return affine_transform(
        image,
        matrix[:3, :3],
        matrix[:3, 3],
        output_shape=target.shape,
        order=order,
        mode="constant",
        cval=background,
    )


def _shape(shape: Shape) -> str:
    return " x ".join(str(size) for size in shape)


def _mm(spacing: tuple[float, float, float]) -> str:
    return " x ".join(f"{size:.4g}" for size in spacing)
