"""How a patient is shown: its images, the plane, the grid of modalities, labels or outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_rdl.plugin.segment.choices import Choices
from napari_rdl.plugin.segment.prediction_updater import PredictionUpdater
from napari_rdl.plugin.viewer.layers import add_case
from napari_rdl.plugin.viewer.view_box import ViewBox
from napari_rdl.plugin.viewer.views import (
    current_plane,
    modality_grid_shown,
    show_modality_grid,
    show_plane,
    step_to_tumour,
)

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.patient_source import Patient
    from napari_rdl.segment import Segmentation


class Viewing(QObject):
    """Does in the viewer what the view box says, and keeps the box true to the viewer."""

    def __init__(self, viewer: Viewer, updater: PredictionUpdater, choices: Choices, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._updater = updater
        self._choices = choices
        self._images: list[Image] = []
        self.box = ViewBox()
        self.box.set_outlines(choices.outlines)
        self.box.set_plane(choices.plane)
        updater.set_outlines(choices.outlines)
        self.box.plane_chosen.connect(self._on_plane_chosen)
        self.box.grid_switched.connect(self._on_grid_switched)
        self.box.outlines_switched.connect(self._on_outlines_switched)
        viewer.dims.events.order.connect(self._on_plane_changed)

    def show_patient(self, patient: Patient) -> None:
        """Show a patient in place of the last one; layers that this widget did not add stay."""
        shown = modality_grid_shown(self._viewer)
        if shown:
            show_modality_grid(self._viewer, False)
        self._updater.remove()
        if patient.add_images:
            for layer in self._images:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
            self._images = list(add_case(self._viewer, patient.case).values())
        show_plane(self._viewer, self._choices.plane)
        # A grid that is someone else's, such as two subsets side by side, stays.
        wanted = self._choices.remembered.side_by_side and not self._viewer.canvas.grid.enabled
        if shown or wanted:
            show_modality_grid(self._viewer, True)
            self.box.set_grid(modality_grid_shown(self._viewer))

    def show_result(self, segmentation: Segmentation) -> None:
        """Step to where the tumour is, if the slice shown has none of it."""
        step_to_tumour(self._viewer, segmentation.case.grid, segmentation.labels)

    def shut_down(self) -> None:
        """Stop following the viewer."""
        self._viewer.dims.events.order.disconnect(self._on_plane_changed)

    def _on_plane_chosen(self, plane: str) -> None:
        self._choices.remember(plane=plane)
        show_plane(self._viewer, plane)

    def _on_plane_changed(self) -> None:
        self.box.set_plane(current_plane(self._viewer))

    def _on_grid_switched(self, on: bool) -> None:
        show_modality_grid(self._viewer, on)
        self.box.set_grid(modality_grid_shown(self._viewer))
        self._choices.remember(side_by_side=modality_grid_shown(self._viewer))

    def _on_outlines_switched(self, on: bool) -> None:
        self._choices.remember(outlines=on)
        self._updater.set_outlines(on)
