"""Tools of the desk: each takes a label map and returns an edit, and changes nothing itself.

A voxel that a tool takes away from a class becomes what lies nearest to it: background, or another class.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import Box, bounding_box
from napari_rdl.brats import CLASSES, REGIONS
from napari_rdl.correct.edits import Edit

Labels = NDArray[np.uint8]
"""Class indices, (X, Y, Z)."""
Spacing = tuple[float, float, float]

_FILLED_WITH = {1: "TC", 2: "WT", 3: "TC"}
"""Class -> the region whose holes it fills: necrosis within a ring of enhancement is no hole."""


def grow(labels: Labels, value: int, spacing: Spacing, mm: float = 1.0) -> Edit:
    """Let a class grow by `mm` into whatever lies round it.

    Parameters
    ----------
    labels : ndarray of uint8, shape (X, Y, Z)
    value : int
        The class.
    spacing : tuple of float
        Voxel size in mm.
    """
    from scipy import ndimage

    box = _box_of(labels == value, spacing, mm)
    if box is None:
        return _nothing()
    own = labels[box] == value
    near = ndimage.distance_transform_edt(~own, sampling=spacing) <= _at_least_a_voxel(mm, spacing)
    return _in_box(labels, box, np.where(near, np.uint8(value), labels[box]))


def shrink(labels: Labels, value: int, spacing: Spacing, mm: float = 1.0) -> Edit:
    """Take the outer `mm` of a class away; see `grow`."""
    from scipy import ndimage

    box = _box_of(labels == value, spacing, mm)
    if box is None:
        return _nothing()
    own = labels[box] == value
    deep = ndimage.distance_transform_edt(own, sampling=spacing) > _at_least_a_voxel(mm, spacing)
    return _in_box(labels, box, _given_away(labels[box], own, own & ~deep, value, spacing))


def fill_holes(labels: Labels, value: int) -> Edit:
    """Fill what is shut in: holes of the tumour with oedema, holes of the core with NCR or ET."""
    from scipy import ndimage

    region = np.isin(labels, REGIONS[_FILLED_WITH[value]])
    box = bounding_box(region, margin=1)
    if box is None:
        return _nothing()
    holes = ndimage.binary_fill_holes(region[box]) & ~region[box]
    return _in_box(labels, box, np.where(holes, np.uint8(value), labels[box]))


def smooth(labels: Labels, value: int, spacing: Spacing, mm: float = 1.0) -> Edit:
    """Round a class's surface off, with a Gaussian of `mm`; its volume stays about what it is."""
    from scipy import ndimage

    box = _box_of(labels == value, spacing, 4 * mm)
    if box is None:
        return _nothing()
    own = labels[box] == value
    sigma = [mm / size for size in spacing]
    round_ = ndimage.gaussian_filter(own.astype(np.float32), sigma) > 0.5
    after = _given_away(labels[box], own, own & ~round_, value, spacing)
    return _in_box(labels, box, np.where(round_, np.uint8(value), after))


def drop_piece(labels: Labels, voxel: tuple[int, int, int]) -> Edit:
    """Take away the connected piece of tumour at `voxel`; nothing where there is none."""
    piece = _piece(labels, voxel)
    return _nothing() if piece is None else Edit.of_mask(piece, 0)


def keep_piece(labels: Labels, voxel: tuple[int, int, int]) -> Edit:
    """Take away all tumour but the connected piece at `voxel`; nothing where there is none."""
    piece = _piece(labels, voxel)
    return _nothing() if piece is None else Edit.of_mask((labels > 0) & ~piece, 0)


