"""Learning from corrections in the dock: a training of its own process, watched, and its model on offer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_rdl.cohort.worklist_file import State as PatientState
from napari_rdl.errors import NapariRdlError
from napari_rdl.models import bundled_name
from napari_rdl.plugin.correct.desk import Desk
from napari_rdl.plugin.correct.working import Working
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.segment.open_widgets import WIDGET_NAME, open_segment_widget

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.training.run.process import RunProcesses
    from napari_rdl.training.run.reader import Glance, RunReader

_LOOK_MS = 2000


class LearningBox(Section):
    """Starts and stops a training, and says what came of it.

    Signals
    -------
    learn_asked, stop_asked, use_asked : no value
    """

    learn_asked = Signal()
    stop_asked = Signal()
    use_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Learn from my corrections", parent)
        self.learn_button = QPushButton("Learn")
        self.learn_button.setToolTip(
            "Train the model further on the patients that are done, mixed with synthetic ones, in a process "
            "of its own; then it is compared with the one before"
        )
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("End the training after its step; it is not compared then")
        self.use_button = QPushButton("Use the new model")
        self.use_button.setToolTip("Choose it in Segment tumour; the one before stays in the list there")
        self.status = WrappedLabel()
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        row.addWidget(self.learn_button, 2)
        row.addWidget(self.stop_button, 1)
        self.body.addLayout(row)
        self.body.addWidget(self.status)
        self.body.addWidget(self.use_button)
        self.learn_button.clicked.connect(self.learn_asked)
        self.stop_button.clicked.connect(self.stop_asked)
        self.use_button.clicked.connect(self.use_asked)

    def show_stand(self, *, done: int, running: bool, usable: bool) -> None:
        """Enable what can be done: `done` patients, a run that goes on, a model that can be used."""
        patients = f"{done} patient{'s' if done != 1 else ''}"
        self.learn_button.setText(f"Learn from {patients}" if done else "Learn")
        self.learn_button.setEnabled(done > 0 and not running)
        self.stop_button.setEnabled(running)
        self.use_button.setVisible(usable)


class Learning(QObject):
    """Trains on the worklist's done patients and offers what comes of it.

    Signals
    -------
    failed : Exception
    """

    failed = Signal(object)

    def __init__(self, viewer: Viewer, desk: Desk, working: Working, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._desk = desk
        self._working = working
        self._processes: RunProcesses | None = None
        self._reader: RunReader | None = None
        self._model: Path | None = None
        self.folder: Path | None = None
        self.box = LearningBox()
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self.look)
        self.box.learn_asked.connect(self.learn)
        self.box.stop_asked.connect(self.stop)
        self.box.use_asked.connect(self.use)
        working.changed.connect(self._show)
        self._show()

    @property
    def running(self) -> bool:
        """Whether a training goes on, or its comparison."""
        return self._look.isActive()

    def shut_down(self) -> None:
        """Watch no longer; a training goes on without napari."""
        self._look.stop()

    def learn(self, changes: dict[str, object] | None = None) -> None:
        """Start a training from the model that Segment tumour runs; `changes` are further settings."""
        worklist = self._working.worklist
        if worklist is None or self.running:
            return
        from napari_rdl.training.run.process import RunPlan, RunProcesses
        from napari_rdl.training.run.reader import RunReader

        start = self._desk.segment.run_box.choice.model if self._desk.segment is not None else None
        settings: dict[str, object] = dict(changes or {})
        if start is not None:
            settings["start_from"] = bundled_name(start) or str(start)
        models = worklist.path.with_name(f"{worklist.path.stem}-models")
        folder = models / time.strftime("learnt-%Y-%m-%d-%H%M%S")
        self._processes = self._processes or RunProcesses()
        try:
            self._processes.start(RunPlan("", settings, (str(worklist.path),)), folder)
        except NapariRdlError as error:
            self.failed.emit(error)
            return
        self.folder, self._reader, self._model = folder, RunReader(folder), None
        self.box.status.setText("Preparing patients…")
        self._look.start()
        self._show()

    def stop(self) -> None:
        """End the training after its step."""
        if self.folder is None:
            return
        from napari_rdl.training.run.process import ask_to_stop

        try:
            ask_to_stop(self.folder)
        except NapariRdlError as error:
            self.failed.emit(error)

    def use(self) -> None:
        """Let Segment tumour use the new model from the next run on."""
        if self._model is not None:
            segment = self._desk.segment or open_segment_widget(self._viewer)
            segment.run_box.choose_model(self._model)
            self.box.status.setText(f"{WIDGET_NAME} uses the new model from the next run on.")

    def look(self) -> None:
        """See how far the training is."""
        if self.folder is None or self._reader is None or self._processes is None:
            return
        from napari_rdl.training.before_after import read_comparison

        code = self._processes.exit_code(self.folder)
        glance = self._reader.look(exit_code=code)
        comparison = read_comparison(self.folder)
        if comparison is not None:
            self._look.stop()
            self.box.status.setText(comparison.words())
            if comparison.verdict in ("better", "unknown"):
                self._model = self.folder / comparison.checkpoint
        elif code is not None:
            self._look.stop()
            self.box.status.setText(self._end_of(glance))
        else:
            self.box.status.setText(_stand_of(glance))
        self._show()

    def _end_of(self, glance: Glance) -> str:
        said = glance.problem or (glance.log[-1] if glance.log else "")
        return f"The training ended without a comparison ({glance.state.value}). {said}".strip()

    def _show(self) -> None:
        worklist = self._working.worklist
        done = worklist.count(PatientState.DONE) if worklist is not None else 0
        self.box.setVisible(worklist is not None)
        self.box.show_stand(done=done, running=self.running, usable=self._model is not None)


def _stand_of(glance: Glance) -> str:
    if not glance.step:
        return "Preparing patients…"
    if glance.step >= glance.steps:
        return "Comparing with the model before…"
    left = f", about {glance.seconds_left / 60:.0f} min left" if glance.seconds_left is not None else ""
    return f"Step {glance.step} of {glance.steps}{left}."
