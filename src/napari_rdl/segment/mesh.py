"""A tumour's regions as surfaces: marching cubes in millimetres, smoothed by as much as a voxel is wide."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box
from napari_rdl.brats import REGIONS
from napari_rdl.callbacks import IsCancelled, never_cancelled
from napari_rdl.case import brain_mask
from napari_rdl.errors import Cancelled

Mesh = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Vertices (N, 3) and triangles (M, 3)."""

_SMOOTH_MM = 1.0
_MARGIN = 3
_BRAIN_STEP = 2
_BRAIN_SMOOTH = 1.5
_FEWEST = 8
"""A region of fewer voxels has no surface worth drawing."""


def region_meshes(
    classes: NDArray[np.uint8],
    spacing: tuple[float, float, float],
    *,
    smooth_mm: float = _SMOOTH_MM,
    cancelled: IsCancelled = never_cancelled,
) -> Iterator[tuple[str, Mesh]]:
    """Yield region and surface of WT, TC and ET, those that are there.

    Lorensen and Cline's marching cubes, as scikit-image has them, on the region's mask after a Gaussian, at a
    half: a ball of 12 mm loses less than a twentieth of its volume.

    Parameters
    ----------
    classes : ndarray of uint8, shape (X, Y, Z)
        Class indices.
    spacing : tuple of float
        Millimetres along X, Y, Z.
    smooth_mm : float
        Standard deviation of the Gaussian, 0 for none.

    Yields
    ------
    str, Mesh
        Vertices in mm from the centre of voxel (0, 0, 0).

    Raises
    ------
    Cancelled
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes

    box = bounding_box(classes)
    if box is None:
        return
    inside = np.pad(classes[box], _MARGIN)
    start = np.array([side.start - _MARGIN for side in box]) * spacing
    sigma = [smooth_mm / size for size in spacing]
    for region, members in REGIONS.items():
        if cancelled():
            raise Cancelled
        mask = np.isin(inside, members)
        if np.count_nonzero(mask) < _FEWEST:
            continue
        field = gaussian_filter(mask.astype(np.float32), sigma) if smooth_mm else mask.astype(np.float32)
        if field.max() <= 0.5:
            continue
        vertices, faces, _, _ = marching_cubes(field, 0.5, spacing=spacing)
        yield region, ((vertices + start).astype(np.float32), faces.astype(np.int32))


def brain_mesh(image: NDArray[np.float32], spacing: tuple[float, float, float]) -> Mesh | None:
    """Return the brain's surface from every second voxel, to see a tumour in its place; None without a brain.

    Parameters
    ----------
    image : ndarray of float32, shape (X, Y, Z)
        A modality without its skull.
    spacing : tuple of float
        Millimetres along X, Y, Z.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes

    mask = np.pad(brain_mask(image)[::_BRAIN_STEP, ::_BRAIN_STEP, ::_BRAIN_STEP], 1).astype(np.float32)
    field = gaussian_filter(mask, _BRAIN_SMOOTH)
    if field.max() <= 0.5:
        return None
    steps = tuple(_BRAIN_STEP * size for size in spacing)
    vertices, faces, _, _ = marching_cubes(field, 0.5, spacing=steps)
    return (vertices - np.array(steps)).astype(np.float32), faces.astype(np.int32)
