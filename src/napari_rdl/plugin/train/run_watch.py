"""Looks at run folders once a second, off the GUI's thread, and says how their runs stand."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.plugin.parts.tasks import TaskRunner
from napari_rdl.training.run.growing import Curves
from napari_rdl.training.run.process import RunProcesses
from napari_rdl.training.run.reader import Glance, RunReader

logger = logging.getLogger(__name__)

INTERVAL_MS = 1000
LIST_EVERY = 5
"""The folder of runs is listed at every so many looks."""


class RunWatch(QObject):
    """Follows the runs in a folder: one closely, some for their curves, the others now and then.

    Signals
    -------
    looked : list of Glance, bool
        Every run that was looked at; whether these are all there are.
    """

    looked = Signal(list, bool)

    def __init__(self, processes: RunProcesses, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._processes = processes
        self._readers: dict[Path, RunReader] = {}
        self._runs_folder: Path | None = None
        self._extra: tuple[Path, ...] = ()
        self._close: tuple[Path, ...] = ()
        self._turn = 0
        self._tasks = TaskRunner(self)
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.look)

    def watch(self, runs_folder: Path | None, extra: Iterable[Path], close: Iterable[Path]) -> None:
        """Watch a folder of runs and runs from elsewhere; those in `close` every second."""
        self._runs_folder, self._extra, self._close = runs_folder, tuple(extra), tuple(close)
        self._turn = 0
        self._timer.start()
        self.look()

    def curves(self, folder: Path) -> Curves:
        """Return the curves of a run as they were read so far."""
        reader = self._readers.get(folder)
        return reader.curves if reader is not None else Curves()

    def config(self, folder: Path) -> dict[str, Any]:
        """Return the configuration of a run as it was read."""
        reader = self._readers.get(folder)
        return reader.config if reader is not None else {}

    def look(self) -> None:
        """Look now, unless a look is under way."""
        if self._tasks.busy:
            return
        whole = self._turn % LIST_EVERY == 0
        self._turn += 1
        folder, extra, close = self._runs_folder, self._extra, self._close

        def read(_progress: Progress, cancelled: IsCancelled) -> list[Glance]:
            found = list(dict.fromkeys([*(_runs(folder, extra) if whole else ()), *close]))
            glances = []
            for path in found:
                if cancelled():
                    break
                reader = self._readers.setdefault(path, RunReader(path))
                glance = reader.look(exit_code=self._processes.exit_code(path))
                while glance.more and not cancelled():
                    glance = reader.look(exit_code=self._processes.exit_code(path))
                glances.append(glance)
            return glances

        self._tasks.start(read, lambda glances: self.looked.emit(glances, whole), self._on_error)

    def shut_down(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._tasks.shut_down()

    def _on_error(self, error: Exception) -> None:
        logger.error("The runs could not be looked at", exc_info=error)


def _runs(folder: Path | None, extra: Iterable[Path]) -> list[Path]:
    """Return the runs in a folder, the newest first, and those from elsewhere."""
    found: list[tuple[float, Path]] = []
    if folder is not None:
        try:
            for item in folder.iterdir():
                # A folder with a configuration is a run; one with a request is about to be one.
                for name in ("config.json", "request.json"):
                    path = item / name
                    if path.is_file():
                        found.append((path.stat().st_mtime, item))
                        break
        except OSError as error:
            logger.info("%s cannot be listed (%s).", folder, error)
    return [*(path for _, path in sorted(found, reverse=True)), *extra]
