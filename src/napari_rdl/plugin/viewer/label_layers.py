"""Label layers of this plugin: colours and names of classes, who may paint, and drawing what is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import DirectLabelColormap

from napari_rdl import brats
from napari_rdl.plugin.viewer.roles import plugin_metadata

if TYPE_CHECKING:
    from napari.layers import Labels


def class_colormap(values: Mapping[int, int] | None = None) -> DirectLabelColormap:
    """Return the colours of NCR, ED and ET.

    Parameters
    ----------
    values : Mapping[int, int], optional
        Layer value -> class index; the class indices themselves by default.
    """
    values = {index: index for index in brats.CLASS_COLOURS} if values is None else values
    colours: dict[int | None, str] = {
        value: brats.CLASS_COLOURS[index] for value, index in values.items() if index in brats.CLASS_COLOURS
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


def keep_read_only(layer: Labels) -> None:
    """Switch the painting tools of `layer` off, and off again should napari switch them on."""

    def lock() -> None:
        if layer.editable:
            layer.editable = False

    lock()
    layer.events.editable.connect(lock)


def redraw(layer: Labels, *, thumbnail: bool = False) -> None:
    """Show what was written into `layer.data`, in the layer and in its twins of the modality grid.

    The extent and the selection's highlight are left as they are, and so is the thumbnail unless asked
    for: computing them costs more than drawing the slice.
    """
    layer.refresh(thumbnail=thumbnail, highlight=False, extent=False)
    for twin in plugin_metadata(layer).get("twins", ()):
        twin.refresh(thumbnail=False, highlight=False, extent=False)
