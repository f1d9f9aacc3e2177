"""The layers of a viewer, in the colours that the classes have now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels

from napari_rdl.brats import LABEL_CONVENTIONS
from napari_rdl.plugin.viewer.appearance import class_colormap
from napari_rdl.plugin.viewer.prediction import outline_colormap
from napari_rdl.plugin.viewer.roles import Role, plugin_metadata, role_of

if TYPE_CHECKING:
    from napari.utils.colormaps import DirectLabelColormap
    from napari.viewer import Viewer

_OF_CLASSES = (Role.PREDICTION, Role.CORRECTED, Role.EXPERT, Role.STUDIED, Role.SIDE)


def recolour(viewer: Viewer) -> None:
    """Give every layer of classes, and its copies in other cells, the colours of now."""
    for layer in viewer.layers:
        colormap = _colormap_of(layer) if isinstance(layer, Labels) else None
        if colormap is not None:
            for one in (layer, *plugin_metadata(layer).get("twins", ())):
                one.colormap = colormap


def _colormap_of(layer: Labels) -> DirectLabelColormap | None:
    role, known = role_of(layer), plugin_metadata(layer)
    if role is Role.OUTLINE:
        return outline_colormap()
    if role in _OF_CLASSES or (role is Role.MASK and known.get("classes")):
        return class_colormap()
    convention = LABEL_CONVENTIONS.get(known.get("convention", ""))
    return class_colormap(convention.to_class) if role is Role.MASK and convention is not None else None
