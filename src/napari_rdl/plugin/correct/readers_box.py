"""Two readers in the dock: whose labels, how well they agree, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel

if TYPE_CHECKING:
    from napari_rdl.compare.readers import RegionAgreement

ANOTHER_FILE = "another file"


class ReadersBox(Section):
    """Chooses two readers, and shows what they have in common.

    Signals
    -------
    readers_chosen : no value
    file_asked : int
        Which reader a file is to be chosen for: 0 or 1.
    next_asked : no value
        The next place where they disagree.
    consensus_asked : str
        ``majority`` or ``staple``.
    difference_switched : bool
    """

    readers_chosen = Signal()
    file_asked = Signal(int)
    next_asked = Signal()
    consensus_asked = Signal(str)
    difference_switched = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Two readers", parent)
        self.boxes: list[QComboBox] = []
        form = QGridLayout()
        form.setSpacing(SPACING)
        form.setColumnStretch(1, 1)
        for row, letter in enumerate("AB"):
            box = narrow_combo(f"Whose labels are {letter}")
            label = QLabel(letter)
            label.setBuddy(box)
            form.addWidget(label, row, 0)
            form.addWidget(box, row, 1)
            box.activated.connect(lambda _index, row=row: self._on_chosen(row))
            self.boxes.append(box)
        self.compare_button = QPushButton("Compare")
        self.compare_button.setToolTip("Say how well the labels of A and B agree, as they are now")
        self.compare_button.clicked.connect(self.readers_chosen)
        self.table = WrappedLabel()
        self.difference_box = QCheckBox("Difference layer")
        self.difference_box.setToolTip("Show what only A marked as tumour, what only B did, and both")
        self.next_button = QPushButton("Next disagreement")
        self.next_button.setToolTip("Go to the next place that A and B labelled differently, largest first")
        self.status = WrappedLabel()
        self.majority_button = QPushButton("Majority")
        self.majority_button.setToolTip(
            "Make the corrected labels what both readers say; a step that can be taken back"
        )
        self.staple_button = QPushButton("STAPLE")
        self.staple_button.setToolTip(
            "Make the corrected labels the consensus that weighs readers by how reliable they seem; "
            "a step that can be taken back. Needs SimpleITK"
        )
        row_ = QHBoxLayout()
        row_.setSpacing(SPACING)
        row_.addWidget(QLabel("Consensus"))
        row_.addWidget(self.majority_button, 1)
        row_.addWidget(self.staple_button, 1)
        self.body.addLayout(form)
        for part in (self.compare_button, self.table, self.difference_box, self.next_button):
            self.body.addWidget(part)
        self.body.addLayout(row_)
        self.body.addWidget(self.status)
        self.difference_box.toggled.connect(self.difference_switched)
        self.next_button.clicked.connect(self.next_asked)
        self.majority_button.clicked.connect(lambda: self.consensus_asked.emit("majority"))
        self.staple_button.clicked.connect(lambda: self.consensus_asked.emit("staple"))
        self.show_agreement(None, corrected=False)

    @property
    def chosen(self) -> list[object]:
        """What was chosen for A and B."""
        return [box.currentData() for box in self.boxes]

    def set_choices(self, choices: Sequence[tuple[str, object]], wanted: Sequence[object] = ()) -> None:
        """List whose labels there are; what was chosen, or is `wanted`, stays or comes if it can."""
        for number, box in enumerate(self.boxes):
            before = wanted[number] if number < len(wanted) else box.currentData()
            with QSignalBlocker(box):
                box.clear()
                for title, what in (*choices, ("Another file…", ANOTHER_FILE)):
                    box.addItem(title, what)
                whats = [what for _, what in choices]
                place = next((at for at, what in enumerate(whats) if what is before or what == before), -1)
                box.setCurrentIndex(place if place >= 0 else min(number, len(whats) - 1))

    def show_agreement(
        self, agreement: Mapping[str, RegionAgreement] | None, *, corrected: bool, outdated: bool = False
    ) -> None:
        """Say how well A and B agree; nothing for nobody.

        What was compared before labels changed is still walked through; no consensus is made of it.
        """
        there = agreement is not None
        self.compare_button.setText("Compare again: labels have changed" if outdated else "Compare")
        self.compare_button.setVisible(outdated or not there)
        self.compare_button.setEnabled(None not in self.chosen)
        for part in (self.difference_box, self.next_button):
            part.setEnabled(there)
        for button in (self.majority_button, self.staple_button):
            button.setEnabled(there and corrected and not outdated)
        self.table.setText(
            "\n".join(f"{region}: {_said(one)}" for region, one in agreement.items()) if agreement else ""
        )

    def _on_chosen(self, number: int) -> None:
        if self.boxes[number].currentData() == ANOTHER_FILE:
            self.file_asked.emit(number)
        else:
            self.readers_chosen.emit()


def _said(one: RegionAgreement) -> str:
    volumes = f"A {one.first_ml:.1f} ml, B {one.second_ml:.1f} ml"
    if one.mean_mm is None or one.hd95_mm is None:
        return f"Dice {one.dice:.2f}; {volumes}"
    apart = f"{one.mean_mm:.1f} mm apart (95\u00a0%: {one.hd95_mm:.1f})"
    return f"Dice {one.dice:.2f}, surfaces {apart}; {volumes}"
