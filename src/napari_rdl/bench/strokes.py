"""The simulated annotator's hand: the next stroke goes into the largest error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import route_through_array

from napari_rdl.boxes import bounding_box, start_of
from napari_rdl.brats import CLASSES

LENGTH_MM = 20.0
"""The most that a stroke is long."""

_AXIAL = 2
_OUTSIDE = -1.0


@dataclass(frozen=True)
class Stroke:
    """A curve in one axial slice.

    Attributes
    ----------
    voxels : ndarray of int, shape (n, 3)
        One voxel wide.
    class_index : int
        What the annotator says is there.
    """

    voxels: NDArray[np.integer]
    class_index: int


def next_stroke(
    labels: NDArray[np.uint8], truth: NDArray[np.uint8], spacing: tuple[float, float, float]
) -> Stroke | None:
    """Return a stroke through the middle of the largest connected error; None where nothing is wrong.

    An error is a connected set of voxels that are of one class and are said to be of others. The curve runs
    in the axial slice of its deepest voxel, through that voxel, as far from the error's rim as it can.

    Parameters
    ----------
    labels, truth : ndarray of uint8, shape (X, Y, Z)
        Class indices.
    spacing : tuple of float
        Voxel size in mm.
    """
    largest, right = None, 0
    for index in range(len(CLASSES)):
        wrong = (truth == index) & (labels != index)
        box = bounding_box(wrong, margin=1)
        if box is None:
            continue
        parts, _ = ndimage.label(wrong[box])
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        biggest = int(sizes.argmax())
        if largest is None or sizes[biggest] > np.count_nonzero(largest[0]):
            largest, right = (parts == biggest, box), index
    if largest is None:
        return None
    error, box = largest
    depth = ndimage.distance_transform_edt(np.pad(error, 1), spacing)[1:-1, 1:-1, 1:-1]
    deepest = np.unravel_index(int(depth.argmax()), depth.shape)
    flat = _curve(error[:, :, deepest[_AXIAL]], deepest[:_AXIAL], spacing[:_AXIAL])
    level = np.full((len(flat), 1), deepest[_AXIAL])
    return Stroke(np.hstack([flat, level]) + np.array(start_of(box)), right)


def _curve(
    error: NDArray[np.bool_], middle: tuple[np.intp, ...], spacing: tuple[float, ...]
) -> NDArray[np.integer]:
    """Return the pixels (n, 2) of a curve through `middle` that keeps away from the rim."""
    parts, _ = ndimage.label(error)
    error = parts == parts[middle]
    depth = ndimage.distance_transform_edt(np.pad(error, 1), spacing)[1:-1, 1:-1]
    costs = np.where(error, 1 / np.maximum(depth, min(spacing)) ** 2, _OUTSIDE)
    pixels = np.argwhere(error)
    away = (pixels - np.array(middle)) * np.array(spacing)
    distance = np.sqrt(np.square(away).sum(1))
    # Ends lie well inside, on opposite sides of the middle.
    fit = (distance <= LENGTH_MM / 2) & (depth[tuple(pixels.T)] >= depth.max() / 3)
    pixels, away, distance = pixels[fit], away[fit], distance[fit]
    first = int(distance.argmax())
    second = int((-(away @ away[first])).argmax())
    curve = [tuple(map(int, middle))]
    for end in (first, second):
        path, _ = route_through_array(costs, tuple(map(int, middle)), pixels[end], geometric=True)
        curve += path
    return np.unique(np.array(curve), axis=0)
