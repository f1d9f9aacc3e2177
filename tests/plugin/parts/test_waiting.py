"""Waiting for a thread: the window is drawn meanwhile, and results and errors come back."""

from __future__ import annotations

import threading

import pytest
from qtpy.QtCore import QTimer

from napari_rdl.plugin.parts.waiting import while_the_window_lives


def test_the_window_lives_while_a_thread_works(qapp):
    turns, threads = [], []
    timer = QTimer()
    timer.timeout.connect(lambda: turns.append(1))
    timer.start(1)
    enough = threading.Event()
    timer.timeout.connect(lambda: len(turns) > 3 and enough.set())

    def work(progress):
        threads.append(threading.current_thread())
        assert enough.wait(10), "Qt's loop does not turn"
        return "done"

    assert while_the_window_lives(work) == "done"
    assert threads != [threading.main_thread()]


def test_progress_is_shown_on_the_gui_thread(qapp):
    seen = []
    shown = threading.Event()

    def show(*values):
        seen.append((values, threading.current_thread()))
        shown.set()

    def work(progress):
        progress(1, 2, "half")
        assert shown.wait(10)

    while_the_window_lives(work, show)
    assert seen == [((1, 2, "half"), threading.main_thread())]


def test_an_error_comes_back(qapp):
    def work(progress):
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        while_the_window_lives(work)
