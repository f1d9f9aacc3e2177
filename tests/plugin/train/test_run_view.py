"""How a run stands, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_rdl.errors import Remedy
from napari_rdl.plugin.train.run_view import RunView, figures_in_words, sentence_of
from napari_rdl.training.run.reader import Glance, State
from napari_rdl.training.run.status import Status

RUN = Path("run")
PREPARING = Status(kind="working", message="Preparing a/b", done=1, total=3)
REFUSED = Status(kind="refused", message="No data", remedy=Remedy.GIVE_DATA)


def test_figures():
    glance = Glance(RUN, State.RUNNING, step=10, steps=600, seconds_left=355, memory_mb=300, best=0.4)
    assert figures_in_words(glance) == "Step 10 of 600 · about 6 min left · 300 MB · best Dice 0.400"


@pytest.mark.parametrize(
    ("glance", "words"),
    [
        (Glance(RUN, State.GONE), "run was moved or deleted"),
        (Glance(RUN, State.RUNNING), ""),
        (Glance(RUN, State.RUNNING, host="elsewhere"), "Runs on elsewhere"),
        (Glance(RUN, State.PREPARING), "Starting Python"),
        (Glance(RUN, State.PREPARING, status=PREPARING), "Preparing a/b (1 of 3)"),
        (Glance(RUN, State.STOPPED), ""),
        (Glance(RUN, State.STOPPED, resumable=True), "Resume goes on"),
        (Glance(RUN, State.STOPPED, killed=True), "Ended by hand"),
        (Glance(RUN, State.FAILED, began=True, problem="The loss is no number."), "The loss is no number."),
        (Glance(RUN, State.FAILED, began=True), "process died. Resume"),
        (Glance(RUN, State.FAILED, began=True, exit_code=-9), "signal 9). Often the system does so"),
        (
            Glance(RUN, State.FAILED, exit_code=2, status=REFUSED),
            "begin (exit code 2): No data: choose patients under",
        ),
        (Glance(RUN, State.FAILED, exit_code=1, log=("No module x", "")), "(exit code 1): No module x"),
        (Glance(RUN, State.FAILED), "It left no word."),
    ],
)
def test_what_is_said_beside_the_state(glance, words):
    assert words in sentence_of(glance)
    assert bool(words) is bool(sentence_of(glance))


def test_more_steps_than_qt_counts_are_shown(qtbot):
    view = RunView()
    qtbot.addWidget(view)
    view.show_glance(Glance(RUN, State.RUNNING, step=2**40, steps=2**42))
    assert view.progress_bar.value() == view.progress_bar.maximum() // 4
