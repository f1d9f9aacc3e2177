"""The one label layer that shows what the model says: read-only, updated in place."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_rdl import brats
from napari_rdl.boxes import extent
from napari_rdl.plugin.viewer.appearance import class_appearance, keep_read_only, placement, redraw
from napari_rdl.plugin.viewer.class_colours import class_colours
from napari_rdl.plugin.viewer.layer_list import layers_added, layers_removed
from napari_rdl.plugin.viewer.roles import Role, plugin_metadata, role_metadata, role_of

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.case import Case

# How deep a class lies in the nested regions: 1 in WT only, 2 in TC but not ET, 3 in ET.
_DEPTH = np.array(
    [sum(index in members for members in brats.REGIONS.values()) for index in range(len(brats.CLASSES))],
    np.uint8,
)


def region_outlines(classes: NDArray[np.uint8], axes: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the outlines of WT (1), TC (2) and ET (3), one voxel wide, on the inside.

    Parameters
    ----------
    classes : NDArray of uint8
        Class indices, any number of axes.
    axes : tuple of int
        The axes in which a voxel has neighbours: the two of the plane shown.

    Returns
    -------
    NDArray of uint8
        Same shape. Where outlines coincide, as those of TC and ET round an enhancing ring do, the outermost
        and the innermost take turns, in dashes.
    """
    outlines = np.zeros_like(classes)
    box = extent(classes)
    if box is None:
        return outlines
    depth = _DEPTH[classes[box]]
    # A voxel of depth d lies on the outlines of all regions between its shallowest neighbour and d.
    shallowest = depth.copy()
    for axis in axes:
        whole = np.moveaxis(depth, axis, 0)
        least = np.moveaxis(shallowest, axis, 0)
        np.minimum(least[1:], whole[:-1], out=least[1:])
        np.minimum(least[:-1], whole[1:], out=least[:-1])
        least[0] = 0
        least[-1] = 0
    # Dashes are laid by the place in the volume, so that a slice looks the same drawn alone.
    places = np.ogrid[box]
    turn = sum(places[axis] for axis in axes) // 2 % 2 == 0
    drawn = np.where(turn, depth, shallowest + 1)
    outlines[box] = np.where(shallowest < depth, drawn, 0)
    return outlines


class PredictionLayer:
    """Shows one case's prediction in one read-only label layer.

    The layer's data is one array of class indices for the layer's whole life, written in place. Region
    outlines are a second layer, made when first asked for, so that the first always holds the classes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    case : Case
        The layer is placed on its grid.
    """

    def __init__(self, viewer: Viewer, case: Case) -> None:
        self.case = case
        self._viewer = viewer
        self._outlines: Labels | None = None
        self._outlined = False
        self._remove_abandoned()
        self._layer = self._add(Role.PREDICTION, "prediction", class_appearance())
        viewer.dims.events.order.connect(self._on_plane_change)
        viewer.dims.events.ndisplay.connect(self._on_plane_change)

    @property
    def layer(self) -> Labels:
        """The label layer of class indices."""
        return self._layer

    def show(self, classes: NDArray[np.uint8], *, thumbnail: bool = True) -> None:
        """Show a whole volume of class indices, (X, Y, Z) on the case's grid.

        Parameters
        ----------
        thumbnail : bool
            False where the picture is waited for; `draw_thumbnail` is to be called after it.
        """
        self._return_to_viewer()
        np.copyto(self._layer.data, classes)
        with nullcontext() if thumbnail else self._viewer.layers.events.blocker():
            redraw(self._layer, thumbnail=thumbnail)
            self._update_outlines()

    def draw_thumbnail(self) -> None:
        """Bring the layer's picture in napari's list up to date."""
        if self._layer in self._viewer.layers:
            redraw(self._layer, thumbnail=True)

    def show_slice(self, axis: int, index: int, slice2d: NDArray[np.uint8]) -> None:
        """Show class indices in one slice only; its axes are the other two, in order."""
        self._return_to_viewer()
        where = tuple(index if a == axis else slice(None) for a in range(3))
        self._layer.data[where] = slice2d
        # napari's list of layers would paint a row for it, and have the whole window put together once more.
        with self._viewer.layers.events.blocker():
            redraw(self._layer)
            if self._outlined and self._outlines is not None:
                self._outlines.data[where] = region_outlines(np.ascontiguousarray(slice2d), (0, 1))
                redraw(self._outlines)

    def set_outlines(self, on: bool) -> None:
        """Show WT, TC and ET as outlines, or the classes as filled labels."""
        self._outlined = on
        if on and self._outlines is None:
            self._outlines = self._add(Role.OUTLINE, "outlines", _outline_appearance())
        self._return_to_viewer()
        self._update_outlines()
        self._layer.visible = not on
        if self._outlines is not None:
            self._outlines.visible = on

    def close(self) -> None:
        """Stop following the viewer; the layers stay as they are."""
        self._viewer.dims.events.order.disconnect(self._on_plane_change)
        self._viewer.dims.events.ndisplay.disconnect(self._on_plane_change)

    def remove(self) -> None:
        """Stop following the viewer and take the layers out of it."""
        self.close()
        for layer in (self._layer, self._outlines):
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _remove_abandoned(self) -> None:
        """Take out what a widget that was closed since had shown of this patient: it follows nobody now."""
        abandoned = [
            layer
            for layer in self._viewer.layers
            if (role := role_of(layer)) is not None
            and role.is_prediction
            and plugin_metadata(layer)["case"] == self.case.name
        ]
        if abandoned:
            with layers_removed():
                for layer in abandoned:
                    self._viewer.layers.remove(layer)

    def _add(self, role: Role, title: str, appearance: dict[str, Any]) -> Labels:
        layer = Labels(
            np.zeros(self.case.grid.shape, np.uint8),
            name=f"{self.case.name} {title}",
            metadata=role_metadata(role, self.case),
            **appearance,
            **placement(self.case.grid),
        )
        keep_read_only(layer)
        with layers_added(self._viewer):
            self._viewer.add_layer(layer)
        return layer

    def _return_to_viewer(self) -> None:
        # A user may have deleted the layer: a new prediction brings it back.
        for layer in (self._layer, self._outlines if self._outlined else None):
            if layer is not None and layer not in self._viewer.layers:
                with layers_added(self._viewer):
                    self._viewer.add_layer(layer)

    def _on_plane_change(self) -> None:
        self._update_outlines()

    def _update_outlines(self) -> None:
        if not self._outlined or self._outlines is None:
            return
        displayed = tuple(self._viewer.dims.displayed[-3:])
        # Layers of fewer axes than the viewer sit at its last axes.
        offset = self._viewer.dims.ndim - 3
        axes = tuple(axis - offset for axis in displayed if axis >= offset)
        np.copyto(self._outlines.data, region_outlines(self._layer.data, axes))
        redraw(self._outlines)


def outline_colormap() -> DirectLabelColormap:
    """Return the colours of outlines: a region's is that of the class which it adds to the one inside it."""
    colours: dict[int | None, str] = {int(_DEPTH[index]): colour for index, colour in class_colours.items()}
    return DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colours})


def _outline_appearance() -> dict[str, Any]:
    titles = ["background", *(f"{brats.REGION_TITLES[name]} ({name})" for name in brats.REGIONS)]
    return {
        "colormap": outline_colormap(),
        "features": {"index": list(range(len(titles))), "outline of": titles},
        "opacity": 1.0,
    }
