"""What is asked of a study that runs as a process of its own: files in its folder, as for a training."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil

from napari_rdl.callbacks import Progress
from napari_rdl.errors import OutputError

PAUSE, STOP = "PAUSE", "STOP"
"""Files: hold before the next patient while it is there; end before the next patient."""

_LOOK = 0.5
"""Seconds between two looks while it holds."""


def ask_to_pause(folder: Path, pause: bool) -> None:
    """Ask a study to hold before its next patient, or to go on.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    _ask(folder / PAUSE, pause)


def ask_to_stop(folder: Path) -> None:
    """Ask a study to end before its next patient; what is done is kept, and it can go on later.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    _ask(folder / STOP, True)


class Asked:
    """Hears what is asked of the study in a folder; what was asked before this process began is forgotten."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        began = psutil.Process().create_time()
        for name in (PAUSE, STOP):
            with contextlib.suppress(FileNotFoundError):
                if (folder / name).stat().st_mtime < began - 1:
                    (folder / name).unlink()

    def cancelled(self) -> bool:
        """Return whether the study is to end."""
        return (self._folder / STOP).exists()

    def holding(self, progress: Progress) -> Progress:
        """Return `progress` with a wait in it while the study is to hold."""

        def tell(done: int, total: int, message: str) -> None:
            while (self._folder / PAUSE).exists() and not self.cancelled():
                progress(done, total, "Paused")
                time.sleep(_LOOK)
            progress(done, total, message)

        return tell

    def forget(self) -> None:
        """Take away what was asked, once it was done."""
        for name in (PAUSE, STOP):
            (self._folder / name).unlink(missing_ok=True)


def _ask(path: Path, on: bool) -> None:
    try:
        path.touch() if on else path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}), so the study does not hear of it."
        ) from error
