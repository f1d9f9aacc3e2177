"""The dock widget **Train model**: sets up trainings, watches them, and puts what they made to use."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from napari_rdl.errors import NapariRdlError
from napari_rdl.plugin.parts.dock import GAP, MARGIN, DockWidget
from napari_rdl.plugin.parts.questions import ask_about_runs, ask_to_kill
from napari_rdl.plugin.parts.tasks import TaskRunner
from napari_rdl.plugin.segment.open_widgets import open_segment_widget
from napari_rdl.plugin.train.checkpoint_use import CheckpointUse
from napari_rdl.plugin.train.dry_check import DryCheck
from napari_rdl.plugin.train.memory import TrainMemory
from napari_rdl.plugin.train.run_list import RunList
from napari_rdl.plugin.train.run_view import RunView
from napari_rdl.plugin.train.run_watch import RunWatch
from napari_rdl.plugin.train.setup import TRY_IT, TrainSetup
from napari_rdl.plugin.train.use_box import UseBox
from napari_rdl.training.run import process as run_process
from napari_rdl.training.run.process import RunPlan, RunProcesses
from napari_rdl.training.run.reader import Glance, State

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.widget import SegmentWidget

logger = logging.getLogger(__name__)

SETUP, RUNS = 0, 1
MOST_COMPARED = 8


class TrainWidget(DockWidget):
    """Set up, start, watch, resume and use training runs.

    A run is a process of its own and is watched through its folder alone, so it does not matter which viewer
    started it, or whether one did.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    memory : TrainMemory, optional
        Where choices are kept in place of the user's own.

    Signals
    -------
    looked : Glance
        How the run shown stands, at each look.
    """

    looked = Signal(object)

    def __init__(self, napari_viewer: Viewer, *, memory: TrainMemory | None = None) -> None:
        super().__init__(napari_viewer)
        self._memory = memory or TrainMemory()
        remembered = self._memory.choices
        self._shown: Path | None = None
        self._glances: dict[Path, Glance] = {}
        self._drawn: object = None
        self.processes = RunProcesses()
        self.tasks = TaskRunner(self)
        self.check = DryCheck(self)
        self.watch = RunWatch(self.processes, self)

        self.setup = TrainSetup(remembered)
        self.run_list = RunList()
        self.run_view = RunView()
        self.use_box = UseBox()
        self._use = CheckpointUse(self, self.tasks, self.messages, self.segment_with, self.say_error)
        self._lay_out()
        self._connect()
        self._take_theme()
        self.run_list.set_folder(remembered.runs_folder)
        self._shown = remembered.shown
        self._watch_runs()

    # --- What can be asked of the widget from code, as from its buttons

    @property
    def shown(self) -> Path | None:
        """The folder of the run that is shown."""
        return self._shown

    def glance(self, folder: Path | None = None) -> Glance | None:
        """Return how a run stood when it was last looked at; by default the one shown."""
        path = folder or self._shown
        return self._glances.get(path) if path is not None else None

    def start(self) -> None:
        """Start the run that is set up."""
        self._remember_setup()
        self._start(self.setup.plan, self.setup.place.folder)

    def try_it(self) -> None:
        """Start the toy run."""
        folder = self._memory.choices.runs_folder
        number = 1
        while (folder / f"try-{number}").exists():
            number += 1
        name = f"try-{number}"
        self._start(RunPlan(TRY_IT.recipe, {**TRY_IT.changes, "name": name}), folder / name)

    def show_run(self, folder: Path) -> None:
        """Show a run, whoever started it, in place of the one shown."""
        self._shown = folder
        self._drawn = None
        self._memory.remember(shown=folder)
        self.tabs.setCurrentIndex(RUNS)
        self._watch_runs()

    def resume(self) -> None:
        """Go on with the run shown."""
        if self._shown is not None:
            self._do(lambda: self.processes.resume(self._shown), "resume")

    def segment_with(self, checkpoint: Path) -> SegmentWidget:
        """Choose a checkpoint in Segment tumour, which is opened if need be."""
        widget = open_segment_widget(self._viewer)
        widget.run_box.choose_model(checkpoint)
        return widget

    def may_close(self) -> bool:
        """Return whether napari may close: asks what becomes of trainings that go on."""
        alive = self.run_list.alive()
        if not alive:
            return True
        answer = ask_about_runs(self, [path.name for path in alive])
        if answer == "stop":
            for path in alive:
                self._do(lambda path=path: run_process.ask_to_stop(path), "stop")
        return answer != "cancel"

    def stop(self) -> None:
        """Stop watching; runs go on."""
        self.watch.shut_down()
        self.check.cancel()
        self.tasks.shut_down()
        self.run_view.curves.tasks.shut_down()
        self._remember_setup()
        self._viewer.events.theme.disconnect(self._take_theme)

    # --- Putting together

    def _lay_out(self) -> None:
        self.tabs = QTabWidget()
        self._runs_page = QWidget()
        self._runs_column = QVBoxLayout(self._runs_page)
        self._runs_column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        self._runs_column.setSpacing(GAP)
        for part in (self.run_list, self.run_view, self.run_view.details, self.use_box):
            self._runs_column.addWidget(part)
        self._runs_column.addStretch(1)
        for title, tip, page in (
            ("Set up", "Data, recipe, settings, and where a new run is put", self.setup),
            ("Runs", "Runs that go on or have ended", self._runs_page),
        ):
            number = self.tabs.addTab(self.scrolled(page), title)
            self.tabs.setTabToolTip(number, tip)
        self.fill(self.tabs)

    def _connect(self) -> None:
        self.setup.start_asked.connect(self.start)
        self.setup.try_asked.connect(self.try_it)
        self.setup.check_asked.connect(self._check)
        self.setup.cancel_asked.connect(self.check.cancel)
        self.check.progressed.connect(lambda said: self.setup.found.show_message("note", said))
        self.check.ended.connect(self._on_checked)
        self.watch.looked.connect(self._on_looked)
        self.run_list.chosen.connect(self.show_run)
        self.run_list.compared.connect(self._on_compared)
        self.run_list.folder_chosen.connect(self._on_folder)
        self.run_list.run_opened.connect(self._on_run_opened)
        self.run_view.pause_asked.connect(
            lambda pause: self._do(lambda: run_process.ask_to_pause(self._shown, pause), "pause")
        )
        self.run_view.stop_asked.connect(
            lambda: self._do(lambda: run_process.ask_to_stop(self._shown), "stop")
        )
        self.run_view.resume_asked.connect(self.resume)
        self.run_view.kill_asked.connect(self._kill)
        self.use_box.segment_asked.connect(self.segment_with)
        self.use_box.sample_asked.connect(self._use.segment_sample)
        self.use_box.copy_asked.connect(self._save_copy)
        self.use_box.tune_asked.connect(self._fine_tune)
        self._viewer.events.theme.connect(self._take_theme)

    # --- Starting and checking

    def _start(self, plan: RunPlan, folder: Path) -> None:
        self.check.cancel()

        def start() -> None:
            self.processes.start(plan, folder)
            self.show_run(folder)
            self.setup.propose_name()

        self._do(start, "start")

    def _check(self) -> None:
        self._remember_setup()
        self.messages.clear()
        self.setup.set_checking(True)
        self.check.start(self.setup.plan, skips_broken=self.setup.skips_broken)

    def _on_checked(self, messages: list[tuple[str, str]]) -> None:
        self.setup.set_checking(False)
        self.setup.found.show_messages(messages)

    def _remember_setup(self) -> None:
        self._memory.remember(**self.setup.choices())

    # --- Watching

    def _watch_runs(self) -> None:
        self._window_watch.follow()
        remembered = self._memory.choices
        close = [path for path in (self._shown, *self.run_list.ticked) if path is not None]
        self.watch.watch(remembered.runs_folder, remembered.opened, dict.fromkeys(close))

    def _on_looked(self, glances: list[Glance], whole: bool) -> None:
        before = {glance.folder: self._glances.get(glance.folder) for glance in glances}
        self._glances.update({glance.folder: glance for glance in glances})
        first = whole and not self.run_list.tree.topLevelItemCount()
        self.run_list.show_glances(glances, whole=whole)
        if first:
            self.run_list.tick(self._memory.choices.compared)
            self._find_a_run_to_show(glances)
        self.run_list.select(self._shown)
        for glance in glances:
            was = before[glance.folder]
            if was is not None and was.state.alive and glance.state in (State.FAILED, State.GONE):
                self.say_problem(f"{glance.folder.name}: {glance.sentence}")
        shown = self.glance()
        if shown is None:
            return
        self.run_view.show_glance(shown)
        self.use_box.show_checkpoints(shown.folder, shown.checkpoints)
        self._place_use_box(below=shown.state.alive)
        self._draw()
        self.looked.emit(shown)

    def _find_a_run_to_show(self, glances: list[Glance]) -> None:
        """Attach to what goes on, else to what was shown last."""
        alive = [glance.folder for glance in glances if glance.state.alive]
        known = {glance.folder for glance in glances if glance.state is not State.GONE}
        if self._shown in alive:
            self.tabs.setCurrentIndex(RUNS)
        elif alive:
            self.show_run(alive[0])
        elif self._shown not in known:
            self._shown = None

    def _draw(self) -> None:
        """Draw curves if any has changed."""
        if self._shown is None or self.tabs.currentIndex() != RUNS:
            return
        ticked = self.run_list.ticked
        runs = list(dict.fromkeys([self._shown, *ticked]))[:MOST_COMPARED] if ticked else [self._shown]
        state = [(path, self._glances[path].version) for path in runs if path in self._glances]
        if state == self._drawn:
            return
        self._drawn = state
        if len(runs) > 1:
            self.run_view.curves.compare({path.name: self.watch.curves(path) for path in runs})
        else:
            weights = self.watch.config(self._shown).get("loss", {})
            left_out = {name for name, weight in weights.items() if weight == 0}
            self.run_view.curves.show_run(self.watch.curves(self._shown), left_out)

    def _place_use_box(self, *, below: bool) -> None:
        """While a run goes on its curves come first, afterwards what can be done with it."""
        column = self._runs_column
        place = column.indexOf(self.run_view.details) + (1 if below else 0)
        if column.indexOf(self.use_box) not in (place, place - (0 if below else 1)):
            column.removeWidget(self.use_box)
            column.insertWidget(column.indexOf(self.run_view.details) + int(below), self.use_box)

    def _on_compared(self, ticked: tuple[Path, ...]) -> None:
        self._memory.remember(compared=ticked)
        self._drawn = None
        self._watch_runs()

    def _on_folder(self, folder: Path) -> None:
        self._memory.remember(runs_folder=folder)
        self.setup.place.runs_edit.setText(str(folder))
        self.setup.propose_name()
        self.run_list.set_folder(folder)
        self._watch_runs()

    def _on_run_opened(self, folder: Path) -> None:
        if not (folder / "config.json").is_file() and not (folder / "request.json").is_file():
            self.say_problem(f"{folder} is no run folder: it has no config.json.")
            return
        if folder.parent != self._memory.choices.runs_folder:
            opened = dict.fromkeys([folder, *self._memory.choices.opened])
            self._memory.remember(opened=tuple(opened))
        self.show_run(folder)

    # --- What the buttons do to a run

    def _kill(self) -> None:
        folder = self._shown
        if folder is not None and ask_to_kill(self, folder.name):
            self._do(lambda: run_process.kill(folder), "end")

    def _do(self, action: Callable[[], None], what: str) -> None:
        """Do something to a run, and look at once; say it if it cannot be done."""
        self.messages.clear()
        try:
            action()
        except NapariRdlError as error:
            logger.info("Could not %s: %s", what, error)
            self.say_problem(str(error))
        self._watch_runs()

    # --- Use

    def _save_copy(self, checkpoint: Path) -> None:
        self._use.save_copy(checkpoint, self._memory.choices.runs_folder.parent)

    def _fine_tune(self, checkpoint: Path) -> None:
        self.setup.begin_with(checkpoint)
        self.tabs.setCurrentIndex(SETUP)

    # --- Look

    def _take_theme(self, _event: object = None) -> None:
        theme = get_theme(self._viewer.theme)
        self.run_view.curves.set_theme(
            theme.background.as_hex("long"), theme.text.as_hex("long"), theme.secondary.as_hex("long")
        )
        # Told apart from the text on either ground, and legible on both.
        colour = "#e0a03c" if theme.type == "dark" else "#a33b00"
        self.setStyleSheet(f"QLabel#problem {{ color: {colour}; }}")
