"""Which piece of tumour a "not tumour" stroke means."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from napari_rdl.boxes import Box, bounding_box, start_of
from napari_rdl.correct.lattice import block_means, in_blocks, lattice_step

_DEEPER = 1.25
"""What lies so many times deeper in a piece than the stroke is not meant."""


def stroked_pieces(
    tumour: NDArray[np.bool_], strokes: NDArray[np.integer], spacing: tuple[float, float, float]
) -> Iterator[tuple[Box, NDArray[np.bool_]]]:
    """Yield what strokes through tumour mean: each piece's box, and which voxels in there are meant.

    A stroke through the middle of a connected piece means the piece, one along its rim the rim: where the
    piece is deeper elsewhere, it is parted at its necks (a watershed of the depth) into what belongs to the
    stroke and what belongs to its deeper places. Depths are taken on a lattice of about 2 mm.

    Parameters
    ----------
    tumour : ndarray of bool, shape (X, Y, Z)
        Voxels that touch by a face are connected.
    strokes : ndarray of int, shape (n, 3)
        Voxel indices.
    spacing : tuple of float
        Voxel size in mm.
    """
    box = bounding_box(tumour)
    if box is None:
        return
    parts, _ = ndimage.label(tumour[box])
    local = strokes - np.array(start_of(box))
    local = local[((local >= 0) & (local < np.array(parts.shape))).all(1)]
    numbers = parts[tuple(local.T)]
    boxes = ndimage.find_objects(parts)
    for number in np.unique(numbers[numbers > 0]):
        part = boxes[number - 1]
        own = parts[part] == number
        within = local[numbers == number] - np.array([axis.start for axis in part])
        x, y, z = (
            slice(axis.start + outer.start, axis.stop + outer.start)
            for axis, outer in zip(part, box, strict=True)
        )
        yield (x, y, z), own & _meant(own, within, spacing)


def _meant(
    piece: NDArray[np.bool_], strokes: NDArray[np.integer], spacing: tuple[float, float, float]
) -> NDArray[np.bool_]:
    step = lattice_step(spacing)
    coarse = block_means(piece.astype(np.float32), step) > 0
    sizes = [size * number for size, number in zip(spacing, step, strict=True)]
    depth = ndimage.distance_transform_edt(np.pad(coarse, 1), sizes)[1:-1, 1:-1, 1:-1]
    stroked = tuple((strokes // step).T)
    deeper = depth > _DEEPER * depth[stroked].max()
    if not deeper.any():
        return np.ones(piece.shape, bool)
    markers = np.where(deeper, 2, 0).astype(np.int8)
    markers[stroked] = 1
    return in_blocks(watershed(-depth, markers, mask=coarse) == 1, step, piece.shape)
