"""Three planes beside each other, and the tumour as surfaces: switched on and off, kept at the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.segment.prediction_updater import PredictionUpdater
from napari_rdl.plugin.segment.view_controls import ViewBox
from napari_rdl.plugin.viewer.three_planes import ThreePlanes
from napari_rdl.plugin.viewer.tumour_surfaces import BRAIN, TumourSurfaces

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.segment import Segmentation
    from napari_rdl.segment.mesh import Mesh


class SpatialViews(QObject):
    """Does what the two switches of the view box say."""

    def __init__(self, viewer: Viewer, updater: PredictionUpdater, box: ViewBox, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._updater = updater
        self._box = box
        self.worker = LatestTask(self)
        self.three: ThreePlanes | None = None
        self.surfaces: TumourSurfaces | None = None
        box.three_switched.connect(self._on_three)
        box.surfaces_switched.connect(self._on_surfaces)
        updater.settled.connect(self._on_settled)
        viewer.dims.events.ndisplay.connect(self._on_ndisplay)

    def shut_down(self) -> None:
        """Give the viewer back."""
        self.worker.shut_down()
        self._viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)
        self._end_three()
        self.end_surfaces()

    def end_surfaces(self) -> None:
        """Show slices again."""
        surfaces, self.surfaces = self.surfaces, None
        if surfaces is not None:
            self.worker.drop()
            surfaces.close()
        self._box.set_switch(self._box.surfaces_box, False)

    def _on_three(self, on: bool) -> None:
        if not on:
            self._end_three()
            return
        # Surfaces hide the images and labels that the planes are made of.
        self.end_surfaces()
        window = _main_window(self._box)
        if window is None:
            self._box.set_switch(self._box.three_box, False)
            return
        self.three = ThreePlanes(self._viewer, window, self._end_three)

    def _end_three(self) -> None:
        three, self.three = self.three, None
        if three is not None:
            three.close()
        self._box.set_switch(self._box.three_box, False)

    def _on_surfaces(self, on: bool) -> None:
        segmentation = self._updater.segmentation
        if not on or segmentation is None:
            self.end_surfaces()
            return
        # The cells of the modalities would each show another surface.
        self._end_three()
        self._box.grid_box.setChecked(False)
        self.surfaces = TumourSurfaces(self._viewer, segmentation.case)
        self._compute(segmentation)

    def _on_settled(self, segmentation: Segmentation) -> None:
        if self.surfaces is not None:
            self._compute(segmentation)

    def _on_ndisplay(self) -> None:
        # napari's own button ends the surfaces too.
        if self.surfaces is not None and self._viewer.dims.ndisplay == 2:
            self.end_surfaces()

    def _compute(self, segmentation: Segmentation) -> None:
        surfaces = self.surfaces

        def compute(progress: Progress, cancelled: IsCancelled) -> dict[str, Mesh]:
            from napari_rdl.segment.mesh import brain_mesh, region_meshes

            case = segmentation.case
            meshes = dict(region_meshes(segmentation.labels, case.grid.spacing, cancelled=cancelled))
            brain = brain_mesh(next(iter(case.images.values())), case.grid.spacing)
            return {BRAIN: brain, **meshes} if brain is not None else meshes

        def show(meshes: dict[str, Mesh]) -> None:
            if surfaces is not None and self.surfaces is surfaces:
                surfaces.show(meshes)

        self.worker.ask(compute, show)


def _main_window(widget: QWidget) -> QMainWindow | None:
    window: QWidget | None = widget.window()
    while window is not None and not isinstance(window, QMainWindow):
        above = window.parentWidget()
        window = above.window() if above is not None else None
    return window
