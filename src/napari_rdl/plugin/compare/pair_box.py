"""The part of the widget where A and B are chosen, and where it says how much only one of them has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QPushButton, QWidget

from napari_rdl import brats
from napari_rdl.brats import subset_name
from napari_rdl.compare import PARTS
from napari_rdl.plugin.compare.colours import BOTH_COLOUR, ONLY_A_COLOUR, ONLY_B_COLOUR
from napari_rdl.plugin.compare.comparison import EXPERT, REFERENCE, SHOWN, LabelFile, Side
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.section import SPACING, SWATCH, Section, WrappedLabel

if TYPE_CHECKING:
    from napari_rdl.compare import DifferenceVolumes, SubsetStudy

_ASK = "ask for a file"
_SHORT = {"NCR": "necrotic core"}
"""Titles that would be cut off in a narrow dock."""


class PairBox(Section):
    """Chooses A, B and the part; says how much only one of them has.

    Signals
    -------
    sides_changed : no value
        Another A, B or part was chosen.
    difference_switched, beside_switched : bool
    file_asked : str
        A label file is to be chosen for this letter.
    resample_asked : no value
        A label file that did not fit is to be brought onto the patient's grid.
    """

    sides_changed = Signal()
    file_asked = Signal(str)
    resample_asked = Signal()
    difference_switched = Signal(bool)
    beside_switched = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Compare two", parent)
        self.boxes: dict[str, QComboBox] = {
            letter: narrow_combo(f"{letter}: the row shown, the reference, a subset, or anyone's label file")
            for letter in "AB"
        }
        self._listed: list[tuple[str, Side]] = []
        self.files: list[LabelFile] = []
        self._chosen: dict[str, Side | None] = {"A": None, "B": None}
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
        self.part_box.activated.connect(lambda _index: self.sides_changed.emit())
        for letter, box in self.boxes.items():
            box.activated.connect(lambda _index, letter=letter: self._on_activated(letter))
        self.resample_button = QPushButton("Resample (nearest)")
        self.resample_button.setToolTip(
            "Bring the label file onto the grid of the images, each voxel with the label that lies nearest"
        )
        self.resample_button.setVisible(False)
        self.resample_button.clicked.connect(self.resample_asked)
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
        self.body.addWidget(self.resample_button)
        self.body.addWidget(self.difference_box)
        self.body.addWidget(self.beside_box)
        self.body.addWidget(self._legend)
        self.show_volumes(None, "", "", "")

    @property
    def sides(self) -> dict[str, Side | None]:
        """What A and B are; None where nothing is chosen yet."""
        return dict(self._chosen)

    @property
    def part(self) -> str:
        """Which region or class is compared."""
        return self.part_box.currentData()

    @property
    def pins(self) -> dict[str, tuple[str, ...] | None]:
        """Letter -> pinned subset."""
        return {letter: side if isinstance(side, tuple) else None for letter, side in self.sides.items()}

    def set_study(self, study: SubsetStudy | None, *, expert: bool = False) -> None:
        """List a study's subsets and its reference; what was chosen stays if it can.

        Parameters
        ----------
        study : SubsetStudy or None
            None where the patient that is open was not studied.
        expert : bool
            Whether the patient has an expert's mask.
        """
        listed: list[tuple[str, Side]] = []
        if study is not None:
            listed.append(("Row shown", SHOWN))
            if study.reference is not None:
                listed.append((f"Reference: {study.reference.title}", REFERENCE))
            listed += [(subset_name(subset), subset) for subset in study.subsets]
        elif expert:
            listed.append(("Expert mask", EXPERT))
        sides = [side for _, side in listed]
        first = dict.fromkeys("AB")
        if study is not None:
            # At first the row shown is compared with the reference, or with the full set.
            first = {"A": SHOWN, "B": REFERENCE if REFERENCE in sides else sides[-1]}
        elif expert:
            first["B"] = EXPERT
        for letter, side in self._chosen.items():
            kept = side in sides or side in self.files
            self._chosen[letter] = side if kept else first[letter]
        self._listed = listed
        self._list()

    def set_file(self, letter: str, file: LabelFile) -> None:
        """Make a label file A or B."""
        self.files = [other for other in self.files if other.path != file.path] + [file]
        for other, side in self._chosen.items():
            if isinstance(side, LabelFile) and side.path == file.path:
                self._chosen[other] = file
        self._chosen[letter] = file
        self._list()
        self.sides_changed.emit()

    def forget_files(self) -> None:
        """List no label files any more: they were another patient's."""
        self.files = []
        for letter, side in self._chosen.items():
            if isinstance(side, LabelFile):
                self._chosen[letter] = None

    def _list(self) -> None:
        for letter, box in self.boxes.items():
            with QSignalBlocker(box):
                box.clear()
                for title, side in (*self._listed, *((file.title, file) for file in self.files)):
                    box.addItem(title, side)
                box.insertSeparator(box.count())
                box.addItem("Label file…", _ASK)
                box.setPlaceholderText("nothing yet")
                self._mark(letter)

    def _mark(self, letter: str) -> None:
        sides = [*(side for _, side in self._listed), *self.files]
        chosen = self._chosen[letter]
        self.boxes[letter].setCurrentIndex(sides.index(chosen) if chosen in sides else -1)

    def _on_activated(self, letter: str) -> None:
        side = self.boxes[letter].currentData()
        if side == _ASK:
            self._mark(letter)
            self.file_asked.emit(letter)
            return
        self._chosen[letter] = side
        self.sides_changed.emit()

    def set_part(self, part: str) -> None:
        """Choose a part without saying so."""
        if part in PARTS:
            self.part_box.setCurrentIndex(PARTS.index(part))

    def pin(self, letter: str, subset: Iterable[str]) -> None:
        """Make a subset A or B; the one that is pinned there already is let go."""
        wanted = tuple(subset)
        if wanted not in [side for _, side in self._listed]:
            return
        self._chosen[letter] = SHOWN if self._chosen[letter] == wanted else wanted
        self._mark(letter)
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
