"""The part of the widget where a study is begun, watched and opened, and its patients are stepped through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QWidget

from napari_rdl.plugin.compare.study_process import State
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.parts.work_bar import WorkBar

if TYPE_CHECKING:
    from napari_rdl.cohort.finished import FinishedStudy


class StudyProgress(QWidget):
    """How a study's process stands, and what may be asked of it; takes no room where there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = WorkBar()
        self.status = WrappedLabel()
        self.pause_button = QPushButton("Pause")
        self.pause_button.setCheckable(True)
        self.pause_button.setToolTip("Hold before the next patient; press again to go on")
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("End before the next patient; what is done is kept, and Resume goes on")
        self.resume_button = QPushButton("Resume")
        self.resume_button.setToolTip("Go on with the patients that are not done yet")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        grid.addWidget(self.bar, 0, 0, 1, 2)
        grid.addWidget(self.status, 1, 0, 1, 2)
        grid.addWidget(self.pause_button, 2, 0)
        grid.addWidget(self.stop_button, 2, 1)
        grid.addWidget(self.resume_button, 3, 0, 1, 2)
        self.show_state(State.NONE, "", 0, 0)

    def show_state(self, state: State, message: str, done: int, total: int) -> None:
        """Show how the study stands."""
        alive = state in (State.RUNNING, State.PAUSED)
        self.setVisible(alive or state is State.STOPPED)
        self.bar.setVisible(alive)
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.status.setText(f"{message} ({done} of {total})" if alive and total else message)
        for button in (self.pause_button, self.stop_button):
            button.setVisible(alive)
        with QSignalBlocker(self.pause_button):
            self.pause_button.setChecked(state is State.PAUSED)
        self.resume_button.setVisible(state is State.STOPPED)


class CohortBox(Section):
    """Open a study, and step from patient to patient.

    Signals
    -------
    open_asked, begin_asked, stop_asked, resume_asked, correct_asked : no value
    pause_switched : bool
    patient_chosen : int
        Place in the study, 0 is the worst.
    """

    open_asked = Signal()
    begin_asked = Signal()
    correct_asked = Signal()
    stop_asked = Signal()
    resume_asked = Signal()
    pause_switched = Signal(bool)
    patient_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Study of many patients", parent)
        self.open_button = QPushButton("Open study…")
        self.open_button.setToolTip("Choose the folder that a study was written to; nothing is encoded again")
        self.begin_button = QPushButton("Study a folder…")
        self.begin_button.setToolTip(
            "Study all subsets of every patient in a folder, with model and device of Segment tumour. "
            "It runs as a process of its own, which goes on when napari is closed"
        )
        self.progress = StudyProgress()
        self.summary = WrappedLabel()
        self.patients = narrow_combo("The patients of the study, worst first")
        self.patients.setAccessibleName("Patient")
        self.worse_button, self.better_button = QPushButton("◀"), QPushButton("▶")
        for button, way in ((self.worse_button, "worse"), (self.better_button, "better")):
            button.setToolTip(f"Go to the next {way} patient")
            button.setAccessibleName(f"Next {way} patient")
            button.setFixedWidth(34)
        self._steps = QWidget()
        row = QHBoxLayout(self._steps)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACING)
        row.addWidget(self.worse_button)
        row.addWidget(self.patients, 1)
        row.addWidget(self.better_button)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACING)
        buttons.addWidget(self.begin_button, 1)
        buttons.addWidget(self.open_button, 1)
        self.body.addLayout(buttons)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.summary)
        self.begin_button.clicked.connect(self.begin_asked)
        self.progress.pause_button.toggled.connect(self.pause_switched)
        self.progress.stop_button.clicked.connect(self.stop_asked)
        self.progress.resume_button.clicked.connect(self.resume_asked)
        self.body.addWidget(self._steps)
        self.correct_button = QPushButton("Correct these labels")
        self.correct_button.setToolTip(
            "Copy the labels of the row shown to the corrected layer, as the study found them, without a run"
        )
        self.correct_button.setVisible(False)
        self.correct_button.clicked.connect(self.correct_asked)
        self.body.addWidget(self.correct_button)
        self.open_button.clicked.connect(self.open_asked)
        self.patients.activated.connect(self.patient_chosen)
        self.worse_button.clicked.connect(lambda: self.patient_chosen.emit(self.patients.currentIndex() - 1))
        self.better_button.clicked.connect(lambda: self.patient_chosen.emit(self.patients.currentIndex() + 1))
        self._steps.setVisible(False)

    def show_reading(self, folder: Path) -> None:
        """Say that a study is being read."""
        self.summary.setText(f"Reading {folder.name}…")

    def show_study(self, study: FinishedStudy | None) -> None:
        """List a study's patients, or none."""
        if study is None:
            self.summary.setText("")
            return
        with QSignalBlocker(self.patients):
            self.patients.clear()
            for patient in study.patients:
                score = f"Dice {100 * patient.score:.1f} %" if patient.score is not None else "no reference"
                self.patients.addItem(f"{patient.name}, {score}")
        count = len(study.patients)
        text = f"{study.folder.name}: {count} patient{'' if count == 1 else 's'}, worst first."
        if study.failed:
            text += f" Failed: {', '.join(study.failed)}."
        self.summary.setText(text)
        self._steps.setVisible(bool(count))

    def show_place(self, place: int) -> None:
        """Mark the patient that is shown."""
        with QSignalBlocker(self.patients):
            self.patients.setCurrentIndex(place)
        self.worse_button.setEnabled(place > 0)
        self.better_button.setEnabled(place + 1 < self.patients.count())
