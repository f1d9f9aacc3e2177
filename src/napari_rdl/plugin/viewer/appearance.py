"""Where this plugin's layers lie and how they look: one world in mm, the colours and names of classes.

Axes are x, y, z in RAS+ order, with a positive scale. What rotation an oblique scan has stays in the case
and is used when labels are saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from napari_rdl import brats
from napari_rdl.plugin.viewer.class_colours import class_colours
from napari_rdl.plugin.viewer.roles import plugin_metadata

if TYPE_CHECKING:
    from napari.layers import Labels, Layer
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


def class_colormap(values: Mapping[int, int] | None = None) -> DirectLabelColormap:
    """Return the colours of NCR, ED and ET, as the user has them.

    Parameters
    ----------
    values : Mapping[int, int], optional
        Layer value -> class index; the class indices themselves by default.
    """
    values = {index: index for index in class_colours} if values is None else values
    colours: dict[int | None, str] = {
        value: class_colours[index] for value, index in values.items() if index in class_colours
    }
    return DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colours})


def class_appearance() -> dict[str, Any]:
    """Return colours and class names, as keyword arguments of a label layer of class indices."""
    titles = [brats.CLASS_TITLES.get(name, name) for name in brats.CLASSES]
    return {
        "colormap": class_colormap(),
        "features": {"index": list(range(len(titles))), "class": titles},
        "opacity": 0.5,
    }


def value_appearance(values: Mapping[int, int]) -> dict[str, Any]:
    """Return colours and class names of a label layer whose values are a file's; see `class_colormap`."""
    titles = [brats.CLASS_TITLES.get(brats.CLASSES[index], brats.CLASSES[index]) for index in values.values()]
    return {
        "colormap": class_colormap(values),
        "features": {"index": list(values), "class": titles},
        "opacity": 0.5,
    }


def placed_as(layer: Layer) -> dict[str, Any]:
    """Return the keyword arguments that put a copy of a layer where it is, in the same colours."""
    names = ("scale", "translate", "units", "axis_labels", "colormap", "opacity", "blending")
    return {name: getattr(layer, name) for name in names}


def keep_read_only(layer: Labels) -> Callable[[], None]:
    """Switch the painting tools of `layer` off, and off again should napari switch them on.

    Before it is added to a viewer, for then napari draws no tools for it, which takes a tenth of a second.

    Returns
    -------
    callable
        Gives them back.
    """

    def lock() -> None:
        if layer.editable:
            layer.editable = False

    def give_back() -> None:
        layer.events.editable.disconnect(lock)
        layer.editable = True
        _show_tools(layer, True)

    lock()
    _show_tools(layer, False)
    layer.events.editable.connect(lock)
    return give_back


def _show_tools(layer: Labels, on: bool) -> None:
    """Have napari draw the brush and the polygon of a label layer, or not."""
    for name in ("brush_stroke", "polygon"):
        # napari has no public way to them; without these names they are drawn as ever.
        overlay = layer._overlays.get(name)
        if overlay is not None:
            overlay.visible = on


def redraw(layer: Labels, *, thumbnail: bool = False) -> None:
    """Show what was written into `layer.data`, in the layer, its twins and its mirrors.

    The extent and the selection's highlight are left as they are, and so is the thumbnail unless asked
    for: computing them costs more than drawing the slice.
    """
    layer.refresh(thumbnail=thumbnail, highlight=False, extent=False)
    known = plugin_metadata(layer)
    for twin in (*known.get("twins", ()), *known.get("mirrors", ())):
        twin.refresh(thumbnail=False, highlight=False, extent=False)
