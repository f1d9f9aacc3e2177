"""The mask that came with a patient: read when it is asked for, shown, and taken away with the patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_rdl.plugin.parts.tasks import TaskRunner
from napari_rdl.plugin.segment.view_controls import ViewBox
from napari_rdl.plugin.viewer.layer_list import selection_kept
from napari_rdl.plugin.viewer.patient_layers import LayerData, expert_layer_data
from napari_rdl.plugin.viewer.roles import Role, case_of, role_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Case


class ExpertMask(QObject):
    """Shows the patient's own mask where the box says so.

    Signals
    -------
    refused : Exception
        It cannot be used.
    """

    refused = Signal(object)

    def __init__(self, viewer: Viewer, box: ViewBox, tasks: TaskRunner, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._box = box
        self._tasks = tasks
        self._case: Case | None = None
        self._followed: Layer | None = None
        box.expert_switched.connect(self._on_switched)
        viewer.layers.events.removed.connect(self._on_removed)

    def shut_down(self) -> None:
        """Give the viewer's events back."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._follow(None)

    def let_go(self) -> None:
        """Take the last patient's mask out of the viewer, where this widget opened it."""
        for layer in [one for one in self._viewer.layers if role_of(one) is Role.EXPERT]:
            if self._case is not None and case_of(layer) is self._case:
                self._viewer.layers.remove(layer)

    def offer(self, case: Case) -> None:
        """Offer another patient's mask."""
        self._case = case
        layer = self._layer()
        self._follow(layer)
        self._box.expert_box.setEnabled(case.mask_file is not None)
        self._box.set_expert(layer is not None and layer.visible)

    def _follow(self, layer: Layer | None) -> None:
        """Keep the box true to a layer that is shown and hidden in napari's list, too."""
        if layer is self._followed:
            return
        if self._followed is not None:
            self._followed.events.visible.disconnect(self._on_visible)
        self._followed = layer
        if layer is not None:
            layer.events.visible.connect(self._on_visible)

    def _on_visible(self, event: Event) -> None:
        self._box.set_expert(event.source.visible)

    def _on_removed(self, event: Event) -> None:
        if event.value is self._followed:
            self._follow(None)
            self._box.set_expert(False)

    def _on_switched(self, on: bool) -> None:
        layer = self._layer()
        self._follow(layer)
        if layer is not None:
            layer.visible = on
        elif on:
            self._read()

    def _layer(self) -> Layer | None:
        """Return the layer of the patient's own mask, whoever opened it."""
        for layer in self._viewer.layers:
            case = case_of(layer) if role_of(layer) is Role.EXPERT else None
            if case is not None and self._case is not None and case.name == self._case.name:
                return layer
        return None

    def _read(self) -> None:
        case = self._case
        if case is None or self._tasks.busy:
            self._box.set_expert(False)
            return

        def read(progress: Progress, cancelled: IsCancelled) -> list[LayerData]:
            progress(0, 0, "Reading the expert's mask")
            return expert_layer_data(case)

        def refuse(error: Exception) -> None:
            self._box.set_expert(False)
            self.refused.emit(error)

        self._tasks.start(read, self._show, refuse, lambda: self._box.set_expert(False))

    def _show(self, layer_data: Sequence[LayerData]) -> None:
        with selection_kept(self._viewer):
            for classes, settings, _ in layer_data:
                self._viewer.add_labels(classes, **{**settings, "visible": True})
        self._follow(self._layer())
