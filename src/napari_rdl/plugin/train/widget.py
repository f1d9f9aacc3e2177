"""The dock widget **Train model**: sets up trainings, watches them, and puts what they made to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QTabWidget

from napari_rdl.files import is_there
from napari_rdl.plugin.parts.dock import DockWidget
from napari_rdl.plugin.parts.questions import ask_about_runs
from napari_rdl.plugin.segment.open_widgets import open_segment_widget
from napari_rdl.plugin.train.dry_check import DryCheck
from napari_rdl.plugin.train.memory import TrainMemory
from napari_rdl.plugin.train.runs_page import RunsPage
from napari_rdl.plugin.train.setup import TRY_IT, TrainSetup
from napari_rdl.training.run.process import RunPlan
from napari_rdl.training.run.reader import Glance

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.widget import SegmentWidget

SETUP, RUNS = 0, 1


class TrainWidget(DockWidget):
    """Set up, start, watch, resume and use training runs, each a process of its own.

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
        self._to_stop: tuple[Path, ...] = ()
        self._memory = memory or TrainMemory()
        self.check = DryCheck(self)
        self.setup = TrainSetup(self._memory.choices)
        self.runs = RunsPage(self._memory, self.messages, self.segment_with)
        self.tabs = QTabWidget()
        for title, tip, page in (
            ("Set up", "Data, recipe, settings, and where a new run is put", self.setup),
            ("Runs", "Runs that go on or have ended", self.runs),
        ):
            self.tabs.setTabToolTip(self.tabs.addTab(self.scrolled(page), title), tip)
        self.fill(self.tabs)
        self._connect()
        self._take_theme()
        self.runs.look_after()

    # --- What can be asked of the widget from code, as from its buttons

    @property
    def shown(self) -> Path | None:
        """The folder of the run that is shown."""
        return self.runs.shown

    def glance(self, folder: Path | None = None) -> Glance | None:
        """Return how a run stood when it was last looked at; by default the one shown."""
        return self.runs.glance(folder)

    def start(self) -> None:
        """Start the run that is set up."""
        self._remember_setup()
        self._start(self.setup.plan, self.setup.place.folder)

    def try_it(self) -> None:
        """Start the toy run."""
        folder = self._memory.choices.runs_folder
        number = 1
        while is_there(folder / f"try-{number}"):
            number += 1
        name = f"try-{number}"
        self._start(RunPlan(TRY_IT.recipe, {**TRY_IT.changes, "name": name}), folder / name)

    def show_run(self, folder: Path) -> None:
        """Show a run, whoever started it, in place of the one shown."""
        self.runs.show_run(folder)

    def segment_with(self, checkpoint: Path) -> SegmentWidget:
        """Choose a checkpoint in Segment tumour, which is opened if need be."""
        widget = open_segment_widget(self._viewer)
        widget.run_box.choose_model(checkpoint)
        return widget

    def may_close(self) -> bool:
        """Return whether napari may close: asks what becomes of trainings that go on."""
        alive = self.runs.run_list.alive()
        if not alive:
            return True
        answer = ask_about_runs(self, [path.name for path in alive])
        self._to_stop = tuple(alive) if answer == "stop" else ()
        return answer != "cancel"

    def window_closed(self) -> None:
        """Stop the trainings that the user wants to end with napari."""
        for path in self._to_stop:
            self.runs.stop(path)

    def stop(self) -> None:
        """Stop watching; runs go on."""
        self.runs.shut_down()
        self.check.cancel()
        self._remember_setup()
        self._viewer.events.theme.disconnect(self._take_theme)

    # --- What the pages say

    def _connect(self) -> None:
        self.setup.start_asked.connect(self.start)
        self.setup.try_asked.connect(self.try_it)
        self.setup.check_asked.connect(self._check)
        self.setup.cancel_asked.connect(self.check.cancel)
        self.check.progressed.connect(lambda said: self.setup.found.show_message("note", said))
        self.check.ended.connect(self._on_checked)
        self.runs.looked.connect(self.looked)
        self.runs.shown_changed.connect(self._show_runs)
        self.runs.folder_changed.connect(self._on_folder)
        self.runs.tune_asked.connect(self._fine_tune)
        self.runs.problem.connect(self.say_problem)
        self.runs.failed.connect(self.say_error)
        self._viewer.events.theme.connect(self._take_theme)

    def _start(self, plan: RunPlan, folder: Path) -> None:
        self.check.cancel()
        if self.runs.start(plan, folder):
            self.setup.propose_name()

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

    def _show_runs(self) -> None:
        self._window_watch.follow()
        self.tabs.setCurrentIndex(RUNS)

    def _on_folder(self, folder: Path) -> None:
        self.setup.place.runs_edit.setText(str(folder))
        self.setup.propose_name()

    def _fine_tune(self, checkpoint: Path) -> None:
        self.setup.begin_with(checkpoint)
        self.tabs.setCurrentIndex(SETUP)

    def _take_theme(self, _event: object = None) -> None:
        theme = get_theme(self._viewer.theme)
        self.runs.run_view.curves.set_theme(
            theme.background.as_hex("long"), theme.text.as_hex("long"), theme.secondary.as_hex("long")
        )
        # Told apart from the text on either ground, and legible on both.
        colour = "#e0a03c" if theme.type == "dark" else "#a33b00"
        self.setStyleSheet(f"QLabel#problem {{ color: {colour}; }}")
