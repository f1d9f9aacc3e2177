"""How long a window takes to answer: measured beside a training that **Train model** watches."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop, QTimer

from napari_rdl.errors import NapariRdlError
from napari_rdl.plugin.train.memory import TrainMemory
from napari_rdl.plugin.train.run_view import sentence_of
from napari_rdl.plugin.train.widget import RUNS, TrainWidget
from napari_rdl.training.run.process import RunPlan, kill
from napari_rdl.training.run.reader import State

if TYPE_CHECKING:
    from napari.viewer import Viewer

_POLL_MS = 50
ENDLESS = RunPlan(
    "laptop",
    {
        "name": "bench",
        "data.source": "phantom:4",
        "data.spacing": (4.0, 4.0, 4.0),
        "data.crop": (16, 16, 16),
        "data.workers": 0,
        "data.folds": 2,
        "network.channels": (4, 8),
        "network.groups": 2,
        "optimizer.max_steps": 1_000_000,
        "validation.every": 20,
        "validation.patients": 1,
        "run.log_every": 1,
        "run.checkpoint_every": 20,
        "hardware.device": "cpu",
        "hardware.threads": 1,
    },
)
"""A training that is as busy with its folder as one can be: a line at each of its short steps."""


def gaps_beside_a_run(
    viewer: Viewer, folder: Path, seconds: float, *, plan: RunPlan = ENDLESS, limit: float = 300.0
) -> list[float]:
    """Watch a training for some seconds and return the gaps between the turns of Qt's loop.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Its window is shown.
    folder : Path
        An empty folder, for the run and for what the widget remembers.
    seconds : float
        How long to measure.
    plan : RunPlan
    limit : float
        Seconds that the training may take to begin.

    Returns
    -------
    list of float
        Seconds; the longest is the longest that a click would have waited.

    Raises
    ------
    NapariRdlError
        If the training does not begin, or does not go on.
    """
    widget = TrainWidget(viewer, memory=TrainMemory(folder / "train_model.json"))
    run = folder / "runs" / "bench"
    viewer.window.add_dock_widget(widget, name="Train model")
    widget.tabs.setCurrentIndex(RUNS)
    try:
        widget.runs.processes.start(plan, run)
        widget.show_run(run)

        def settled() -> bool:
            glance = widget.glance()
            if glance is not None and glance.state in (State.FAILED, State.GONE):
                raise NapariRdlError(
                    f"The training that was to be watched did not run: {sentence_of(glance)}"
                )
            return glance is not None and glance.step > 1 and bool(widget.runs.run_view.curves.drawn)

        if not _wait_for(settled, limit):
            raise NapariRdlError(f"The training that was to be watched did not begin within {limit:.0f} s.")
        before = widget.glance()
        gaps = turn_gaps(seconds)
        after = widget.glance()
        if before is None or after is None or after.step <= before.step:
            raise NapariRdlError("The training that was to be watched did not go on.")
        return gaps
    finally:
        kill(run)
        widget.shut_down()


def turn_gaps(seconds: float) -> list[float]:
    """Let Qt's loop turn for some seconds; return the seconds between one turn and the next."""
    times: list[float] = []
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: times.append(perf_counter()))
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    timer.start(0)
    loop.exec()
    timer.stop()
    return [after - before for before, after in pairwise(times)]


def _wait_for(done: Callable[[], bool], limit: float) -> bool:
    """Let Qt's loop turn until `done`; False if that took too long."""
    started = monotonic()
    while not done():
        if monotonic() - started > limit:
            return False
        loop = QEventLoop()
        QTimer.singleShot(_POLL_MS, loop.quit)
        loop.exec()
    return True
