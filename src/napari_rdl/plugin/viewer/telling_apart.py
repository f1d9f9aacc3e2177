"""The corrected labels and the prediction, where both are seen: one drawn as an outline, one filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels

from napari_rdl.plugin.viewer.roles import Role, case_of, plugin_metadata, role_of

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

OUTLINE_WIDTH = 2
"""Voxels."""


class TellingApart:
    """Draws the corrected layer as an outline while the filled prediction is seen behind it.

    Where the prediction is shown as outlines, or not at all, the corrected layer is filled.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self.update)
        for layer in viewer.layers:
            self._follow(layer)
        self.update()

    def release(self) -> None:
        """Stop following the viewer."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self.update)
        for layer in self._viewer.layers:
            if role_of(layer) is Role.PREDICTION:
                layer.events.visible.disconnect(self.update)

    def update(self, event: object = None) -> None:
        """Draw every corrected layer as it is told from its prediction now."""
        del event
        layers = [layer for layer in self._viewer.layers if isinstance(layer, Labels)]
        filled = {
            id(case_of(layer)) for layer in layers if role_of(layer) is Role.PREDICTION and layer.visible
        }
        for layer in layers:
            if role_of(layer) is Role.CORRECTED:
                width = OUTLINE_WIDTH if id(case_of(layer)) in filled else 0
                for one in (layer, *plugin_metadata(layer).get("twins", ())):
                    if one.contour != width:
                        one.contour = width

    def _on_inserted(self, event: Event) -> None:
        self._follow(event.value)
        self.update()

    def _follow(self, layer: object) -> None:
        if isinstance(layer, Labels) and role_of(layer) is Role.PREDICTION:
            layer.events.visible.connect(self.update)
