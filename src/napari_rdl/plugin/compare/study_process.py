"""A study of many patients as a process of its own, which outlives napari: begun, watched, asked, resumed."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl.cohort.asked import PAUSE, STOP, ask_to_pause, ask_to_stop
from napari_rdl.cohort.records import INDEX
from napari_rdl.errors import OutputError
from napari_rdl.files import write_json
from napari_rdl.training.run.process import Request, detached, training_environment
from napari_rdl.training.run.running import is_alive, mark_of, read_record
from napari_rdl.training.run.status import Status

logger = logging.getLogger(__name__)

REQUEST, STATUS, OUTPUT = "request.json", "status.json", "output.log"
"""Files of a study that was started here, beside what the study writes."""

_LOOK_MS = 500


class State(Enum):
    """How a study's process stands."""

    NONE = "none"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"


class StudyProcess(QObject):
    """Follows the study in one folder.

    Signals
    -------
    changed : State, str, int, int
        How it stands, what it does or why it ended, patients done, patients in all.
    finished : Path
        The study in this folder has just ended well.
    """

    changed = Signal(object, str, int, int)
    finished = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.folder: Path | None = None
        self.state = State.NONE
        self._process: subprocess.Popen[bytes] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)

    def start(self, data: Path, out: Path, words: Sequence[str] = ()) -> None:
        """Study the patients of `data` into `out`; what is there already is kept.

        Parameters
        ----------
        words : sequence of str
            Further options of ``napari-rdl study``.

        Raises
        ------
        OutputError
            If the folder cannot be written, or no process can be started.
        """
        command = [sys.executable, "-m", "napari_rdl", "study", str(data), "--out", str(out), "--json"]
        self._launch(out, [*command, *words])

    def resume(self) -> None:
        """Go on with a study that was stopped, or whose process died.

        Raises
        ------
        OutputError
            If no process can be started.
        """
        request = read_record(self.folder / REQUEST, Request) if self.folder is not None else None
        if self.folder is not None and request is not None:
            self._launch(self.folder, list(request.command))

    def attach(self, folder: Path) -> None:
        """Watch the study in a folder, whoever started it."""
        if read_record(folder / REQUEST, Request) is not None:
            self.folder = folder
            self._timer.start()
            self.look()

    def pause(self, on: bool) -> None:
        """Hold before the next patient, or go on.

        Raises
        ------
        OutputError
            If the folder cannot be written.
        """
        if self.folder is not None:
            ask_to_pause(self.folder, on)
            self.look()

    def stop(self) -> None:
        """End before the next patient; what is done is kept.

        Raises
        ------
        OutputError
            If the folder cannot be written.
        """
        if self.folder is not None:
            ask_to_stop(self.folder)

    def shut_down(self) -> None:
        """Watch no more; the process goes on."""
        self._timer.stop()

    def look(self) -> None:
        """Look how the study stands."""
        folder = self.folder
        request = read_record(folder / REQUEST, Request) if folder is not None else None
        if folder is None or request is None:
            return
        if self._process is not None:
            self._process.poll()  # so that no dead child is taken for a living one
        status = read_record(folder / STATUS, Status)
        done, total = (status.done, status.total) if status is not None else (0, 0)
        message = status.message if status is not None else ""
        if is_alive(request):
            paused = (folder / PAUSE).exists()
            self.state = State.PAUSED if paused else State.RUNNING
            self.changed.emit(self.state, message or "Starting", done, total)
            return
        self._timer.stop()
        index = folder / INDEX
        if index.is_file() and index.stat().st_mtime >= request.time - 1:
            self.state = State.FINISHED
            self.changed.emit(self.state, "", total, total)
            self.finished.emit(folder)
            return
        self.state = State.STOPPED
        refused = status is not None and status.kind == "refused"
        said = message if refused else f"Stopped after {done} of {total} patients."
        self.changed.emit(self.state, said, done, total)

    def _launch(self, out: Path, command: Sequence[str]) -> None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name in (STATUS, PAUSE, STOP):
                (out / name).unlink(missing_ok=True)
            with (out / OUTPUT).open("ab") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=training_environment((out / STATUS).absolute()),
                    **detached(),
                )
        except OSError as error:
            raise OutputError(
                f"The study cannot be started in {out} ({error.strerror or error}): choose "
                "patients in a folder beside which you may write."
            ) from error
        write_json(out / REQUEST, {**mark_of(self._process.pid).model_dump(), "command": list(command)})
        logger.info("Started process %d: %s", self._process.pid, " ".join(command))
        self.folder = out
        self._timer.start()
        self.look()
