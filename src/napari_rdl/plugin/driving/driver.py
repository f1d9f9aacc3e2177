"""A napari window driven from code as a user would: what is asked, and when it stands on the screen."""

from __future__ import annotations

import ctypes
import gc
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import napari
import psutil
from qtpy.QtCore import QEvent, QEventLoop, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication, QMainWindow

from napari_rdl.errors import NapariRdlError
from napari_rdl.plugin.segment.demo import dock_segment

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.widget import SegmentWidget

WINDOW = (1500, 940)
"""Width and height in pixels."""

_POLL_MS = 25
_NUDGE_SECONDS = 0.25


class Driver:
    """One window with **Segment tumour** in it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    widget : SegmentWidget
    """

    def __init__(self, viewer: Viewer, widget: SegmentWidget) -> None:
        self.viewer = viewer
        self.widget = widget
        self.window = main_window(widget)
        self._canvas = self.window.centralWidget().findChild(QOpenGLWidget)

    @property
    def resting(self) -> bool:
        """Whether no patient is read, no network runs and no volume is on its way."""
        return not (self.widget.tasks.busy or self.widget.updater.pending)

    @property
    def renderer(self) -> str:
        """What draws, in OpenGL's words."""
        from OpenGL import GL

        self._canvas.makeCurrent()
        said = GL.glGetString(GL.GL_RENDERER)
        self._canvas.doneCurrent()
        return said.decode() if isinstance(said, bytes) else str(said)

    def redraw(self) -> None:
        """Have the canvas drawn again, with nothing changed."""
        self._canvas.update()

    def ask(self, act: Callable[[], object], done: Callable[[], bool] | None = None) -> float:
        """Do something; return the seconds until it stands on the screen.

        Parameters
        ----------
        act : callable
            What a user does.
        done : callable, optional
            Whether the next picture shows what was asked for; the very next one does, by default.

        Raises
        ------
        NapariRdlError
            If a message of the widget says that something went wrong.
        """
        started = perf_counter()
        act()
        return self.drawn(done) - started

    def drawn(self, done: Callable[[], bool] | None = None, limit: float = 300.0) -> float:
        """Let Qt's loop turn until the canvas is drawn and swapped with `done`; return when that was."""
        loop, poll = QEventLoop(), QTimer()
        began = perf_counter()
        reached: list[float] = []
        since: list[float] = []

        def swapped() -> None:
            if not reached and (done is None or done()):
                reached.append(perf_counter())
                loop.quit()

        def look() -> None:
            now = perf_counter()
            if now - began > limit:
                loop.quit()
            elif done is None or done():
                # What changes nothing that is drawn brings no picture of its own.
                since.append(now)
                if now - since[0] > _NUDGE_SECONDS:
                    self._canvas.update()

        self._canvas.frameSwapped.connect(swapped)
        poll.timeout.connect(look)
        poll.start(_POLL_MS)
        loop.exec()
        poll.stop()
        self._canvas.frameSwapped.disconnect(swapped)
        if not reached:
            said = "; ".join(map(str, self.widget.messages.messages))
            raise NapariRdlError(f"The window did not show what was asked for within {limit:.0f} s. {said}")
        return reached[0]

    def rest(self, seconds: float = 0.0) -> None:
        """Let Qt's loop turn until nothing is at work, and for some seconds more."""
        self.drawn(lambda: self.resting)
        loop = QEventLoop()
        QTimer.singleShot(int(seconds * 1000), loop.quit)
        loop.exec()


def megabytes() -> float:
    """Return the process's memory once all that can go has gone."""
    for _ in range(2):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
    if sys.platform == "linux":
        # What the allocator keeps for the next patient is no leak, but would look like one.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return psutil.Process().memory_info().rss / 1e6


def copied(patient: Path, folder: Path) -> Path:
    """Copy a patient's files into a folder that is made: another patient, as far as anybody can tell."""
    folder.mkdir()
    for file in patient.iterdir():
        if file.is_file():
            shutil.copyfile(file, folder / file.name)
    return folder


@contextmanager
def driven_window(*, model: Path | None = None, device: str = "cpu") -> Iterator[Driver]:
    """Open a window with **Segment tumour**, and close it at the end."""
    viewer = napari.Viewer(title="napari-rdl", show=False)
    try:
        widget = dock_segment(viewer, model=model, device=device)
        window = main_window(widget)
        window.resize(*WINDOW)
        window.show()
        yield Driver(viewer, widget)
        widget.shut_down()
    finally:
        viewer.close()


def main_window(widget: SegmentWidget) -> QMainWindow:
    """Return the window that a widget is docked in."""
    window = widget.window()
    if not isinstance(window, QMainWindow):
        raise NapariRdlError("The widget is in no window.")
    return window
