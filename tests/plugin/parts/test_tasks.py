"""Tasks off the GUI's thread: results, errors, progress, cancel, and the end of the widget."""

from __future__ import annotations

import threading
import warnings

import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QObject, QThread

from napari_rdl.errors import Cancelled
from napari_rdl.plugin.parts.tasks import LatestTask, TaskRunner


@pytest.fixture
def runner(qapp):
    runner = TaskRunner()
    yield runner
    runner.shut_down()


class Ends:
    """What a task's end was."""

    def __init__(self) -> None:
        self.results: list[object] = []
        self.errors: list[Exception] = []
        self.cancelled = 0

    def start(self, runner: TaskRunner, task) -> None:
        runner.start(task, self.results.append, self.errors.append, self.count)

    def count(self) -> None:
        self.cancelled += 1

    @property
    def all(self) -> int:
        return len(self.results) + len(self.errors) + self.cancelled


def until_cancelled(progress, cancelled):
    while not cancelled():
        QThread.msleep(1)
    raise Cancelled


def test_a_result_comes_back_on_the_gui_thread(runner, qtbot):
    threads = []

    def task(progress, cancelled):
        threads.append(threading.current_thread())
        return 42

    ends = Ends()
    runner.start(
        task, lambda result: ends.results.append((result, threading.current_thread())), ends.errors.append
    )
    assert runner.busy
    qtbot.waitUntil(lambda: ends.all == 1)
    assert ends.results == [(42, threading.main_thread())]
    assert threads[0] is not threading.main_thread()
    assert not runner.busy


def test_progress_is_passed_on(runner, qtbot):
    steps = []
    runner.progressed.connect(lambda *step: steps.append(step))

    def task(progress, cancelled):
        for done in range(3):
            progress(done, 3, "counting")

    ends = Ends()
    ends.start(runner, task)
    qtbot.waitUntil(lambda: ends.all == 1)
    assert steps == [(0, 3, "counting"), (1, 3, "counting"), (2, 3, "counting")]


def test_an_error_is_handed_over(runner, qtbot):
    def task(progress, cancelled):
        raise KeyError("gone")

    ends = Ends()
    ends.start(runner, task)
    qtbot.waitUntil(lambda: ends.all == 1)
    assert isinstance(ends.errors[0], KeyError)


def test_cancel_ends_the_task_and_says_so_once(runner, qtbot):
    ends = Ends()
    ends.start(runner, until_cancelled)
    runner.cancel()
    qtbot.waitUntil(lambda: not runner.busy)
    assert (ends.cancelled, ends.all) == (1, 1)


def test_a_result_that_comes_after_cancel_is_not_used(runner, qtbot):
    def deaf(progress, cancelled):
        while not cancelled():
            QThread.msleep(1)
        return "too late"

    ends = Ends()
    ends.start(runner, deaf)
    runner.cancel()
    qtbot.waitUntil(lambda: not runner.busy)
    assert ends.results == []
    assert ends.cancelled == 1


def test_one_task_at_a_time_and_the_next_may_start_from_the_end_of_the_last(runner, qtbot):
    ends = Ends()
    ends.start(runner, until_cancelled)
    with pytest.raises(RuntimeError):
        ends.start(runner, until_cancelled)
    runner.cancel()
    qtbot.waitUntil(lambda: not runner.busy)

    def again(result):
        ends.start(runner, lambda progress, cancelled: result + 1)

    runner.start(lambda progress, cancelled: 1, again, ends.errors.append)
    qtbot.waitUntil(lambda: ends.results == [2])


def test_shutting_down_waits_for_the_task_and_calls_nobody(runner, qtbot):
    entered, left = threading.Event(), threading.Event()

    def task(progress, cancelled):
        entered.set()
        while not cancelled():
            QThread.msleep(1)
        left.set()
        raise Cancelled

    ends = Ends()
    ends.start(runner, task)
    qtbot.waitUntil(entered.is_set)
    runner.shut_down()
    assert left.is_set()
    qtbot.wait(20)
    assert ends.all == 0


def test_a_parent_that_is_destroyed_ends_its_tasks(qapp, qtbot):
    entered, left = threading.Event(), threading.Event()

    def task(progress, cancelled):
        entered.set()
        while not cancelled():
            QThread.msleep(1)
        left.set()
        raise Cancelled

    parent = QObject()
    ends = Ends()
    ends.start(TaskRunner(parent), task)
    qtbot.waitUntil(entered.is_set)
    parent.deleteLater()
    qtbot.waitUntil(left.is_set)
    assert ends.all == 0


def test_a_library_warning_is_logged_and_not_shown(runner, qtbot, caplog):
    def task(progress, cancelled):
        warnings.warn("of no interest to a radiologist", UserWarning, stacklevel=1)

    ends = Ends()
    with caplog.at_level("INFO"):
        ends.start(runner, task)
        qtbot.waitUntil(lambda: ends.all == 1)
    assert "of no interest" in caplog.text


# --- the one asked for last


@pytest.fixture
def latest(qapp):
    parent = QObject()
    task = LatestTask(parent)
    yield task
    task.shut_down()
    # Here and now, and not whenever some thread happens to collect garbage.
    parent.deleteLater()
    QCoreApplication.sendPostedEvents(parent, QEvent.Type.DeferredDelete)


def test_of_many_asked_while_one_runs_only_the_last_is_made(latest, qtbot):
    made, shown = [], []
    latest.ask(until_cancelled, shown.append)

    def making(name):
        return lambda progress, cancelled: made.append(name) or name

    for name in "abc":
        latest.ask(making(name), shown.append)
    qtbot.waitUntil(lambda: not latest.busy)
    assert (made, shown) == (["c"], ["c"])


def test_a_task_that_may_end_is_shown_before_the_next(latest, qtbot):
    gate = threading.Event()
    shown = []

    def first(progress, cancelled):
        gate.wait(10)
        return "first"

    latest.ask(first, shown.append)
    latest.ask(lambda *_: "skipped", shown.append, let_end=True)
    latest.ask(lambda *_: "last", shown.append, let_end=True)
    gate.set()
    qtbot.waitUntil(lambda: not latest.busy)
    assert shown == ["first", "last"]


def test_what_is_dropped_is_not_shown_and_not_followed(latest, qtbot):
    shown = []
    latest.ask(until_cancelled, shown.append)
    latest.ask(lambda *_: "next", shown.append)
    latest.drop()
    qtbot.waitUntil(lambda: not latest.busy)
    assert shown == []


def test_only_the_failure_of_what_is_still_wanted_is_told(latest, qtbot):
    failures, shown = [], []
    latest.failed.connect(failures.append)

    def fail_when_cancelled(progress, cancelled):
        while not cancelled():
            QThread.msleep(1)
        raise ValueError("of no interest")

    def fail(progress, cancelled):
        raise ValueError("told")

    latest.ask(fail_when_cancelled, shown.append)
    latest.ask(fail, shown.append)
    qtbot.waitUntil(lambda: not latest.busy)
    assert ([str(error) for error in failures], shown) == (["told"], [])


def test_the_next_may_be_asked_from_the_end_of_the_last(latest, qtbot):
    shown = []

    def again(result):
        shown.append(result)
        latest.ask(lambda *_: 2, shown.append)

    latest.ask(lambda *_: 1, again)
    qtbot.waitUntil(lambda: shown == [1, 2])
