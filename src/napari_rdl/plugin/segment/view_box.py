"""How a patient is shown: planes, the grid of modalities, labels or outlines; the box and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_rdl.plugin.parts.tasks import TaskRunner
from napari_rdl.plugin.segment.choices import Choices
from napari_rdl.plugin.segment.expert_mask import ExpertMask
from napari_rdl.plugin.segment.prediction_updater import PredictionUpdater
from napari_rdl.plugin.segment.spatial_views import SpatialViews
from napari_rdl.plugin.segment.view_controls import ViewBox
from napari_rdl.plugin.viewer.class_colours import class_colours
from napari_rdl.plugin.viewer.layer_list import one_scene
from napari_rdl.plugin.viewer.modality_grid import modality_grid_shown, show_modality_grid
from napari_rdl.plugin.viewer.next_picture import NextPicture
from napari_rdl.plugin.viewer.patient_layers import add_images, replace_images
from napari_rdl.plugin.viewer.planes import current_plane, show_orientation_letters, show_plane
from napari_rdl.plugin.viewer.recolour import recolour
from napari_rdl.plugin.viewer.telling_apart import TellingApart
from napari_rdl.plugin.viewer.tumour_view import go_to_tumour

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_rdl.case import Case
    from napari_rdl.plugin.segment.patient_source import OpenedCase
    from napari_rdl.segment import Segmentation


class Viewing(QObject):
    """Does in the viewer what the view box says, and keeps the box true to the viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    updater : PredictionUpdater
    choices : Choices
    tasks : TaskRunner
        Reads the expert's mask off the GUI's thread.
    parent : QObject
    """

    def __init__(
        self,
        viewer: Viewer,
        updater: PredictionUpdater,
        choices: Choices,
        tasks: TaskRunner,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._updater = updater
        self._choices = choices
        self._images: list[Image] = []
        self._case: Case | None = None
        self._went = False
        self._hidden_yet: tuple[str, ...] = ()
        self._unfinished = False
        self._telling_apart = TellingApart(viewer)
        self.box = ViewBox()
        self._first_picture = NextPicture(self._add_beneath, self.box, self)
        self.box.set_outlines(choices.outlines)
        self.box.set_plane(choices.plane)
        updater.set_outlines(choices.outlines)
        self.box.plane_chosen.connect(self._on_plane_chosen)
        self.box.grid_switched.connect(self._on_grid_switched)
        self.box.outlines_switched.connect(self._on_outlines_switched)
        self.box.tumour_asked.connect(self.go_to_tumour)
        self.expert = ExpertMask(viewer, self.box, tasks, self)
        self.spatial = SpatialViews(viewer, updater, self.box, self)
        class_colours.changed.connect(self._on_colours)
        updater.settled.connect(self._on_settled)
        viewer.dims.events.order.connect(self._on_plane_changed)

    def show_patient(self, patient: OpenedCase) -> None:
        """Show a patient in place of the last one; layers that this widget did not add stay."""
        with one_scene(self._viewer):
            self._show_patient(patient)
        if self._unfinished:
            self._first_picture.wait()

    def _show_patient(self, patient: OpenedCase) -> None:
        self._went = False
        self.box.tumour_button.setEnabled(False)
        self.box.surfaces_box.setEnabled(False)
        self.spatial.end_surfaces()
        self.expert.let_go()
        self._case = patient.case
        shown = modality_grid_shown(self._viewer)
        if shown:
            show_modality_grid(self._viewer, False)
        self._updater.remove()
        self._first_picture.stop()
        self._hidden_yet, self._unfinished = (), False
        if patient.add_images and not replace_images(self._viewer, self._images, patient.case):
            for layer in self._images:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
            self._images = self._add_top(patient.case)
        show_plane(self._viewer, self._choices.plane, letters=not self._unfinished)
        # A grid that is someone else's, such as two subsets side by side, stays.
        wanted = self._choices.choices.side_by_side and not self._viewer.canvas.grid.enabled
        if shown or wanted:
            self._add_beneath()
            show_modality_grid(self._viewer, True)
            self.box.set_grid(modality_grid_shown(self._viewer))
        self.expert.offer(patient.case)

    def _add_top(self, case: Case) -> list[Image]:
        """Add the image that is seen; those that it hides come when it is drawn, and so do the letters."""
        *hidden, top = case.modalities
        self._hidden_yet, self._unfinished = tuple(hidden), True
        return list(add_images(self._viewer, case, [top]).values())

    def _add_beneath(self) -> None:
        self._first_picture.stop()
        if not self._unfinished:
            return
        self._unfinished = False
        show_orientation_letters(self._viewer)
        hidden, self._hidden_yet = self._hidden_yet, ()
        if not hidden or self._case is None:
            return
        top = self._images[-1] if self._images[-1] in self._viewer.layers else None
        self._images[:0] = add_images(self._viewer, self._case, hidden, beneath=top).values()

    def show_result(self, segmentation: Segmentation) -> None:
        """Go to the tumour, once for each patient: later runs leave the view where the user is."""
        if not self._went:
            self._went = go_to_tumour(self._viewer, segmentation.case.grid, segmentation.labels)

    def go_to_tumour(self) -> None:
        """Go to the largest piece of the tumour that is shown."""
        segmentation = self._updater.segmentation
        if segmentation is not None:
            go_to_tumour(self._viewer, segmentation.case.grid, segmentation.labels)

    def _on_colours(self) -> None:
        self.box.show_colours()
        recolour(self._viewer)

    def _on_settled(self, segmentation: Segmentation) -> None:
        self.box.tumour_button.setEnabled(bool(segmentation.labels.any()))
        self.box.surfaces_box.setEnabled(True)

    def shut_down(self) -> None:
        """Stop following the viewer."""
        self._first_picture.stop()
        self.spatial.shut_down()
        self.expert.shut_down()
        self._telling_apart.release()
        class_colours.changed.disconnect(self._on_colours)
        self._viewer.dims.events.order.disconnect(self._on_plane_changed)

    def _on_plane_chosen(self, plane: str) -> None:
        self.spatial.end_surfaces()
        self._choices.remember(plane=plane)
        show_plane(self._viewer, plane)

    def _on_plane_changed(self) -> None:
        self.box.set_plane(current_plane(self._viewer))

    def _on_grid_switched(self, on: bool) -> None:
        self._add_beneath()
        if on:
            self.spatial.end_surfaces()
        show_modality_grid(self._viewer, on)
        self.box.set_grid(modality_grid_shown(self._viewer))
        self._choices.remember(side_by_side=modality_grid_shown(self._viewer))

    def _on_outlines_switched(self, on: bool) -> None:
        self._choices.remember(outlines=on)
        self._updater.set_outlines(on)
