"""Waiting for work in a thread where an answer is owed at once: the window stays alive meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_rdl.callbacks import Progress

Result = TypeVar("Result")

_POLL_MS = 30


def while_the_window_lives(
    work: Callable[[Progress], Result], show: Progress | None = None, *, takes_input: bool = True
) -> Result:
    """Return what `work` returns; with a window it works in a thread, and the window is drawn meanwhile.

    For callers that must answer before they return: napari's readers, a question before the window closes.
    All else is better a task.

    Parameters
    ----------
    work : callable
        Takes ``progress(done, total, message)``.
    show : callable, optional
        Shows progress; called on the GUI's thread.
    takes_input : bool
        Whether the user may go on clicking meanwhile.

    Raises
    ------
    Exception
        Whatever `work` raises.
    """
    state: dict[str, tuple[int, int, str]] = {}

    def report(done: int, total: int, message: str) -> None:
        state["now"] = (done, total, message)

    if QApplication.instance() is None:
        return work(report)
    loop, timer = QEventLoop(), QTimer()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, report)

        def look() -> None:
            if future.done():
                loop.quit()
            elif show is not None and "now" in state:
                show(*state.pop("now"))

        timer.timeout.connect(look)
        timer.start(_POLL_MS)
        flags = QEventLoop.ProcessEventsFlag
        loop.exec(flags.AllEvents if takes_input else flags.ExcludeUserInputEvents)
        timer.stop()
        return future.result()
