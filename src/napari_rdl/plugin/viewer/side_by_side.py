"""Two label maps side by side in napari's grid, each on the same image, with one camera and one slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_rdl.plugin.viewer.appearance import class_appearance, keep_read_only, placed_as, placement, redraw
from napari_rdl.plugin.viewer.layer_list import cells_made, one_scene, order_back, reorder, selection_kept
from napari_rdl.plugin.viewer.patient_layers import find_images
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role, case_of, role_metadata

if TYPE_CHECKING:
    from napari.components.grid import GridCanvas
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.case import Case

LINKED = ("contrast_limits", "gamma", "colormap", "opacity")


class SideBySide:
    """The grid of two cells while it is shown. Layers, order and visibility come back with `close`."""

    def __init__(self, viewer: Viewer, case: Case) -> None:
        self._viewer = viewer
        self._case = case
        self._order = list(viewer.layers)
        self._hidden = [layer for layer in viewer.layers if layer.visible]
        grid = viewer.canvas.grid
        self._before = (grid.stride, grid.shape, grid.enabled)
        self._image = image = _image_shown(viewer, case)
        self._sides = {letter: self._labels(letter) for letter in "AB"}
        self._twin = _twin_of(image, case) if image is not None else None
        with one_scene(viewer), cells_made(grid):
            self._set_cells(grid)
        viewer.reset_view()

    def _set_cells(self, grid: GridCanvas) -> None:
        viewer, image, twin = self._viewer, self._image, self._twin
        with selection_kept(viewer):
            for layer in self._hidden:
                layer.visible = layer is image
            for layer in (*self._sides.values(), twin):
                if layer is not None:
                    viewer.add_layer(layer)
        if image is not None and twin is not None:
            image.visible = True
            viewer.layers.link_layers([image, twin], LINKED)
        cells: list[Layer] = [
            layer for layer in (image, self._sides["A"], twin, self._sides["B"]) if layer is not None
        ]
        reorder(viewer, cells + [layer for layer in self._order if layer not in cells])
        grid.stride = len(cells) // 2
        grid.shape = (1, 2)

    def show(self, letter: str, title: str, classes: NDArray[np.uint8]) -> None:
        """Show class indices (X, Y, Z) on side A or B."""
        layer = self._sides[letter]
        layer.name = f"{letter}: {title}"
        np.copyto(layer.data, classes)
        redraw(layer, thumbnail=True)

    def close(self) -> None:
        """Give the viewer back as it was; what was added meanwhile stays on top."""
        grid, layers = self._viewer.canvas.grid, self._viewer.layers
        linked = [layer for layer in (self._image, self._twin) if layer is not None and layer in layers]
        if linked:
            layers.unlink_layers(linked, LINKED)
        with one_scene(self._viewer):
            grid.enabled = False
            for layer in (*self._sides.values(), self._twin):
                if layer is not None and layer in layers:
                    layers.remove(layer)
            grid.stride, grid.shape, enabled = self._before
            for layer in self._hidden:
                if layer in layers:
                    layer.visible = True
            order_back(self._viewer, self._order)
            grid.enabled = enabled
        self._viewer.reset_view()

    def _labels(self, letter: str) -> Labels:
        layer = Labels(
            np.zeros(self._case.grid.shape, np.uint8),
            name=letter,
            metadata=role_metadata(Role.SIDE, self._case),
            **class_appearance(),
            **placement(self._case.grid),
        )
        keep_read_only(layer)
        layer.name_overlay.visible = True
        return layer


def _image_shown(viewer: Viewer, case: Case) -> Image | None:
    """Return the patient's topmost visible image, else its topmost, else any of the same shape."""
    own = [layer for layer in find_images(viewer) if case_of(layer) is case]
    own = own or [layer for layer in find_images(viewer) if layer.data.shape == case.grid.shape]
    return next((layer for layer in reversed(own) if layer.visible), own[-1] if own else None)


def _twin_of(image: Image, case: Case) -> Image:
    return Image(
        image.data,
        name=f"{image.name} beside B",
        contrast_limits=image.contrast_limits,
        gamma=image.gamma,
        **placed_as(image),
        metadata={LAYER_KEY: {"role": Role.TWIN, "case": case.name}},
    )
