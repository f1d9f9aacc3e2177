"""A soak: a day's work in one window, and what it leaves behind in memory, handles and threads."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.errors import NapariRdlError
from napari_rdl.plugin.compare.widget import CompareWidget
from napari_rdl.plugin.correct.widget import CorrectWidget
from napari_rdl.plugin.driving.driver import Driver, copied, megabytes
from napari_rdl.plugin.settings import PLUGIN_NAME
from napari_rdl.plugin.train.memory import TrainMemory
from napari_rdl.plugin.train.responsiveness import ENDLESS
from napari_rdl.plugin.train.widget import RUNS, TrainWidget
from napari_rdl.training.run.process import kill

RUN_COUNT = 2

_SETTLE = 1.2
"""Seconds, more than what waits for a quiet moment waits."""


@dataclass(frozen=True)
class Soaked:
    """What a soak found.

    Attributes
    ----------
    flips, patients, runs : int
        What was done.
    megabytes, handles, threads : tuple
        Once warm, and at the end, with the same widgets open.
    layers : int
        Layers at the end beyond those of one patient.
    """

    flips: int
    patients: int
    runs: int
    megabytes: tuple[float, float]
    handles: tuple[int, int]
    threads: tuple[int, int]
    layers: int

    @property
    def growth(self) -> float:
        """By which share memory grew."""
        before, after = self.megabytes
        return after / before - 1


def soak(
    driver: Driver,
    patient: Path,
    *,
    flips: int = 200,
    patients: int = 20,
    runs: int = RUN_COUNT,
    warm: int = 3,
    progress: Progress = ignore_progress,
) -> Soaked:
    """Work through patients in one window.

    Each patient is a copy in a folder of its own: opened, run, flipped, seen side by side and in 3D, its
    subsets compared, a correction begun and dropped. Trainings go on meanwhile and are watched in turns.
    Memory is counted after the first `warm` patients and after the last, earlier ones let go each time.

    Parameters
    ----------
    driver : Driver
        A window that holds no patient yet.
    patient : Path
        A patient's folder.
    flips : int
        In all, shared among the patients.

    Raises
    ------
    NapariRdlError
        If the window does not come to show something, or a training does not begin.
    """
    viewer, widget = driver.viewer, driver.widget
    # One patient is kept, as after a long day with a full cache.
    widget.session.set_budget(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        home = Path(name)
        _, compare = viewer.window.add_plugin_dock_widget(PLUGIN_NAME, "Compare subsets")
        _, correct = viewer.window.add_plugin_dock_widget(PLUGIN_NAME, "Correct labels")
        assert isinstance(compare, CompareWidget)
        assert isinstance(correct, CorrectWidget)
        train = TrainWidget(viewer, memory=TrainMemory(home / "train_model.json"))
        viewer.window.add_dock_widget(train, name="Train model")
        train.tabs.setCurrentIndex(RUNS)
        folders = [home / "runs" / f"run-{number}" for number in range(runs)]
        try:
            for folder in folders:
                train.runs.processes.start(ENDLESS, folder)
            counts: list[tuple[float, int, int]] = []
            for number in range(patients):
                progress(number, patients, f"Patient {number + 1}")
                if folders:
                    train.show_run(folders[number % len(folders)])
                share = flips * (number + 1) // patients - flips * number // patients
                _work_through(driver, compare, correct, copied(patient, home / f"patient-{number}"), share)
                if number > 0:
                    shutil.rmtree(home / f"patient-{number - 1}", ignore_errors=True)
                if number + 1 in (min(warm, patients - 1), patients):
                    counts.append(_count(driver))
            layers = len(viewer.layers) - 1 - len(widget.switches.switches)
            return Soaked(
                flips,
                patients,
                runs,
                (counts[0][0], counts[-1][0]),
                (counts[0][1], counts[-1][1]),
                (counts[0][2], counts[-1][2]),
                layers,
            )
        finally:
            for folder in folders:
                with suppress(NapariRdlError):
                    kill(folder)
            for one in (train, correct, compare):
                one.shut_down()
            progress(patients, patients, "")


def _work_through(
    driver: Driver, compare: CompareWidget, correct: CorrectWidget, folder: Path, flips: int
) -> None:
    widget, viewing = driver.widget, driver.widget.viewing
    runner = compare.comparison.runner

    def rested() -> bool:
        return driver.resting and not (runner.busy or runner.measuring or correct.desk.busy)

    def opened() -> bool:
        case = widget.session.case
        return case is not None and case.name == folder.name and driver.resting

    driver.ask(lambda: widget.open_patient(folder), opened)
    driver.ask(widget.run, lambda: widget.session.representations is not None and rested())
    names = tuple(widget.switches.switches)
    for number in range(flips):
        widget.session.flip(names[number // 2 % len(names)])
        driver.drawn(lambda: driver.resting)
    for box in (viewing.box.grid_box, viewing.box.surfaces_box):
        for on in (True, False):
            box.setChecked(on)
            driver.drawn(lambda: rested() and not viewing.spatial.worker.busy)
    correct.begin()
    driver.drawn(rested)
    layer = correct.desk.layer
    if layer is not None:
        middle = tuple(size // 2 for size in layer.data.shape)
        layer.paint(middle, 1)
        driver.drawn(rested)
        correct.undo()
    widget.saving.corrected.let_go()
    driver.drawn(rested)


def _count(driver: Driver) -> tuple[float, int, int]:
    """Return memory in MB, open handles and threads, once all that can go has gone."""
    driver.rest(_SETTLE)
    held = megabytes()
    process = psutil.Process()
    handles = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    return held, handles, process.num_threads()
