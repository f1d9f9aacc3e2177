"""Long work off the GUI's thread: one task at a time, with progress, cancel and a clean end."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import WorkerBase, WorkerBaseSignals
from qtpy.QtCore import QObject, Signal

from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.errors import Cancelled

logger = logging.getLogger(__name__)

Task = Callable[[Progress, IsCancelled], Any]
"""Work that takes ``progress(done, total, message)`` and ``cancelled()`` and returns its result."""

JOIN_SECONDS = 10.0
"""How long a closing window waits for a task to notice that it was cancelled."""


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with a result, with an error, or cancelled."""

    worker: SegmentWorker
    result: Any = None
    error: Exception | None = None
    cancelled: bool = False


class SegmentWorkerSignals(WorkerBaseSignals):
    """The signals of napari's workers, progress, and one signal for the end, however it came."""

    progressed = Signal(int, int, str)
    ended = Signal(object)


class SegmentWorker(WorkerBase):
    """Runs one task in Qt's thread pool and turns its callbacks into signals."""

    def __init__(self, task: Task) -> None:
        super().__init__(SignalsClass=SegmentWorkerSignals)
        self._task = task
        self._entered = False
        self._left = threading.Event()

    def work(self) -> None:
        """Run the task; called in the pool's thread."""
        self._entered = True
        # superqt sends every warning of a worker out as a signal; libraries' warnings are no news
        # for a radiologist, so they go to the log.
        warnings.showwarning = _log_warning
        try:
            if self.abort_requested:
                raise Cancelled
            outcome = Outcome(self, result=self._task(self._report, lambda: self.abort_requested))
        except Cancelled:
            outcome = Outcome(self, cancelled=True)
        except Exception as error:
            outcome = Outcome(self, error=error)
        finally:
            self._left.set()
        if self.abort_requested:
            outcome = Outcome(self, cancelled=True)
        self._say(self.signals.ended, outcome)

    def join(self, seconds: float) -> bool:
        """Wait until the task has left its thread; True if it did within `seconds`."""
        return not self._entered or self._left.wait(seconds)

    def _report(self, done: int, total: int, message: str) -> None:
        if not self.abort_requested:
            self._say(self.signals.progressed, done, total, message)

    def _say(self, signal: Any, *values: object) -> None:
        try:
            signal.emit(*values)
        except RuntimeError:  # the signals' Qt object went away with the application
            self.quit()


class TaskRunner(QObject):
    """Runs one task at a time for a widget; all signals arrive on the GUI's thread.

    Signals
    -------
    busy_changed : bool
        A task was started, or the last one has ended, however it ended.
    progressed : int, int, str
        Steps done, steps in all, what is being done.
    """

    busy_changed = Signal(bool)
    progressed = Signal(int, int, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workers: set[SegmentWorker] = set()
        self._worker: SegmentWorker | None = None
        self._on_done: Callable[[Any], None] | None = None
        self._on_error: Callable[[Exception], None] | None = None
        self._on_cancelled: Callable[[], None] | None = None
        if parent is not None:
            # No bound method: a slot of a Qt object that is being destroyed is never called.
            workers = self._workers
            parent.destroyed.connect(lambda: _end(workers))

    @property
    def busy(self) -> bool:
        """Whether a task runs."""
        return self._worker is not None

    def start(
        self,
        task: Task,
        on_done: Callable[[Any], None],
        on_error: Callable[[Exception], None],
        on_cancelled: Callable[[], None] | None = None,
    ) -> None:
        """Start `task`; exactly one of the three functions is called when it ends.

        Raises
        ------
        RuntimeError
            If a task still runs.
        """
        if self.busy:
            raise RuntimeError("The last task has not ended yet.")
        self._on_done, self._on_error, self._on_cancelled = on_done, on_error, on_cancelled
        worker = SegmentWorker(task)
        self._worker = worker
        self._workers.add(worker)
        worker.signals.progressed.connect(self.progressed)
        worker.signals.ended.connect(self._ended)
        self.busy_changed.emit(True)
        worker.start()

    def cancel(self) -> None:
        """Ask the running task to end; it does so at its next step."""
        if self._worker is not None:
            self._worker.quit()

    def shut_down(self) -> None:
        """Cancel the running task, wait until it has ended, and call nobody back."""
        self._on_done = self._on_error = self._on_cancelled = None
        _end(self._workers)
        self._worker = None

    def _ended(self, outcome: Outcome) -> None:
        self._workers.discard(outcome.worker)
        if outcome.worker is not self._worker:
            return
        on_done, on_error, on_cancelled = self._on_done, self._on_error, self._on_cancelled
        self._worker = None
        self._on_done = self._on_error = self._on_cancelled = None
        self.busy_changed.emit(False)
        if outcome.cancelled:
            if on_cancelled is not None:
                on_cancelled()
        elif outcome.error is not None:
            if on_error is not None:
                on_error(outcome.error)
        elif on_done is not None:
            on_done(outcome.result)


def _end(workers: set[SegmentWorker]) -> None:
    for worker in workers:
        worker.quit()
    for worker in workers:
        if not worker.join(JOIN_SECONDS):
            logger.warning("A cancelled task has not ended after %g seconds.", JOIN_SECONDS)
    workers.clear()


def _log_warning(message: Warning | str, category: type[Warning], *where: object) -> None:
    logger.info("%s: %s", category.__name__, message)
