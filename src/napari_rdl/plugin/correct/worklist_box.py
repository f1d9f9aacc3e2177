"""The worklist in the dock: who is how far, what to say of the patient that is open, and who comes next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_rdl.cohort.worklist_file import State
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel

if TYPE_CHECKING:
    from napari_rdl.cohort.worklist_file import Entry

_ROWS = 5
_MARKS = {State.TO_DO: "○", State.IN_WORK: "◐", State.DONE: "●", State.NEEDS_REVIEW: "⚑"}


class WorklistBox(Section):
    """Shows a worklist and asks for what is to be done with it.

    Signals
    -------
    list_asked, folder_asked : no value
        Another list; a new list from a folder.
    patient_asked : str
        Open this patient.
    step_asked : int
        1 for the next patient that is not done, -1 for the one before.
    state_chosen, note_written : str
        Of the patient that is open.
    accept_asked, finish_asked : no value
        The prediction is right as it is; the corrections are: save, mark as done, go on.
    order_changed : bool
        Whether the least sure come first.
    """

    list_asked = Signal()
    folder_asked = Signal()
    patient_asked = Signal(str)
    step_asked = Signal(int)
    state_chosen = Signal(str)
    note_written = Signal(str)
    accept_asked = Signal()
    finish_asked = Signal()
    order_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Worklist", parent)
        self._read_only = False
        self._note = ""
        self.open_button = _button("Open list…", "Open a worklist: patients, how far each one is, notes")
        self.new_button = _button("New list…", "Make a worklist of a folder of patients")
        self.summary = WrappedLabel()
        self.patients = QListWidget()
        self.patients.setToolTip("Double-click a patient, or press Enter, to open it")
        self.patients.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.patients.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.patients.setMinimumWidth(0)
        row = self.patients.fontMetrics().lineSpacing() + 6
        self.patients.setFixedHeight(_ROWS * row + 2 * self.patients.frameWidth())
        self.by_doubt = QCheckBox("Least sure first")
        self.by_doubt.setToolTip("Order by how unsure the model is; patients without a figure come last")
        self.previous_button = _button("Previous", "Open the patient before this one that is not done")
        self.next_button = _button("Next", "Open the next patient that is not done")
        self.state = narrow_combo("How far this patient is")
        for state in State:
            self.state.addItem(state.value.capitalize(), state.value)
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note")
        self.note.setToolTip("A note on this patient, for you and for others")
        self.accept_button = _button(
            "Accept as it is", "Save the prediction shown as this patient's labels, and mark it as done"
        )
        self.finish_button = _button(
            "Save, done", "Save the corrected labels where the list keeps them, and mark the patient as done"
        )
        grid = QGridLayout()
        grid.setSpacing(SPACING)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        for place, part in (
            ((0, 0), self.previous_button),
            ((0, 1), self.next_button),
            ((1, 0), self.accept_button),
            ((1, 1), self.finish_button),
        ):
            grid.addWidget(part, *place)
        about = QGridLayout()
        about.setSpacing(SPACING)
        about.setColumnStretch(1, 1)
        about.addWidget(QLabel("State"), 0, 0)
        about.addWidget(self.state, 0, 1)
        about.addWidget(QLabel("Note"), 1, 0)
        about.addWidget(self.note, 1, 1)
        self.of_list = QWidget()
        self._lay_out(grid, about)
        self._connect()
        self.show_entries((), "", read_only=False)

    def _lay_out(self, grid: QGridLayout, about: QGridLayout) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACING)
        top.addWidget(self.open_button)
        top.addWidget(self.new_button)
        self.body.addLayout(top)
        self.body.addWidget(self.summary)
        column = QVBoxLayout(self.of_list)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addWidget(self.patients)
        column.addWidget(self.by_doubt)
        column.addLayout(about)
        column.addLayout(grid)
        self.body.addWidget(self.of_list)

    def _connect(self) -> None:
        self.open_button.clicked.connect(self.list_asked)
        self.new_button.clicked.connect(self.folder_asked)
        self.patients.itemActivated.connect(self._on_activated)
        self.by_doubt.toggled.connect(self.order_changed)
        self.previous_button.clicked.connect(lambda: self.step_asked.emit(-1))
        self.next_button.clicked.connect(lambda: self.step_asked.emit(1))
        self.state.activated.connect(lambda _index: self.state_chosen.emit(self.state.currentData()))
        self.note.editingFinished.connect(self._on_note)
        self.accept_button.clicked.connect(self.accept_asked)
        self.finish_button.clicked.connect(self.finish_asked)

    def show_entries(self, entries: Iterable[Entry], summary: str, *, read_only: bool) -> None:
        """Show a list's patients in this order; no summary for no list."""
        self.summary.setText(summary)
        self.of_list.setVisible(bool(summary))
        chosen = self.patients.currentItem()
        name = chosen.data(Qt.ItemDataRole.UserRole) if chosen is not None else None
        with QSignalBlocker(self.patients):
            self.patients.clear()
            for entry in entries:
                doubt = "" if entry.doubt is None else f"  {entry.doubt:.2f}"
                item = QListWidgetItem(f"{_MARKS[entry.state]} {entry.name}{doubt}")
                item.setData(Qt.ItemDataRole.UserRole, entry.name)
                note = f"\n{entry.note}" if entry.note else ""
                item.setToolTip(f"{entry.name}: {entry.state}{note}")
                self.patients.addItem(item)
                if entry.name == name:
                    self.patients.setCurrentItem(item)
        self._read_only = read_only

    def show_entry(self, entry: Entry | None, *, predicted: bool, corrected: bool) -> None:
        """Show the entry of the patient that is open, and enable what can be done with it."""
        writes = entry is not None and not self._read_only
        for part in (self.state, self.note):
            part.setEnabled(writes)
        self.accept_button.setEnabled(writes and predicted)
        self.finish_button.setEnabled(writes and corrected)
        with QSignalBlocker(self.state):
            self.state.setCurrentIndex(self.state.findData(entry.state.value) if entry is not None else -1)
        if not self.note.hasFocus():
            self.note.setText(entry.note if entry is not None else "")
        self._note = entry.note if entry is not None else ""
        if entry is not None:
            for row in range(self.patients.count()):
                if self.patients.item(row).data(Qt.ItemDataRole.UserRole) == entry.name:
                    self.patients.setCurrentRow(row)

    def _on_activated(self, item: QListWidgetItem) -> None:
        self.patient_asked.emit(item.data(Qt.ItemDataRole.UserRole))

    def _on_note(self) -> None:
        if self.note.text() != self._note:
            self._note = self.note.text()
            self.note_written.emit(self._note)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