def interpolate(labels: Labels, value: int, axis: int, slices: Sequence[int] | None = None) -> Edit:
    """Fill a class in between slices, shape by shape: signed distances are blended from slice to slice.

    After Raya and Udupa 1990 (shape-based interpolation). What the slices between have of the class stays.

    Parameters
    ----------
    labels : ndarray of uint8, shape (X, Y, Z)
    value : int
        The class.
    axis : int
        Across which slices lie.
    slices : sequence of int, optional
        Those that were painted; all that have the class if left out.
    """
    moved = np.moveaxis(labels, axis, 0)
    has = np.flatnonzero((moved == value).any(axis=(1, 2)))
    painted = [int(number) for number in has if slices is None or number in set(slices)]
    after = np.moveaxis(labels.copy(), axis, 0)
    for first, last in pairwise(painted):
        if last - first < 2:
            continue
        ends = [_signed_distance(moved[number] == value) for number in (first, last)]
        for number in range(first + 1, last):
            share = (number - first) / (last - first)
            inside = (1 - share) * ends[0] + share * ends[1] < 0
            after[number][inside] = value
    return Edit.between(labels, np.moveaxis(after, 0, axis))


def copy_slice(labels: Labels, value: int, axis: int, number: int, step: int = 1) -> Edit:
    """Give the next slice the class as it stands in this one; nothing at the volume's end."""
    target = number + step
    if not 0 <= target < labels.shape[axis]:
        return _nothing()
    before = np.moveaxis(labels, axis, 0)
    own, shape = before[target] == value, before[number] == value
    if not shape.any():
        return _nothing()
    slice_after = _given_away(before[target], own, own & ~shape, value, (1.0, 1.0))
    mask = np.zeros(labels.shape, bool)
    values = labels.copy()
    np.moveaxis(values, axis, 0)[target] = np.where(shape, np.uint8(value), slice_after)
    np.moveaxis(mask, axis, 0)[target] = True
    mask &= values != labels
    return Edit.of_mask(mask, values)


def take_over(labels: Labels, other: Labels, box: Box) -> Edit:
    """Take what another label map, such as the prediction, says in a box."""
    return Edit.between(labels, other, box)


def strangers(labels: Labels) -> dict[int, int]:
    """Return the values that are no class, each with its number of voxels."""
    counts = np.bincount(labels.ravel())
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts) if value >= len(CLASSES)}


def map_value(labels: Labels, old: int, new: int) -> Edit:
    """Make one value another one, wherever it is."""
    return Edit.of_mask(labels == old, new)


def _nothing() -> Edit:
    return Edit(np.zeros(0, np.int64), np.zeros(0, np.uint8))


def _in_box(labels: Labels, box: Box, after: Labels) -> Edit:
    inner = np.nonzero(labels[box] != after)
    where = tuple(axis + part.start for axis, part in zip(inner, box, strict=True))
    return Edit(np.ravel_multi_index(where, labels.shape).astype(np.int64), after[inner].astype(np.uint8))


def _box_of(mask: NDArray[np.bool_], spacing: Spacing, mm: float) -> Box | None:
    return bounding_box(mask, margin=int(np.ceil(max(mm, max(spacing)) / min(spacing))) + 1)


def _at_least_a_voxel(mm: float, spacing: Spacing) -> float:
    # A step smaller than a voxel would do nothing.
    return max(mm, min(spacing)) + 1e-6


def _given_away(
    labels: NDArray[np.uint8],
    own: NDArray[np.bool_],
    lost: NDArray[np.bool_],
    value: int,
    spacing: Sequence[float],
) -> NDArray[np.uint8]:
    """Return labels in which the `lost` voxels of a class are what lies nearest outside of it."""
    from scipy import ndimage

    if not lost.any():
        return labels.copy()
    if own.all():
        return np.where(lost, np.uint8(0), labels)
    nearest = ndimage.distance_transform_edt(
        own, sampling=spacing, return_distances=False, return_indices=True
    )
    after = labels.copy()
    after[lost] = labels[tuple(nearest[:, lost])]
    return after


def _piece(labels: Labels, voxel: tuple[int, int, int]) -> NDArray[np.bool_] | None:
    from scipy import ndimage

    inside = all(0 <= place < size for place, size in zip(voxel, labels.shape, strict=True))
    if not inside or not labels[voxel]:
        return None
    pieces, _ = ndimage.label(labels > 0, np.ones((3, 3, 3)))
    return pieces == pieces[voxel]


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance to the mask's edge in voxels, negative inside."""
    from scipy import ndimage

    return ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)
