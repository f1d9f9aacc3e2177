"""Two label maps of a study, A and B: which they are, and where they differ, as a layer or side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QWidget

from napari_rdl import brats
from napari_rdl.brats import subset_name
from napari_rdl.compare import PARTS
from napari_rdl.plugin.compare.colours import BOTH_COLOUR, ONLY_A_COLOUR, ONLY_B_COLOUR
from napari_rdl.plugin.compare.comparison import REFERENCE, SHOWN, Comparison, Side, labels_of, title_of
from napari_rdl.plugin.compare.layers import CompareLayers
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.section import SPACING, SWATCH, Section, WrappedLabel
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.viewer.modality_grid import modality_grid_shown, show_modality_grid
from napari_rdl.plugin.viewer.roles import role_of
from napari_rdl.plugin.viewer.side_by_side import SideBySide

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.compare import DifferenceVolumes, SubsetStudy
    from napari_rdl.plugin.compare.memory import CompareMemory
    from napari_rdl.plugin.compare.study_runner import Studied

SUBJECT = "difference"
_COLOURS = {1: ONLY_A_COLOUR, 2: ONLY_B_COLOUR, 3: BOTH_COLOUR}
_SHORT = {"NCR": "necrotic core"}
"""Titles that would be cut off in a narrow dock."""


class PairBox(Section):
    """Chooses A, B and the part; says how much only one of them has.

    Signals
    -------
    sides_changed : no value
        Another A, B or part was chosen.
    difference_switched, beside_switched : bool
    """

    sides_changed = Signal()
    difference_switched = Signal(bool)
    beside_switched = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Compare two", parent)
        self.boxes: dict[str, QComboBox] = {
            letter: narrow_combo(f"{letter}: the row shown, the reference, or a pinned subset")
            for letter in "AB"
        }
        self.part_box = narrow_combo("The region or class of which A and B are compared")
        for part in PARTS:
            title = brats.REGION_TITLES.get(part) or brats.CLASS_TITLES[part].partition(" (")[0]
            self.part_box.addItem(f"{part}, {_SHORT.get(part, title)}", part)
            self.part_box.setItemData(self.part_box.count() - 1, title, Qt.ItemDataRole.ToolTipRole)
        form = QGridLayout()
        form.setSpacing(SPACING)
        form.setColumnStretch(1, 1)
        for row, (title, box) in enumerate((*self.boxes.items(), ("Part", self.part_box))):
            label = QLabel(title)
            label.setBuddy(box)
            form.addWidget(label, row, 0)
            form.addWidget(box, row, 1)
            box.activated.connect(lambda _index: self.sides_changed.emit())
        self.difference_box = QCheckBox("Difference layer")
        self.difference_box.setToolTip("Show what only A has, what only B has, and what both have")
        self.beside_box = QCheckBox("Side by side")
        self.beside_box.setToolTip("Show A and B in two cells on the same image, at the same place")
        self.difference_box.toggled.connect(self.difference_switched)
        self.beside_box.toggled.connect(self.beside_switched)
        self._legend = QWidget()
        grid = QGridLayout(self._legend)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        grid.setColumnStretch(1, 1)
        self.lines: list[WrappedLabel] = []
        for row, colour in enumerate((ONLY_A_COLOUR, ONLY_B_COLOUR, BOTH_COLOUR)):
            swatch, pixmap = QLabel(), QPixmap(SWATCH, SWATCH)
            pixmap.fill(QColor(colour))
            swatch.setPixmap(pixmap)
            self.lines.append(WrappedLabel())
            grid.addWidget(swatch, row, 0)
            grid.addWidget(self.lines[-1], row, 1)
        self.body.addLayout(form)
        self.body.addWidget(self.difference_box)
        self.body.addWidget(self.beside_box)
        self.body.addWidget(self._legend)
        self.show_volumes(None, "", "", "")

    @property
    def sides(self) -> dict[str, Side]:
        """What A and B are."""
        return {letter: box.currentData() for letter, box in self.boxes.items()}

    @property
    def part(self) -> str:
        """Which region or class is compared."""
        return self.part_box.currentData()

    @property
    def pins(self) -> dict[str, tuple[str, ...] | None]:
        """Letter -> pinned subset."""
        return {letter: side if isinstance(side, tuple) else None for letter, side in self.sides.items()}

    def set_study(self, study: SubsetStudy | None) -> None:
        """List a study's subsets and its reference; what was chosen stays if it can."""
        before = self.sides
        listed: list[tuple[str, Side]] = [("Row shown", SHOWN)]
        if study is not None and study.reference is not None:
            listed.append((f"Reference: {study.reference.title}", REFERENCE))
        if study is not None:
            listed += [(subset_name(subset), subset) for subset in study.subsets]
        sides = [side for _, side in listed]
        # At first the row shown is compared with the reference, or with the full set.
        other = REFERENCE if REFERENCE in sides else sides[-1]
        for letter, box in self.boxes.items():
            with QSignalBlocker(box):
                box.clear()
                for title, side in listed:
                    box.addItem(title, side)
                first = SHOWN if letter == "A" else other
                kept = before[letter] if before[letter] in sides else first
                # An empty list had only the row shown for both.
                kept = first if before == {"A": SHOWN, "B": SHOWN} else kept
                box.setCurrentIndex(sides.index(kept))

    def set_part(self, part: str) -> None:
        """Choose a part without saying so."""
        if part in PARTS:
            self.part_box.setCurrentIndex(PARTS.index(part))

    def pin(self, letter: str, subset: Iterable[str]) -> None:
        """Make a subset A or B; the one that is pinned there already is let go."""
        box, wanted = self.boxes[letter], tuple(subset)
        sides = [box.itemData(index) for index in range(box.count())]
        if wanted not in sides:
            return
        box.setCurrentIndex(0 if box.currentData() == wanted else sides.index(wanted))
        self.sides_changed.emit()

    def set_waiting(self, waiting: bool) -> None:
        """Show the volumes grey while others are awaited."""
        self._legend.setEnabled(not waiting)

    def show_volumes(self, volumes: DifferenceVolumes | None, first: str, second: str, part: str) -> None:
        """Say how much there is of each, and how well A and B agree; nothing without volumes."""
        self._legend.setVisible(volumes is not None)
        if volumes is None:
            return
        dice = f"no {part} in either" if volumes.dice is None else f"Dice {100 * volumes.dice:.1f} %"
        self.lines[0].setText(f"Only A, {first}: {volumes.only_a:.1f} ml")
        self.lines[1].setText(f"Only B, {second}: {volumes.only_b:.1f} ml")
        self.lines[2].setText(f"Both: {volumes.both:.1f} ml; {dice}")


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
        comparison.studied_changed.connect(self._on_studied)
        comparison.subset_changed.connect(self._on_subset)
        comparison.patient_changed.connect(lambda _case: self.stop())
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

        def compute(progress: Progress, cancelled: IsCancelled) -> Any:
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
