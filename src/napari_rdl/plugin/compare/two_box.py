"""The part of the widget where two label maps are compared: A, B, what of them, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QWidget

from napari_rdl import brats
from napari_rdl.brats import subset_name
from napari_rdl.compare import PARTS
from napari_rdl.plugin.compare.colours import BOTH_COLOUR, ONLY_A_COLOUR, ONLY_B_COLOUR
from napari_rdl.plugin.compare.shown import REFERENCE, SHOWN, Side
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.viewer.view_box import SWATCH

if TYPE_CHECKING:
    from napari_rdl.compare import DifferenceVolumes, SubsetStudy

_SHORT = {"NCR": "necrotic core"}
"""Titles that would be cut off in a narrow dock."""


class TwoBox(Section):
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

    def show_volumes(self, volumes: DifferenceVolumes | None, first: str, second: str, part: str) -> None:
        """Say how much there is of each, and how well A and B agree; nothing without volumes."""
        self._legend.setVisible(volumes is not None)
        if volumes is None:
            return
        total = 2 * volumes.both + volumes.only_a + volumes.only_b
        dice = f"Dice {200 * volumes.both / total:.1f} %" if total else f"no {part} in either"
        self.lines[0].setText(f"Only A, {first}: {volumes.only_a:.1f} ml")
        self.lines[1].setText(f"Only B, {second}: {volumes.only_b:.1f} ml")
        self.lines[2].setText(f"Both: {volumes.both:.1f} ml; {dice}")
