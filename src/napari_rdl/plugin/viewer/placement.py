"""Where layers lie in napari's world: axes x, y, z in RAS+ order, in mm, with a positive scale.

What rotation an oblique scan has stays in the case and is used when labels are saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_rdl.case import Grid

AXIS_LABELS = ("x", "y", "z")
"""World axes: x towards the patient's right, y towards anterior, z towards superior."""


def scale_translate(grid: Grid) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return napari's ``scale`` and ``translate`` in mm for a RAS+ grid, each as (x, y, z)."""
    return tuple(map(float, grid.spacing)), tuple(float(value) for value in grid.affine[:3, 3])


def placement(grid: Grid) -> dict[str, Any]:
    """Return the keyword arguments that put a layer with this grid into the world."""
    scale, translate = scale_translate(grid)
    return {
        "scale": scale,
        "translate": translate,
        "units": ("mm", "mm", "mm"),
        "axis_labels": AXIS_LABELS,
    }


def world_affine(layer: Layer) -> NDArray[np.float64]:
    """Return the affine, (4, 4), from a three-dimensional layer's voxels to its world in mm.

    A layer whose axes have no unit of length is taken to be in mm.
    """
    affine = np.eye(4)
    origin = np.asarray(layer.data_to_world((0, 0, 0)))
    for axis in range(3):
        affine[:3, axis] = np.asarray(layer.data_to_world(np.eye(3)[axis])) - origin
    affine[:3, 3] = origin
    affine[:3] *= np.array([_millimetres(unit) for unit in layer.units])[:, None]
    return affine


def _millimetres(unit: Any) -> float:
    return float((1 * unit).m_as("mm")) if unit.is_compatible_with("mm") else 1.0
