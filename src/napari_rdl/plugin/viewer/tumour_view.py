"""Going to the tumour: the slices that cut most of its largest piece, with that piece in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_rdl.boxes import bounding_box, outward, pieces
from napari_rdl.plugin.viewer.appearance import scale_translate

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_rdl.boxes import Box
    from napari_rdl.case import Grid

_AROUND = 1.6
"""How much wider than the tumour the view is, where it has to be widened."""


def largest_piece(classes: NDArray[np.uint8]) -> tuple[Box, NDArray[np.bool_]] | None:
    """Return the box of the largest connected tumour and its voxels within; None where there is none.

    Parameters
    ----------
    classes : ndarray of uint8, shape (X, Y, Z)
        Class indices; voxels that touch by a corner are connected.
    """
    whole = bounding_box(classes)
    if whole is None:
        return None
    box, piece = max(pieces(classes[whole] > 0), key=lambda found: np.count_nonzero(found[1]))
    return outward(box, whole), piece


def go_to_tumour(viewer: ViewerModel, grid: Grid, classes: NDArray[np.uint8]) -> bool:
    """Show the slices that cut most of the largest piece of tumour, all of it in sight; False without any.

    The zoom is kept unless the piece would not fit; so is the middle of the picture unless it would be cut.

    Parameters
    ----------
    grid : Grid
        Where `classes` lie.
    classes : ndarray of uint8, shape (X, Y, Z)
        Class indices, RAS+.
    """
    found = largest_piece(classes) if viewer.dims.ndim >= 3 else None
    if found is None:
        return False
    box, piece = found
    front = viewer.dims.ndim - 3
    scale, translate = (np.array(values) for values in scale_translate(grid))
    most = [
        int(np.count_nonzero(piece, axis=tuple(other for other in range(3) if other != axis)).argmax())
        for axis in range(3)
    ]
    at = translate + scale * [side.start + index for side, index in zip(box, most, strict=True)]
    for axis in range(3):
        viewer.dims.set_point(front + axis, float(at[axis]))
    low = translate + scale * ([side.start - 0.5 for side in box])
    high = translate + scale * ([side.stop - 0.5 for side in box])
    _bring_into_sight(viewer, [axis - front for axis in viewer.dims.displayed], low, high)
    return True


def _bring_into_sight(
    viewer: ViewerModel, shown: list[int], low: NDArray[np.float64], high: NDArray[np.float64]
) -> None:
    """Move the camera so that a box of the world (mm) is seen whole in the axes shown."""
    camera = viewer.scene.camera
    if len(shown) != 2 or min(shown) < 0:
        return
    pixels = np.array(viewer.canvas.viewbox_size(viewer.layers), float)
    wanted = high[shown] - low[shown]
    centre = np.array(camera.center[-2:])
    if (wanted * camera.zoom > pixels).any():
        camera.zoom = float((pixels / (wanted * _AROUND)).min())
    room = pixels / camera.zoom
    cut = (low[shown] < centre - room / 2) | (high[shown] > centre + room / 2)
    if cut.any():
        middle = np.where(cut, (low[shown] + high[shown]) / 2, centre)
        camera.center = (*camera.center[:-2], *map(float, middle))
