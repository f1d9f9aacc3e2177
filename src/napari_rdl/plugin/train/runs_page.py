"""The page of runs: which there are, how the one shown stands, and what its checkpoints are good for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_rdl.errors import NapariRdlError
from napari_rdl.files import is_file
from napari_rdl.plugin.parts.dock import GAP, MARGIN
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.questions import ask_to_kill
from napari_rdl.plugin.parts.tasks import TaskRunner
from napari_rdl.plugin.train.memory import TrainMemory
from napari_rdl.plugin.train.run_list import RunList
from napari_rdl.plugin.train.run_view import RunView, sentence_of
from napari_rdl.plugin.train.run_watch import RunWatch
from napari_rdl.plugin.train.use import CheckpointUse, UseBox
from napari_rdl.training.run import process as run_process
from napari_rdl.training.run.process import RunPlan, RunProcesses
from napari_rdl.training.run.reader import Glance, State

if TYPE_CHECKING:
    from napari_rdl.plugin.segment.widget import SegmentWidget

logger = logging.getLogger(__name__)

MOST_COMPARED = 8


class RunsPage(QWidget):
    """Watches the runs of a folder, and does to them what its buttons say.

    A run is a process of its own and is watched through its folder alone, so it does not matter which viewer
    started it, or whether one did.

    Parameters
    ----------
    memory : TrainMemory
    messages : MessageBar
        Where it says what it does.
    segment_with : callable
        Opens Segment tumour with a checkpoint.

    Signals
    -------
    shown_changed : no value
        Another run is shown, or one that goes on was found.
    looked : Glance
        How the run shown stands, at each look.
    folder_changed : Path
        The runs of another folder are listed.
    tune_asked : Path
        A run is to be set up that begins with this checkpoint.
    problem : str
        A run broke off, or is none, in a sentence.
    failed : Exception
        Something could not be done.
    """

    shown_changed = Signal()
    looked = Signal(object)
    folder_changed = Signal(object)
    tune_asked = Signal(object)
    problem = Signal(str)
    failed = Signal(object)

    def __init__(
        self,
        memory: TrainMemory,
        messages: MessageBar,
        segment_with: Callable[[Path], SegmentWidget],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._memory = memory
        self._messages = messages
        self._glances: dict[Path, Glance] = {}
        self._drawn: object = None
        self.shown: Path | None = memory.choices.shown
        self.processes = RunProcesses()
        self.watch = RunWatch(self.processes, self)
        self.tasks = TaskRunner(self)
        self.run_list = RunList()
        self.run_view = RunView()
        self.use_box = UseBox()
        self._use = CheckpointUse(self, self.tasks, messages, segment_with, self.failed.emit)
        self._lay_out()
        self._connect(segment_with)
        self.run_list.set_folder(memory.choices.runs_folder)

    # --- What can be asked of it from code, as from its buttons

    def glance(self, folder: Path | None = None) -> Glance | None:
        """Return how a run stood when it was last looked at; by default the one shown."""
        path = folder or self.shown
        return self._glances.get(path) if path is not None else None

    def start(self, plan: RunPlan, folder: Path) -> bool:
        """Start a run and show it; return whether that could be done."""

        def start() -> None:
            self.processes.start(plan, folder)
            self.show_run(folder)

        return self._do(start, "start")

    def show_run(self, folder: Path) -> None:
        """Show a run, whoever started it, in place of the one shown."""
        self.shown = folder
        self._drawn = None
        self._memory.remember(shown=folder)
        self.shown_changed.emit()
        self.look_after()

    def resume(self) -> None:
        """Go on with the run shown."""
        self._do_to_shown(self.processes.resume, "resume")

    def stop(self, folder: Path) -> None:
        """Ask a run to end after its step, with a checkpoint."""
        self._do(lambda: run_process.ask_to_stop(folder), "stop")

    def look_after(self) -> None:
        """Watch the runs there are, the one shown and those compared with it closely."""
        remembered = self._memory.choices
        close = [path for path in (self.shown, *self.run_list.ticked) if path is not None]
        self.watch.watch(remembered.runs_folder, remembered.opened, dict.fromkeys(close))

    def shut_down(self) -> None:
        """Stop watching; runs go on."""
        self.watch.shut_down()
        self.tasks.shut_down()
        self.run_view.curves.tasks.shut_down()

    # --- Putting together

    def _lay_out(self) -> None:
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        self._column.setSpacing(GAP)
        for part in (self.run_list, self.run_view, self.run_view.details, self.use_box):
            self._column.addWidget(part)
        self._column.addStretch(1)

    def _connect(self, segment_with: Callable[[Path], SegmentWidget]) -> None:
        self.watch.looked.connect(self._on_looked)
        self.run_list.chosen.connect(self.show_run)
        self.run_list.compared.connect(self._on_compared)
        self.run_list.folder_chosen.connect(self._on_folder)
        self.run_list.run_opened.connect(self._on_run_opened)
        self.run_view.pause_asked.connect(
            lambda pause: self._do_to_shown(lambda run: run_process.ask_to_pause(run, pause), "pause")
        )
        self.run_view.stop_asked.connect(lambda: self._do_to_shown(run_process.ask_to_stop, "stop"))
        self.run_view.resume_asked.connect(self.resume)
        self.run_view.kill_asked.connect(self._kill)
        self.use_box.segment_asked.connect(segment_with)
        self.use_box.sample_asked.connect(self._use.segment_sample)
        self.use_box.copy_asked.connect(self._save_copy)
        self.use_box.tune_asked.connect(self.tune_asked)

    # --- Watching

    def _on_looked(self, glances: list[Glance], whole: bool) -> None:
        before = {glance.folder: self._glances.get(glance.folder) for glance in glances}
        self._glances.update({glance.folder: glance for glance in glances})
        first = whole and not self.run_list.tree.topLevelItemCount()
        self.run_list.show_glances(glances, whole=whole)
        if first:
            self.run_list.tick(self._memory.choices.compared)
            self._find_a_run_to_show(glances)
        self.run_list.select(self.shown)
        for glance in glances:
            was = before[glance.folder]
            if was is not None and was.state.alive and glance.state in (State.FAILED, State.GONE):
                self.problem.emit(f"{glance.folder.name}: {sentence_of(glance)}")
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
        if self.shown in alive:
            self.shown_changed.emit()
        elif alive:
            self.show_run(alive[0])
        elif self.shown not in known:
            self.shown = None

    def _draw(self) -> None:
        """Draw curves if any has changed."""
        if self.shown is None or not self.isVisibleTo(self.window()):
            return
        ticked = self.run_list.ticked
        runs = list(dict.fromkeys([self.shown, *ticked]))[:MOST_COMPARED] if ticked else [self.shown]
        state = [(path, self._glances[path].version) for path in runs if path in self._glances]
        if state == self._drawn:
            return
        self._drawn = state
        if len(runs) > 1:
            self.run_view.curves.compare({path.name: self.watch.curves(path) for path in runs})
        else:
            weights = self.watch.config(self.shown).get("loss", {})
            left_out = {name for name, weight in weights.items() if weight == 0}
            self.run_view.curves.show_run(self.watch.curves(self.shown), left_out)

    def _place_use_box(self, *, below: bool) -> None:
        """While a run goes on its curves come first, afterwards what can be done with it."""
        column = self._column
        place = column.indexOf(self.run_view.details) + (1 if below else 0)
        if column.indexOf(self.use_box) not in (place, place - (0 if below else 1)):
            column.removeWidget(self.use_box)
            column.insertWidget(column.indexOf(self.run_view.details) + int(below), self.use_box)

    # --- What the parts say

    def _on_compared(self, ticked: tuple[Path, ...]) -> None:
        self._memory.remember(compared=ticked)
        self._drawn = None
        self.look_after()

    def _on_folder(self, folder: Path) -> None:
        self._memory.remember(runs_folder=folder)
        self.folder_changed.emit(folder)
        self.run_list.set_folder(folder)
        self.look_after()

    def _on_run_opened(self, folder: Path) -> None:
        if not is_file(folder / "config.json") and not is_file(folder / "request.json"):
            self.problem.emit(f"{folder} is no run folder: it has no config.json.")
            return
        if folder.parent != self._memory.choices.runs_folder:
            opened = dict.fromkeys([folder, *self._memory.choices.opened])
            self._memory.remember(opened=tuple(opened))
        self.show_run(folder)

    def _kill(self) -> None:
        if self.shown is not None and ask_to_kill(self, self.shown.name):
            self._do_to_shown(run_process.kill, "end")

    def _save_copy(self, checkpoint: Path) -> None:
        self._use.save_copy(checkpoint, self._memory.choices.runs_folder.parent)

    def _do_to_shown(self, action: Callable[[Path], None], what: str) -> None:
        folder = self.shown
        if folder is not None:
            self._do(lambda: action(folder), what)

    def _do(self, action: Callable[[], None], what: str) -> bool:
        """Do something to a run, and look at once; say it if it cannot be done."""
        self._messages.clear()
        try:
            action()
        except NapariRdlError as error:
            logger.info("Could not %s: %s", what, error)
            self.failed.emit(error)
            return False
        finally:
            self.look_after()
        return True
