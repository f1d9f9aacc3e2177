"""The part of the widget that shows one run: how it stands, its curves, an example, its log."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFontDatabase, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.remedies import in_words
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel, plain_collapsible
from napari_rdl.plugin.parts.times import duration
from napari_rdl.plugin.parts.work_bar import WorkBar
from napari_rdl.plugin.train.curves import RunCurves
from napari_rdl.training.run.reader import Glance, State
from napari_rdl.training.run.status import Status

LOG_HEIGHT = 150


class RunView(Section):
    """State, progress and buttons; `details` has curves, picture and log and is laid out by the caller.

    Signals
    -------
    pause_asked : bool
        Hold, or go on.
    stop_asked, kill_asked, resume_asked : no value
    """

    pause_asked = Signal(bool)
    stop_asked = Signal()
    kill_asked = Signal()
    resume_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Run", parent)
        self._glance: Glance | None = None
        self._preview: tuple[Path, int | None] | None = None
        self.status = WrappedLabel("Choose a run above, or start one.")
        self.progress_bar = WorkBar()
        self.figures = WrappedLabel()
        self.word = MessageBar()
        self.pause_button = QPushButton("Pause")
        self.pause_button.setToolTip("Hold after this step, with a checkpoint; memory stays in use")
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("End after this step, with a checkpoint to resume from")
        self.kill_button = QPushButton("Kill")
        self.kill_button.setToolTip("End the process now; what came after the last checkpoint is lost")
        self.resume_button = QPushButton("Resume")
        self.resume_button.setToolTip("Go on from the last checkpoint, as if nothing had happened")
        self.curves = RunCurves()
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.picture.setToolTip("A validation patient: on the left its label, on the right the prediction")
        self.caption = WrappedLabel()
        self.caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(400)
        self.log.setFixedHeight(LOG_HEIGHT)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setAccessibleName("Log")
        self.log.setToolTip("The last lines that the training wrote")
        self.log_section = plain_collapsible("Log", self.log, "The last lines that the training wrote")
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACING)
        for button in (self.pause_button, self.stop_button, self.kill_button, self.resume_button):
            buttons.addWidget(button)
        self.body.addWidget(self.status)
        self.body.addWidget(self.progress_bar)
        self.body.addWidget(self.figures)
        self.body.addWidget(self.word)
        self.body.addLayout(buttons)
        self.details = QWidget()
        column = QVBoxLayout(self.details)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        for widget in (self.curves, self.picture, self.caption, self.log_section):
            column.addWidget(widget)
        self.pause_button.clicked.connect(self._on_pause)
        self.stop_button.clicked.connect(self.stop_asked)
        self.kill_button.clicked.connect(self.kill_asked)
        self.resume_button.clicked.connect(self.resume_asked)
        self._show_buttons(None)
        self._show_picture(None)
        self.progress_bar.setVisible(False)
        self.log_section.setVisible(False)

    def show_glance(self, glance: Glance) -> None:
        """Show how a run stands."""
        before = self._glance
        if glance == before:
            return
        self._glance = glance
        state = glance.state
        self.status.setText(f"{glance.folder.name}: {state.value}")
        self._show_progress(glance)
        self.figures.setText(figures_in_words(glance))
        level = {State.FAILED: "error", State.GONE: "error", State.PAUSED: "warning"}.get(state, "note")
        sentence = sentence_of(glance)
        self.word.show_messages([(level, sentence)] if sentence else [])
        self._show_buttons(glance)
        self._show_picture(glance)
        if before is None or before.folder != glance.folder or before.log != glance.log:
            self._show_log(glance)
        if state is State.FAILED and (before is None or before.state is not State.FAILED):
            self.log_section.expand(animate=False)

    def _show_progress(self, glance: Glance) -> None:
        preparing = glance.state is State.PREPARING
        self.progress_bar.setVisible(preparing or bool(glance.steps))
        # In thousandths: Qt counts no further than 2^31.
        self.progress_bar.setRange(0, 0 if preparing else 1000)
        self.progress_bar.setValue(1000 * min(glance.step, glance.steps) // max(glance.steps, 1))

    def _show_buttons(self, glance: Glance | None) -> None:
        state = glance.state if glance is not None else None
        alive = state is not None and state.alive
        self.pause_button.setVisible(alive)
        self.stop_button.setVisible(alive)
        self.kill_button.setVisible(alive)
        self.resume_button.setVisible(state in (State.STOPPED, State.FAILED))
        self.pause_button.setText("Go on" if state is State.PAUSED else "Pause")
        self.pause_button.setEnabled(state in (State.RUNNING, State.PAUSED))
        self.stop_button.setEnabled(state in (State.RUNNING, State.PAUSED, State.PREPARING))

    def _show_picture(self, glance: Glance | None) -> None:
        stamp = glance.preview_stamp if glance is not None else None
        shown = (glance.folder, stamp) if glance is not None and stamp is not None else None
        if shown == self._preview and glance is not None:
            return
        self._preview = shown
        pixmap = QPixmap()
        if shown is not None:
            # A PNG of some kilobytes.
            pixmap.load(str(shown[0] / "preview.png"))
        there = not pixmap.isNull()
        self.picture.setVisible(there)
        self.caption.setText("Label (left) and prediction, all modalities" if there else "")
        if there:
            width = max(self.width(), 200)
            self.picture.setPixmap(
                pixmap.scaledToWidth(min(width, 300), Qt.TransformationMode.SmoothTransformation)
            )
            self.picture.setFixedHeight(self.picture.pixmap().height())

    def _show_log(self, glance: Glance) -> None:
        self.log_section.setVisible(bool(glance.log))
        bar = self.log.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        self.log.setPlainText("\n".join(glance.log))
        if at_end:
            bar.setValue(bar.maximum())

    def _on_pause(self) -> None:
        self.pause_asked.emit(self._glance is None or self._glance.state is not State.PAUSED)


def figures_in_words(glance: Glance) -> str:
    """Return step, time left, memory and Dice in a line."""
    parts = []
    if glance.steps:
        parts.append(f"Step {glance.step} of {glance.steps}")
    if glance.seconds_left is not None:
        parts.append(f"about {duration(glance.seconds_left)} left")
    if glance.memory_mb and glance.state.alive:
        parts.append(f"{glance.memory_mb:.0f} MB")
    if glance.best is not None:
        parts.append(f"best Dice {glance.best:.3f}")
    return " · ".join(parts)


def sentence_of(glance: Glance) -> str:
    """Return what is to be said of a run beside its state: why it broke off, where it runs; or nothing."""
    state = glance.state
    if state is State.GONE:
        return (
            f"{glance.folder} was moved or deleted. Its training ends by itself; if it was moved, open it "
            "at its new place and resume it there."
        )
    if state is State.PREPARING:
        return "Starting Python and PyTorch…" if glance.status is None else status_in_words(glance.status)
    if state is State.STOPPING:
        return "Ends after this step, with a checkpoint."
    if state is State.PAUSED:
        return "Holds after its step, with a checkpoint. Memory stays in use."
    if state is State.RUNNING and glance.host:
        return f"Runs on {glance.host}, as far as one can tell from here."
    if glance.killed:
        return "Ended by hand; what came after its last checkpoint is lost. Resume goes on from there."
    if state is State.STOPPED and glance.resumable:
        return "Stopped with a checkpoint; Resume goes on from there."
    if state is State.FAILED:
        return glance.problem or _end_in_words(glance)
    return ""


def status_in_words(status: Status) -> str:
    """Return what a process does, or why it refused, in a sentence."""
    if status.kind == "refused":
        return in_words(status.error)
    return f"{status.message} ({status.done} of {status.total})" if status.total else f"{status.message}…"


def _end_in_words(glance: Glance) -> str:
    code = glance.exit_code
    how = "" if code is None else f" (ended by signal {-code})" if code < 0 else f" (exit code {code})"
    if glance.began:
        hint = ""
        if code == -9:
            hint = " Often the system does so when memory runs out: lower the micro batch or the crop."
        return f"The training process died{how}.{hint} Resume goes on from its last checkpoint."
    if glance.status is not None and glance.status.kind == "refused":
        said = status_in_words(glance.status)
    else:
        # It died before it could tell; the log's last line is all there is.
        said = next((line for line in reversed(glance.log) if line.strip()), "It left no word.")
    return f"The training did not begin{how}: {said}"
