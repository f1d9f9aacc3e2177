"""The modalities side by side, at the same place, with the labels on each of them.

napari's grid gives one cell to every `stride` layers and links all cells to one camera. So the list
is ordered as image, labels, image, labels, ...; every image but the last gets twins of the label
layers, which share the original's array and cost no memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QTimer

from napari_rdl.plugin.viewer.appearance import keep_read_only, placed_as, redraw
from napari_rdl.plugin.viewer.layer_list import cells_made, one_scene, order_back, reorder, selection_kept
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role, case_of, plugin_metadata, role_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import Event

    from napari_rdl.case import Case

LINKED = ("visible", "opacity", "blending")


class ModalityGrid:
    """One viewer's grid of modalities while it is shown."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._order = list(viewer.layers)
        self._visible = {layer: layer.visible for layer in _images(viewer)}
        self._stride = viewer.canvas.grid.stride
        self._twins: dict[tuple[Labels, Image], Labels] = {}
        self._hidden: list[Layer] = []
        self._named: list[Layer] = []
        self._rebuilding = False
        self._arrange()
        viewer.layers.events.inserted.connect(self._on_layers_change)
        viewer.layers.events.removed.connect(self._on_layers_change)
        viewer.canvas.grid.events.enabled.connect(self._on_grid_switched)

    def close(self) -> None:
        """Give the viewer back its layers, their order and what was visible."""
        layers = self._viewer.layers
        layers.events.inserted.disconnect(self._on_layers_change)
        layers.events.removed.disconnect(self._on_layers_change)
        self._viewer.canvas.grid.events.enabled.disconnect(self._on_grid_switched)
        self._rebuilding = True
        with one_scene(self._viewer):
            self._viewer.canvas.grid.enabled = False
            self._viewer.canvas.grid.stride = self._stride
            for layer in self._named:
                layer.name_overlay.visible = False
            for pair in list(self._twins):
                self._remove_twin(pair)
            for layer, visible in {**dict.fromkeys(self._hidden, True), **self._visible}.items():
                if layer in layers:
                    layer.visible = visible
            order_back(self._viewer, self._order)

    def _arrange(self) -> None:
        self._rebuilding = True
        try:
            with one_scene(self._viewer), cells_made(self._viewer.canvas.grid):
                self._set_cells()
        finally:
            self._rebuilding = False

    def _set_cells(self) -> None:
        source = _source_shown(self._viewer)
        images = [layer for layer in _images(self._viewer) if case_of(layer) is source]
        labels = [layer for layer in _labels(self._viewer) if case_of(layer) is source]
        for other in (*_images(self._viewer), *_labels(self._viewer)):
            # Another patient's layers have no place among these cells.
            if other not in images and other not in labels and other.visible:
                other.visible = False
                self._hidden.append(other)
        # The labels themselves stay on the topmost image: what need not be moved costs nothing.
        pairs = {(layer, image) for image in images[:-1] for layer in labels}
        for pair, twin in list(self._twins.items()):
            if pair not in pairs or twin not in self._viewer.layers:
                self._remove_twin(pair)
        cells: list[Layer] = []
        with selection_kept(self._viewer):
            for image in images:
                image.visible = True
                self._name(image)
                cells += [image, *(labels if image is images[-1] else self._twins_over(image, labels))]
        rest = [layer for layer in self._viewer.layers if layer not in cells]
        reorder(self._viewer, cells + rest)
        self._viewer.canvas.grid.stride = 1 + len(labels)

    def _name(self, image: Image) -> None:
        """Write in its cell which image it is, unless a user had that written already."""
        if not image.name_overlay.visible:
            self._named.append(image)
            image.name_overlay.visible = True
            image.name_overlay.box = False

    def _twins_over(self, image: Image, labels: list[Labels]) -> list[Labels]:
        place = self._viewer.layers.index(image) + 1
        for number, layer in enumerate(labels):
            if (layer, image) not in self._twins:
                self._twins[layer, image] = self._twin(layer, image, place + number)
        return [self._twins[layer, image] for layer in labels]

    def _twin(self, layer: Labels, image: Image, place: int) -> Labels:
        known = plugin_metadata(layer)
        twin = Labels(
            layer.data,
            name=f"{layer.name} on {plugin_metadata(image).get('modality', image.name)}",
            features=layer.features,
            visible=layer.visible,
            **placed_as(layer),
            metadata={LAYER_KEY: {"role": Role.TWIN, "case": known.get("case")}},
        )
        keep_read_only(twin)
        self._viewer.layers.insert(place, twin)
        self._viewer.layers.link_layers([layer, twin], LINKED)
        twins = layer.metadata[LAYER_KEY].setdefault("twins", [])
        if not twins and role_of(layer) is Role.CORRECTED:
            layer.events.paint.connect(_redraw_twins)
        twins.append(twin)
        return twin

    def _remove_twin(self, pair: tuple[Labels, Image]) -> None:
        twin, layer = self._twins.pop(pair), pair[0]
        twins = plugin_metadata(layer).get("twins", [])
        if twin in twins:
            twins.remove(twin)
        if not twins and role_of(layer) is Role.CORRECTED:
            layer.events.paint.disconnect(_redraw_twins)
        if twin in self._viewer.layers:
            # napari unlinks what it removes.
            self._viewer.layers.remove(twin)

    def _on_layers_change(self, event: Event) -> None:
        if not self._rebuilding and plugin_metadata(event.value):
            # Layers cannot be moved while napari is still telling others of this one.
            QTimer.singleShot(0, self._arrange_if_shown)

    def _arrange_if_shown(self) -> None:
        if _grids.get(self._viewer) is not self:
            return
        if _images(self._viewer):
            self._arrange()
        else:
            show_modality_grid(self._viewer, False)

    def _on_grid_switched(self) -> None:
        # napari's own grid button ends this grid too.
        if not self._viewer.canvas.grid.enabled:
            QTimer.singleShot(0, self._close_if_shown)

    def _close_if_shown(self) -> None:
        if _grids.get(self._viewer) is self:
            show_modality_grid(self._viewer, False)


_grids: WeakKeyDictionary[ViewerModel, ModalityGrid] = WeakKeyDictionary()


def show_modality_grid(viewer: ViewerModel, on: bool) -> None:
    """Show the patient's images side by side with the labels on each, or stacked again."""
    grid = _grids.pop(viewer, None)
    if grid is not None:
        grid.close()
    if on and _images(viewer):
        _grids[viewer] = ModalityGrid(viewer)
    viewer.reset_view()


def modality_grid_shown(viewer: ViewerModel) -> bool:
    """Return whether the grid of modalities is on."""
    return viewer in _grids


def _images(viewer: ViewerModel) -> list[Image]:
    return [layer for layer in viewer.layers if isinstance(layer, Image) and role_of(layer) is Role.IMAGE]


def _labels(viewer: ViewerModel) -> list[Labels]:
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Labels) and (role := role_of(layer)) is not None and role.has_twins
    ]


def _source_shown(viewer: ViewerModel) -> Case | None:
    """Return the case to show: that of the topmost labels, else of the topmost image."""
    return case_of((_labels(viewer) or _images(viewer))[-1])


def _redraw_twins(event: Event) -> None:
    for twin in plugin_metadata(event.source).get("twins", ()):
        redraw(twin)
