"""The corrected layer in napari's list: which class it paints, and whether it is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer


class PaintedLayer(QObject):
    """Follows the layer that is painted on.

    Signals
    -------
    class_selected : int
        Another class is painted.
    missing : bool
        Whether the layer was taken out of the list.
    """

    class_selected = Signal(int)
    missing = Signal(bool)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self._viewer.layers.events.removed.connect(self._on_list)
        self._viewer.layers.events.inserted.connect(self._on_list)

    def follow(self, layer: Labels | None) -> None:
        """Follow another layer, or none."""
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self._on_selected)
        self._layer = layer
        if layer is not None:
            layer.events.selected_label.connect(self._on_selected)
            self._on_selected()
        self._on_list()

    def choose(self, value: int) -> None:
        """Paint a class, where the layer is in the list."""
        if self._layer is None or self._layer not in self._viewer.layers:
            return
        self._layer.selected_label = value
        if str(self._layer.mode) == "pan_zoom":
            self._layer.mode = "paint"
        self._viewer.layers.selection.active = self._layer

    def release(self) -> None:
        """Follow nothing, the list neither."""
        self.follow(None)
        self._viewer.layers.events.removed.disconnect(self._on_list)
        self._viewer.layers.events.inserted.disconnect(self._on_list)

    def _on_selected(self, event: object = None) -> None:
        if self._layer is not None:
            self.class_selected.emit(int(self._layer.selected_label))

    def _on_list(self, event: object = None) -> None:
        self.missing.emit(self._layer is not None and self._layer not in self._viewer.layers)
