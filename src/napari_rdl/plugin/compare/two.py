"""Keeps the difference layer and the two cells at what A and B are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QSignalBlocker, Signal

from napari_rdl.plugin.compare.colours import BOTH_COLOUR, ONLY_A_COLOUR, ONLY_B_COLOUR
from napari_rdl.plugin.compare.layers import CompareLayers, VolumeWorker
from napari_rdl.plugin.compare.shown import SHOWN, Comparison, labels_of, title_of
from napari_rdl.plugin.compare.two_box import TwoBox
from napari_rdl.plugin.viewer.layers import plugin_metadata
from napari_rdl.plugin.viewer.side_by_side import SideBySide
from napari_rdl.plugin.viewer.views import modality_grid_shown, show_modality_grid

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_rdl.plugin.compare.memory import CompareMemory
    from napari_rdl.plugin.compare.runner import Studied

SUBJECT = "difference"
_COLOURS = {1: ONLY_A_COLOUR, 2: ONLY_B_COLOUR, 3: BOTH_COLOUR}


class CompareTwo(QObject):
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
        self.worker = VolumeWorker(self)
        self.box = TwoBox()
        self.box.set_part(memory.choices.part)
        self.box.sides_changed.connect(self._on_sides)
        self.box.difference_switched.connect(self._on_difference)
        self.box.beside_switched.connect(self._on_beside)
        comparison.studied_changed.connect(self._on_studied)
        comparison.subset_changed.connect(self._on_subset)
        comparison.patient_changed.connect(lambda _case: self.stop())
        comparison.segment_changed.connect(self._on_segment)

    def stop(self) -> None:
        """Give the viewer back as it was."""
        self.worker.stop()
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

    def _on_studied(self, studied: Studied | None) -> None:
        self.box.set_study(studied.study if studied is not None else None)
        self.pins_changed.emit(self.box.pins)
        if studied is not None:
            self._update()

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
            self.worker.stop()
            self._layers.hide(SUBJECT)
            self._undim()
            self.box.show_volumes(None, "", "", "")

    def _on_beside(self, on: bool) -> None:
        comparison = self._comparison
        if not on:
            self._close_beside()
            return
        self.box.difference_box.setChecked(False)
        if comparison.studied is None:
            self.box.beside_box.setChecked(False)
            return
        if modality_grid_shown(comparison.viewer):
            show_modality_grid(comparison.viewer, False)
            if comparison.segment is not None:
                comparison.segment.viewing.box.set_grid(False)
        self._beside = SideBySide(comparison.viewer, comparison.studied.case)
        self._update()

    def _update(self) -> None:
        on = self.box.difference_box.isChecked()
        studied = self._comparison.studied
        if studied is None or not (on or self._beside is not None):
            return
        sides = self.box.sides
        # The row shown may be another one when the worker comes to it: what is meant is this one.
        fixed = {letter: self._comparison.subset if side == SHOWN else side for letter, side in sides.items()}
        part = self.box.part
        titles = {letter: title_of(studied, side) for letter, side in fixed.items()}

        def compute() -> Any:
            from napari_rdl.compare import difference, difference_volumes

            maps = {letter: labels_of(studied, side) for letter, side in fixed.items()}
            if maps["A"] is None or maps["B"] is None:
                return None
            parted = difference(maps["A"], maps["B"], part)
            return maps, parted, difference_volumes(parted, studied.study.grid.voxel_ml)

        def show(result: Any) -> None:
            if result is None or self._comparison.studied is not studied:
                return
            maps, parted, volumes = result
            if self.box.difference_box.isChecked():
                names = ["neither", f"only A, {titles['A']}", f"only B, {titles['B']}", "both"]
                self._layers.show_labels(studied.case, SUBJECT, parted, _COLOURS, names)
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
            if plugin_metadata(layer).get("role") in ("prediction", "outline") and layer.visible:
                layer.visible = False
                self._dimmed.append(layer)

    def _undim(self) -> None:
        for layer in self._dimmed:
            if layer in self._comparison.viewer.layers:
                layer.visible = True
        self._dimmed.clear()

    def _close_beside(self) -> None:
        if self._beside is not None:
            self.worker.stop()
            self._beside.close()
            self._beside = None
            self.box.show_volumes(None, "", "", "")
