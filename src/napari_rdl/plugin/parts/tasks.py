"""Long work off the GUI's thread: one task at a time, or the one asked for last; with a clean end."""

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

    worker: TaskWorker
    result: Any = None
    error: Exception | None = None
    cancelled: bool = False


class TaskWorkerSignals(WorkerBaseSignals):
    """The signals of napari's workers, progress, and one signal for the end, however it came."""

    progressed = Signal(int, int, str)
    ended = Signal(object)


class TaskWorker(WorkerBase):
    """Runs one task in Qt's thread pool and turns its callbacks into signals."""

    def __init__(self, task: Task) -> None:
        super().__init__(SignalsClass=TaskWorkerSignals)
        self._task = task
        self._entered = False
        self._left = threading.Event()

    def work(self) -> None:
        """Run the task; called in the pool's thread."""
        self._entered = True
        # superqt sends every warning of a worker out as a signal; libraries' warnings are no news
        # for a radiologist, so they go to the log.
        warnings.showwarning = _log_warning  # type: ignore[assignment]
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
        self._workers: set[TaskWorker] = set()
        self._worker: TaskWorker | None = None
        self._on_done: Callable[[Any], None] | None = None
        self._on_error: Callable[[Exception], None] | None = None
        self._on_cancelled: Callable[[], None] | None = None
        self._watched = parent
        # No bound method: a slot of a Qt object that is being destroyed is never called.
        workers = self._workers
        self._at_the_end = lambda: _end(workers)
        if parent is not None:
            parent.destroyed.connect(self._at_the_end)

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
        worker = TaskWorker(task)
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
        if self._watched is not None:
            # A parent that Python's collector destroys tells of it when this function is gone already.
            self._watched.destroyed.disconnect(self._at_the_end)
            self._watched = None

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


class LatestTask(QObject):
    """Runs what was asked for last: what is asked while a task runs takes its place, and only the last does.

    Signals
    -------
    busy_changed : bool
    progressed : int, int, str
    failed : Exception
        A task that nobody asked to replace went wrong.
    """

    busy_changed = Signal(bool)
    progressed = Signal(int, int, str)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._runner = TaskRunner(self)
        self._wanted: tuple[Task, Callable[[Any], None]] | None = None
        self._runner.busy_changed.connect(self.busy_changed)
        self._runner.progressed.connect(self.progressed)

    @property
    def busy(self) -> bool:
        """Whether a task runs."""
        return self._runner.busy

    def ask(self, task: Task, on_done: Callable[[Any], None], *, let_end: bool = False) -> None:
        """Run `task` in a thread as soon as the last one has stopped, then call `on_done` on the GUI's.

        Parameters
        ----------
        let_end : bool
            Whether a task that runs may end first and its result is used, where dropping it again and
            again would never let anything be seen.
        """
        self._wanted = (task, on_done)
        if not self._runner.busy:
            self._start()
        elif not let_end:
            self._runner.cancel()

    def drop(self) -> None:
        """Want nothing any more; what runs is cancelled and its result not used."""
        self._wanted = None
        self._runner.cancel()

    def shut_down(self) -> None:
        """Stop at once: the viewer is closing."""
        self._wanted = None
        self._runner.shut_down()

    def _start(self) -> None:
        if self._wanted is None:
            return
        (task, on_done), self._wanted = self._wanted, None

        def done(result: Any) -> None:
            on_done(result)
            self._go_on()

        self._runner.start(task, done, self._on_failed, self._go_on)

    def _go_on(self) -> None:
        # What was called back may have asked for the next already.
        if not self._runner.busy:
            self._start()

    def _on_failed(self, error: Exception) -> None:
        if self._wanted is None:
            self.failed.emit(error)
        else:
            logger.info("A task that was replaced had failed", exc_info=error)
        self._go_on()


def _end(workers: set[TaskWorker]) -> None:
    for worker in workers:
        worker.quit()
    for worker in workers:
        if not worker.join(JOIN_SECONDS):
            logger.warning("A cancelled task has not ended after %g seconds.", JOIN_SECONDS)
    workers.clear()


def _log_warning(message: Warning | str, category: type[Warning], *where: object) -> None:
    logger.info("%s: %s", category.__name__, message)
