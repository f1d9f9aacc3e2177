"""The tumour in 3D: a surface for each region, one within the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Layer, Surface
from napari.utils.colormaps import Colormap

from napari_rdl.plugin.viewer.appearance import AXIS_LABELS, scale_translate
from napari_rdl.plugin.viewer.class_colours import class_colours
from napari_rdl.plugin.viewer.layer_list import one_scene, selection_kept
from napari_rdl.plugin.viewer.roles import Role, role_metadata, role_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.viewer import Viewer

    from napari_rdl.case import Case
    from napari_rdl.segment.mesh import Mesh

BRAIN = "brain"
INNERMOST = "ET"
_LOOK = {BRAIN: (None, 0.38), "WT": (2, 0.4), "TC": (1, 0.6), "ET": (3, 0.8)}
"""Surface -> the class whose colour it has, and how much it hides what lies within."""
_GREY = "#e3e8ee"
_ORIENTATION = ("towards", "down", "right")
_VIEW, _UP = (-0.55, -0.8, -0.35), (0.0, 0.0, 1.0)
"""Seen from the patient's right, from the front, a little from above, with the head upright (x, y, z)."""


class TumourSurfaces:
    """The surface layers of one patient, with the viewer in 3D, until `close`."""

    def __init__(self, viewer: Viewer, case: Case) -> None:
        self._viewer = viewer
        self.case = case
        self.layers: dict[str, Surface] = {}
        self._hidden: list[Layer] = []
        with one_scene(viewer):
            for layer in viewer.layers:
                # Volumes take seconds a frame without a graphics card, and hide the surfaces.
                if layer.visible and role_of(layer) is not None:
                    layer.visible = False
                    self._hidden.append(layer)
        camera = viewer.scene.camera
        self._camera = (camera.center, camera.zoom, camera.angles)
        self._order, self._orientation = viewer.dims.order, camera.orientation
        viewer.dims.ndisplay = 3
        # napari draws surfaces in their own order of axes, whatever the viewer's is, and lights them from
        # behind where an axis is turned.
        viewer.dims.order = tuple(range(viewer.dims.ndim))
        camera.orientation = _ORIENTATION

    def show(self, meshes: Mapping[str, Mesh]) -> None:
        """Show these surfaces in place of the last ones; vertices are mm from the first voxel."""
        first = not self.layers
        _, translate = scale_translate(self.case.grid)
        for region in [one for one in self.layers if one not in meshes]:
            self._remove(region)
        added: list[Surface] = []
        for region, (vertices, faces) in meshes.items():
            layer = self.layers.get(region)
            if layer is not None and layer in self._viewer.layers:
                layer.data = (vertices, faces)
                continue
            index, opacity = _LOOK[region]
            colour = _GREY if index is None else class_colours[index]
            layer = Surface(
                (vertices, faces),
                # napari draws nothing of a surface whose own coordinates are below zero.
                translate=translate,
                name=f"{self.case.name} {region} surface",
                colormap=Colormap([colour] * 2),
                opacity=opacity,
                blending="translucent" if region == INNERMOST else "translucent_no_depth",
                shading="smooth",
                units=("mm", "mm", "mm"),
                axis_labels=AXIS_LABELS,
                metadata=role_metadata(Role.SURFACE, self.case),
            )
            self.layers[region] = layer
            added.append(layer)
        if added:
            with one_scene(self._viewer), selection_kept(self._viewer):
                for layer in added:
                    self._viewer.add_layer(layer)
        if first and self.layers:
            # All of the brain in the middle; the images' own extent is wider than what is seen.
            self._viewer.fit_to_view(layers=list(self.layers.values()))
            self._viewer.scene.camera.set_view_direction(_VIEW, _UP)

    def close(self) -> None:
        """Take the surfaces away and go back to slices."""
        camera = self._viewer.scene.camera
        with one_scene(self._viewer):
            for region in list(self.layers):
                self._remove(region)
            self._viewer.dims.ndisplay = 2
            if len(self._order) == self._viewer.dims.ndim:
                self._viewer.dims.order = self._order
            for layer in self._hidden:
                if layer in self._viewer.layers:
                    layer.visible = True
        camera.orientation = self._orientation
        camera.center, camera.zoom, camera.angles = self._camera

    def _remove(self, region: str) -> None:
        layer = self.layers.pop(region)
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
