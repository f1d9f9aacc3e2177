"""A run's checkpoints put to use: segment with one, try it on the sample, save a copy, fine-tune from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QFileDialog, QGridLayout, QPushButton, QSizePolicy, QWidget

from napari_rdl.files import write_file
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.model_card import card_summary
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.parts.tasks import TaskRunner

if TYPE_CHECKING:
    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.plugin.segment.widget import SegmentWidget

TITLES = {"best.safetensors": "Best on validation", "last.safetensors": "Last checkpoint"}


class UseBox(Section):
    """A checkpoint with its card; segment with it, save a copy, fine-tune from it.

    Signals
    -------
    segment_asked, sample_asked, copy_asked, tune_asked : Path
    """

    segment_asked = Signal(object)
    sample_asked = Signal(object)
    copy_asked = Signal(object)
    tune_asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Use", parent)
        self._listed: tuple[tuple[Path, int], ...] = ()
        self._picked: Path | None = None
        self.checkpoint_box = narrow_combo("Which of the run's checkpoints to use")
        self.checkpoint_box.setAccessibleName("Checkpoint")
        self.card_label = WrappedLabel()
        buttons = (
            ("Segment with it", "Choose this checkpoint in Segment tumour", self.segment_asked),
            ("Try on the sample", "Segment the synthetic sample patient with it", self.sample_asked),
            ("Save a copy…", "Save it as a single .safetensors file, to keep or to share", self.copy_asked),
            ("Fine-tune it", "Set up a new run that begins with these weights", self.tune_asked),
        )
        grid = QGridLayout()
        grid.setSpacing(SPACING)
        self.buttons: list[QPushButton] = []
        for number, (title, tip, signal) in enumerate(buttons):
            button = QPushButton(title)
            button.setToolTip(tip)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _checked=False, signal=signal: signal.emit(self.checkpoint))
            grid.addWidget(button, number // 2, number % 2)
            self.buttons.append(button)
        self.segment_button, self.sample_button, self.copy_button, self.tune_button = self.buttons
        self.body.addWidget(self.checkpoint_box)
        self.body.addWidget(self.card_label)
        self.body.addLayout(grid)
        self.checkpoint_box.activated.connect(self._on_picked)
        self.setVisible(False)

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint chosen."""
        return self.checkpoint_box.currentData()

    def show_checkpoints(self, folder: Path, names: Sequence[str]) -> None:
        """List the checkpoints of a run, the best first; one that the user chose stays chosen."""
        listed = tuple((folder / name, _stamp(folder / name)) for name in names)
        if listed == self._listed:
            return
        paths = [path for path, _ in listed]
        if paths != [path for path, _ in self._listed]:
            with QSignalBlocker(self.checkpoint_box):
                self.checkpoint_box.clear()
                for path in paths:
                    self.checkpoint_box.addItem(TITLES.get(path.name, path.name), path)
                    last = self.checkpoint_box.count() - 1
                    self.checkpoint_box.setItemData(last, str(path), Qt.ItemDataRole.ToolTipRole)
                self.checkpoint_box.setCurrentIndex(paths.index(self._picked) if self._picked in paths else 0)
        self._listed = listed
        self.setVisible(bool(paths))
        self._show_card()

    def _on_picked(self, _index: int) -> None:
        self._picked = self.checkpoint
        self._show_card()

    def _show_card(self) -> None:
        if self.checkpoint is not None:
            self.card_label.setText(card_summary(self.checkpoint))


class CheckpointUse:
    """Puts a checkpoint to use, one task at a time.

    Parameters
    ----------
    parent : QWidget
        Of dialogs.
    tasks : TaskRunner
    messages : MessageBar
        Where it says what it does.
    segment_with : callable
        Opens Segment tumour with a checkpoint.
    on_error : callable
        Told of what went wrong in a task.
    """

    def __init__(
        self,
        parent: QWidget,
        tasks: TaskRunner,
        messages: MessageBar,
        segment_with: Callable[[Path], SegmentWidget],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._parent = parent
        self._tasks = tasks
        self._messages = messages
        self._segment_with = segment_with
        self._on_error = on_error

    def segment_sample(self, checkpoint: Path) -> None:
        """Segment the sample patient, which is made on first use."""
        if self._tasks.busy:
            return
        widget = self._segment_with(checkpoint)

        def make(progress: Progress, _cancelled: IsCancelled) -> Path:
            from napari_rdl.phantom import sample_patient_folder

            return sample_patient_folder(progress)

        def show(folder: Path) -> None:
            self._messages.clear()
            widget.open_patient(folder, run=True)

        self._messages.show_message("note", "Making the sample patient; the first time takes a moment.")
        self._tasks.start(make, show, self._on_error)

    def save_copy(self, checkpoint: Path, folder: Path) -> None:
        """Ask for a file, `folder` first, and copy the checkpoint there."""
        proposed = str(folder / f"{checkpoint.parent.name}.safetensors")
        name, _ = QFileDialog.getSaveFileName(
            self._parent, "Save a copy of the checkpoint", proposed, "Checkpoints (*.safetensors)"
        )
        if not name or self._tasks.busy:
            return
        target = Path(name)
        if target.suffix != ".safetensors":
            target = target.with_name(target.name + ".safetensors")

        def copy(_progress: Progress, _cancelled: IsCancelled) -> Path:
            return write_file(target, lambda path: shutil.copyfile(checkpoint, path))

        def say(path: Path) -> None:
            self._messages.show_message("note", f"Saved {path}.")

        self._tasks.start(copy, say, self._on_error)


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
