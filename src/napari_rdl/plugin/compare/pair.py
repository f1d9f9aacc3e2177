"""Two label maps of a study, A and B: which they are, and where they differ, as a layer or side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QFileDialog,
)

from napari_rdl.errors import Remedy
from napari_rdl.plugin.compare.colours import BOTH_COLOUR, ONLY_A_COLOUR, ONLY_B_COLOUR
from napari_rdl.plugin.compare.comparison import (
    SHOWN,
    Comparison,
    LabelFile,
    labels_of,
    title_of,
)
from napari_rdl.plugin.compare.layers import CompareLayers
from napari_rdl.plugin.compare.pair_box import PairBox
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.viewer.modality_grid import modality_grid_shown, show_modality_grid
from napari_rdl.plugin.viewer.roles import role_of
from napari_rdl.plugin.viewer.side_by_side import SideBySide

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Case
    from napari_rdl.plugin.compare.memory import CompareMemory
    from napari_rdl.plugin.compare.study_runner import Studied

SUBJECT = "difference"
_COLOURS = {1: ONLY_A_COLOUR, 2: ONLY_B_COLOUR, 3: BOTH_COLOUR}


class ComparePair(QObject):
    """Two label maps of the study, as a difference layer or side by side.

    Signals
    -------
    pins_changed : dict
        Letter -> pinned subset or None.
    """

    pins_changed = Signal(object)

    def __init__(
        self, comparison: Comparison, layers: CompareLayers, memory: CompareMemory, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._comparison = comparison
        self._layers = layers
        self._memory = memory
        self._dimmed: list[Layer] = []
        self._beside: SideBySide | None = None
        self.worker = LatestTask(self)
        self.box = PairBox()
        self.box.set_part(memory.choices.part)
        self.box.sides_changed.connect(self._on_sides)
        self.box.difference_switched.connect(self._on_difference)
        self.box.beside_switched.connect(self._on_beside)
        self.box.file_asked.connect(self._ask_for_file)
        self.box.resample_asked.connect(self._resample)
        self.worker.failed.connect(self._on_failed)
        comparison.studied_changed.connect(self._on_studied)
        comparison.subset_changed.connect(self._on_subset)
        comparison.patient_changed.connect(self._on_patient)
        comparison.segment_changed.connect(self._on_segment)

    def stop(self) -> None:
        """Give the viewer back as it was."""
        self.worker.drop()
        for box in (self.box.difference_box, self.box.beside_box):
            with QSignalBlocker(box):
                box.setChecked(False)
        self._close_beside()
        self._undim()
        self.box.show_volumes(None, "", "", "")

    def shut_down(self) -> None:
        """Stop for good."""
        self.stop()
        self.worker.shut_down()

    def end_beside(self) -> None:
        """Show one cell again."""
        self.box.beside_box.setChecked(False)

    def _on_segment(self) -> None:
        if self._comparison.segment is not None:
            self._comparison.segment.viewing.box.grid_switched.connect(self._on_modality_grid)

    def _on_modality_grid(self, on: bool) -> None:
        if on and self._beside is not None:
            # It was laid over the two cells: begin it anew without them.
            viewer = self._comparison.viewer
            show_modality_grid(viewer, False)
            self.end_beside()
            show_modality_grid(viewer, True)

    def end_difference(self) -> None:
        """Show no difference any more."""
        self.box.difference_box.setChecked(False)

    def _on_patient(self, case: Case | None) -> None:
        self.stop()
        self.box.forget_files()
        self._list(None)

    def _on_studied(self, studied: Studied | None) -> None:
        self._list(studied)
        self._update()

    def _list(self, studied: Studied | None) -> None:
        case = self._comparison.case
        expert = case is not None and case.mask_file is not None
        self.box.set_study(studied.study if studied is not None else None, expert=expert)
        self.pins_changed.emit(self.box.pins)

    def _ask_for_file(self, letter: str) -> None:
        start = str(self._memory.choices.folder or Path.home())
        name, _ = QFileDialog.getOpenFileName(
            self.box, f"Choose labels as {letter}", start, "NIfTI (*.nii.gz *.nii)"
        )
        if name:
            self._memory.remember(folder=Path(name).parent)
            self.box.set_file(letter, LabelFile(Path(name)))

    def _on_failed(self, error: Exception) -> None:
        self.box.resample_button.setVisible(getattr(error, "remedy", None) is Remedy.FIT_LABELS)

    def _resample(self) -> None:
        for letter, side in self.box.sides.items():
            if isinstance(side, LabelFile) and not side.resample:
                self.box.set_file(letter, replace(side, resample=True))

    def _on_subset(self, subset: tuple[str, ...]) -> None:
        if SHOWN in self.box.sides.values():
            self._update()

    def _on_sides(self) -> None:
        self._memory.remember(part=self.box.part)
        self.pins_changed.emit(self.box.pins)
        self._update()

    def _on_difference(self, on: bool) -> None:
        if on:
            self.end_beside()
            self._dim()
            self._update()
        else:
            self.worker.drop()
            self._layers.hide(SUBJECT)
            self._undim()
            self.box.show_volumes(None, "", "", "")

    def _on_beside(self, on: bool) -> None:
        comparison = self._comparison
        if not on:
            self._close_beside()
            return
        self.box.difference_box.setChecked(False)
        case = comparison.studied.case if comparison.studied is not None else comparison.case
        if case is None:
            self.box.beside_box.setChecked(False)
            return
        if modality_grid_shown(comparison.viewer):
            show_modality_grid(comparison.viewer, False)
            if comparison.segment is not None:
                comparison.segment.viewing.box.set_grid(False)
        self._beside = SideBySide(comparison.viewer, case)
        self._update()

    def _update(self) -> None:
        on = self.box.difference_box.isChecked()
        studied = self._comparison.studied
        case = studied.case if studied is not None else self._comparison.case
        study = studied.study if studied is not None else None
        # The row shown may be another one when the worker comes to it: what is meant is this one.
        shown = self._comparison.subset
        sides = {letter: shown if side == SHOWN else side for letter, side in self.box.sides.items()}
        fixed = {letter: side for letter, side in sides.items() if side is not None}
        if case is None or len(fixed) < 2 or not (on or self._beside is not None):
            return
        part, grid = self.box.part, case.grid
        titles = {letter: title_of(study, side) for letter, side in fixed.items()}
        self.box.resample_button.setVisible(False)

        def compute(progress: Progress, cancelled: IsCancelled) -> Any:
            from napari_rdl.compare import difference, difference_volumes

            maps = {letter: labels_of(case, study, side) for letter, side in fixed.items()}
            if maps["A"] is None or maps["B"] is None:
                return None
            parted = difference(maps["A"], maps["B"], part)
            return maps, parted, difference_volumes(parted, grid.voxel_ml)

        def show(result: Any) -> None:
            if result is None or self._comparison.studied is not studied:
                return
            maps, parted, volumes = result
            if self.box.difference_box.isChecked():
                names = ["neither", f"only A, {titles['A']}", f"only B, {titles['B']}", "both"]
                self._layers.show_labels(case, SUBJECT, parted, _COLOURS, names)
            elif self._beside is not None:
                for letter, classes in maps.items():
                    self._beside.show(letter, titles[letter], classes)
            else:
                return
            self.box.show_volumes(volumes, titles["A"], titles["B"], part)

        self.worker.ask(compute, show)

    def _dim(self) -> None:
        """Hide the prediction while the difference lies where it was."""
        for layer in self._comparison.viewer.layers:
            if (role := role_of(layer)) is not None and role.is_prediction and layer.visible:
                layer.visible = False
                self._dimmed.append(layer)

    def _undim(self) -> None:
        for layer in self._dimmed:
            if layer in self._comparison.viewer.layers:
                layer.visible = True
        self._dimmed.clear()

    def _close_beside(self) -> None:
        if self._beside is not None:
            self.worker.drop()
            self._beside.close()
            self._beside = None
            self.box.show_volumes(None, "", "", "")
