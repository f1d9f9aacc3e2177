"""What takes a while with a run's checkpoint: segmenting the sample with it, and saving a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_rdl.files import write_file
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.tasks import TaskRunner

if TYPE_CHECKING:
    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.plugin.segment.widget import SegmentWidget


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
