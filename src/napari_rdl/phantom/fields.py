"""Where a patient is computed, and smooth random fields that look the same at every spacing."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]

HALF_BOX = (92.0, 116.0, 98.0)
"""Half the box (mm, around the head's centre) that every random field covers."""

_CUBIC_VARIANCE = 0.4794
"""Mean over the unit cell of the summed squares of the cubic B-spline's weights."""


def random_stream(seed: int, stage: str) -> np.random.Generator:
    """Return the generator of one stage of one patient; no stage's draws move another's."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(stage.encode())]))


def log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draw between `bounds`, uniformly in the logarithm."""
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def ramp(values: Volume, low: float, high: float) -> Volume:
    """Rise from 0 at `low` to 1 at `high`, linearly (falls where `low` is above `high`)."""
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)


@dataclass(frozen=True)
class Canvas:
    """A regular isotropic grid of head coordinates (mm, RAS+, 0 at the head's centre).

    Attributes
    ----------
    origin : tuple of float
        Head coordinates of voxel (0, 0, 0), in mm.
    shape : tuple of int
        Voxels along x, y, z.
    spacing : float
        Millimetres between voxels.
    """

    origin: tuple[float, float, float]
    shape: tuple[int, int, int]
    spacing: float

    @classmethod
    def covering(cls, spacing: float) -> Canvas:
        """Return the grid over the whole box that a head may fill."""
        shape = tuple(int(2 * half / spacing) + 1 for half in HALF_BOX)
        origin = tuple(-(count - 1) * spacing / 2 for count in shape)
        return cls(origin, shape, spacing)  # type: ignore[arg-type]

    def cropped(self, box: Sequence[slice]) -> Canvas:
        """Return the part of the grid inside `box`."""
        origin = tuple(o + s.start * self.spacing for o, s in zip(self.origin, box, strict=True))
        return Canvas(origin, tuple(s.stop - s.start for s in box), self.spacing)  # type: ignore[arg-type]

    def axis(self, axis: int) -> Volume:
        """Return the head coordinates (mm) along one axis."""
        return (self.origin[axis] + self.spacing * np.arange(self.shape[axis])).astype(np.float32)

    def offsets(self, point: Sequence[float]) -> tuple[Volume, Volume, Volume]:
        """Return x, y, z minus `point` in mm, shaped to broadcast to (X, Y, Z)."""
        x, y, z = (self.axis(axis) - np.float32(point[axis]) for axis in range(3))
        return x[:, None, None], y[None, :, None], z[None, None, :]

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return self.spacing**3 / 1000


def along_axes(values: Volume, matrices: Sequence[Volume]) -> Volume:
    """Apply one matrix (n_out, n_in) along each axis of `values`."""
    for matrix in matrices:  # each tensordot takes the first axis off and puts the new one last
        values = np.tensordot(values, matrix, axes=(0, 1))
    return np.ascontiguousarray(values, np.float32)


def _cubic_matrix(positions: Volume, count: int) -> Volume:
    """Return cubic B-spline weights (n, count) of control points at 0 ... count-1."""
    distance = np.abs(positions[:, None] - np.arange(count, dtype=np.float32)[None])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def linear_matrix(positions: Volume, count: int) -> Volume:
    """Return linear interpolation weights (n, count); positions beyond the ends take the end's value."""
    inside = np.clip(positions, 0, count - 1)
    return np.clip(1 - np.abs(inside[:, None] - np.arange(count, dtype=np.float32)[None]), 0, None).astype(
        np.float32
    )


def resize(values: Volume, source: Canvas, target: Canvas) -> Volume:
    """Interpolate `values` on `source` linearly to `target`."""
    return along_axes(
        values,
        [
            linear_matrix((target.axis(a) - source.origin[a]) / source.spacing, source.shape[a])
            for a in range(3)
        ],
    )


class SmoothField:
    """A Gaussian random field with unit variance: white control points under cubic B-splines.

    Parameters
    ----------
    rng : Generator
        Where the control points come from; their number depends on `scale` alone.
    scale : float
        Distance between control points in mm, about the size of the field's blobs.
    """

    def __init__(self, rng: np.random.Generator, scale: float) -> None:
        self.scale = scale
        counts = [int(np.ceil(2 * half / scale)) + 4 for half in HALF_BOX]
        self.control = rng.standard_normal(counts, np.float32) / np.float32(_CUBIC_VARIANCE**1.5)

    def on(self, canvas: Canvas) -> Volume:
        """Return the field on `canvas`, (X, Y, Z) float32."""
        matrices = [
            _cubic_matrix((canvas.axis(a) + HALF_BOX[a]) / self.scale + 1, self.control.shape[a])
            for a in range(3)
        ]
        return along_axes(self.control, matrices)


def smooth_field(rng: np.random.Generator, canvas: Canvas, scale: float) -> Volume:
    """Draw a `SmoothField` and return it on `canvas`."""
    return SmoothField(rng, scale).on(canvas)


def sample(volume: Volume, coordinates: NDArray[np.float32], order: int = 1, outside: float = 0.0) -> Volume:
    """Interpolate `volume` at voxel `coordinates` (3, X, Y, Z); `outside` beyond its ends."""
    return ndimage.map_coordinates(
        volume, coordinates, order=order, mode="constant", cval=outside, prefilter=False
    )
