"""A worklist beside the desk: the patient that is open is found in it, and what becomes of it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QFileDialog, QWidget

from napari_rdl.cohort.worklist import Worklist
from napari_rdl.cohort.worklist_file import Entry, State, new_worklist
from napari_rdl.errors import NapariRdlError
from napari_rdl.plugin.correct.desk import Desk
from napari_rdl.plugin.correct.worklist_box import WorklistBox
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.parts.waiting import while_the_window_lives
from napari_rdl.plugin.segment.open_widgets import open_segment_widget
from napari_rdl.plugin.settings import plugin_settings

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress

_LOOK_MS = 5000


class Working(QObject):
    """Carries out what is asked of a worklist.

    Signals
    -------
    changed : no value
        Another list, another entry, or another one's change.
    failed : Exception
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, viewer: Viewer, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._desk = desk
        self._widget = parent
        self.worklist: Worklist | None = None
        self.box = WorklistBox()
        self.worker = LatestTask(self)
        self.worker.failed.connect(self.failed)
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self._refresh)
        box = self.box
        box.list_asked.connect(self._ask_for_list)
        box.folder_asked.connect(self._ask_for_folder)
        box.patient_asked.connect(self.open_patient)
        box.step_asked.connect(self.step)
        box.state_chosen.connect(lambda state: self.change(state=State(state)))
        box.note_written.connect(lambda note: self.change(note=note))
        box.accept_asked.connect(self.accept)
        box.finish_asked.connect(self.finish)
        box.order_changed.connect(self._show)
        desk.patient_changed.connect(self._on_patient)
        desk.work_changed.connect(self._show_entry)
        desk.saved.connect(self._on_saved)

    @property
    def entry(self) -> Entry | None:
        """The entry of the patient that is open."""
        case, worklist = self._desk.case, self.worklist
        if case is None or worklist is None:
            return None
        folders = {file.parent.resolve() for file in case.files.values()}
        for entry in worklist.entries:
            own = worklist.folder_of(entry).resolve()
            if folders and all(folder == own or own in folder.parents for folder in folders):
                return entry
        return None

    def shut_down(self) -> None:
        """Let others write the list, and stop all work."""
        self.worker.shut_down()
        self._close()

    def _close(self) -> None:
        self._look.stop()
        if self.worklist is not None:
            self.worklist.close()
            self.worklist = None

    # --- Which list

    def open_list(self, path: Path) -> None:
        """Open a worklist in place of the one that is open."""
        user = plugin_settings().annotator
        opened = self._try(lambda: Worklist(path, user))
        if opened is None:
            return
        self._close()
        self.worklist = opened
        self._look.start()
        self._show()
        self._on_patient()

    def make_list(self, folders: Sequence[Path], path: Path) -> None:
        """Make a worklist of folders of patients, and open it."""
        if self._try(lambda: new_worklist(folders, path)) is not None:
            self.open_list(path)

    def ask_for_list_of(self, folders: Sequence[Path]) -> None:
        """Ask where a worklist of these folders' patients is to be kept, make it and open it."""
        home = folders[0] if len(folders) == 1 else folders[0].parent
        start = str(home / "worklist.json")
        name, _ = QFileDialog.getSaveFileName(self._widget, "Keep the worklist in", start, _FILES)
        if name:
            path = Path(name)
            self.make_list(
                folders, path if path.suffix.lower() == ".json" else path.with_name(f"{path.name}.json")
            )

    # --- What becomes of patients

    def open_patient(self, name: str) -> None:
        """Open a patient of the list and segment it; its own entry says that it is in work."""
        if self.worklist is None:
            return
        folder = self.worklist.folder_of(self.worklist.entry(name))
        segment = self._desk.segment
        if segment is None:
            segment = open_segment_widget(self._viewer)
            # Whoever works through a list stays at the desk.
            dock = self._widget.parent()
            if isinstance(dock, QDockWidget):
                dock.raise_()
        segment.open_patient(folder, run=True)

    def step(self, step: int) -> None:
        """Open the next patient that is not done, or with -1 the one before."""
        if self.worklist is None:
            return
        entry = self.entry
        following = self.worklist.step(
            entry.name if entry is not None else None, step, by_doubt=self.box.by_doubt.isChecked()
        )
        if following is not None:
            self.open_patient(following.name)
        else:
            self.box.summary.setText(f"{self._summary()} No patient {'behind' if step > 0 else 'before'}.")

    def change(self, **values: Any) -> bool:
        """Change the entry of the patient that is open; True if that was written."""
        entry, worklist = self.entry, self.worklist
        if entry is None or worklist is None:
            return False
        name = entry.name
        changed = self._try(lambda: worklist.change(name, **values))
        self._show()
        return changed is not None

    def accept(self) -> None:
        """Save the prediction shown as the labels of the patient, who is done then."""
        entry, worklist, representations = self.entry, self.worklist, self._desk.representations
        if entry is None or worklist is None or representations is None or self._desk.segment is None:
            return
        subset, name = self._desk.segment.session.subset, entry.name

        def accept(progress: Progress) -> Entry:
            from napari_rdl.cohort import acceptance

            segmentation = representations.combine(subset)
            doubt = round(acceptance.doubt_of(representations), 4)
            acceptance.accept(worklist, name, segmentation)
            return worklist.change(name, doubt=doubt)

        self._try(lambda: while_the_window_lives(accept, takes_input=False))
        self._show()

    def finish(self) -> None:
        """Save the corrected labels where the list keeps them, and mark the patient as done."""
        entry, worklist, segment = self.entry, self.worklist, self._desk.segment
        if entry is None or worklist is None or segment is None or self._desk.recorder is None:
            return
        self._desk.recorder.settle()
        if segment.saving.save_corrected(worklist.labels_for(entry)):
            self.change(state=State.DONE)

    # --- What others do

    def _on_patient(self) -> None:
        entry = self.entry
        if entry is not None and self.worklist is not None and not self.worklist.read_only:
            if entry.state is State.TO_DO:
                self.change(state=State.IN_WORK)
            if entry.doubt is None and self._desk.representations is not None:
                self._measure_doubt(entry.name)
        self._show_entry()

    def _measure_doubt(self, name: str) -> None:
        representations = self._desk.representations
        assert representations is not None

        def measure(progress: Progress, cancelled: IsCancelled) -> tuple[str, float]:
            from napari_rdl.cohort.acceptance import doubt_of

            return name, round(doubt_of(representations), 4)

        self.worker.ask(measure, self._on_doubt)

    def _on_doubt(self, result: tuple[str, float]) -> None:
        name, doubt = result
        worklist = self.worklist
        if worklist is not None and not worklist.read_only:
            self._try(lambda: worklist.change(name, doubt=doubt))
            self._show()

    def _on_saved(self, path: Path) -> None:
        if self.entry is not None:
            self.change(labels=path, accepted=False)

    def _refresh(self) -> None:
        if self.worklist is not None and self._try(self.worklist.refresh):
            self._show()

    # --- Telling

    def _show(self, _event: object = None) -> None:
        worklist = self.worklist
        if worklist is None:
            return
        entries = worklist.ordered(by_doubt=self.box.by_doubt.isChecked())
        self.box.show_entries(entries, self._summary(), read_only=worklist.read_only)
        self._show_entry()
        self.changed.emit()

    def _summary(self) -> str:
        worklist = self.worklist
        if worklist is None:
            return ""
        counts = ", ".join(f"{worklist.count(state)} {state}" for state in State if worklist.count(state))
        who = ""
        if worklist.read_only:
            has = (
                f"{worklist.holder.words()} has it" if worklist.holder is not None else "It cannot be written"
            )
            who = f" {has}: here it is only read."
        return f"{worklist.path.name}: {counts or 'nobody'}.{who}"

    def _show_entry(self) -> None:
        self.box.show_entry(
            self.entry,
            predicted=self._desk.representations is not None,
            corrected=self._desk.recorder is not None,
        )

    def _ask_for_list(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self._widget, "Open a worklist", str(Path.home()), _FILES)
        if name:
            self.open_list(Path(name))

    def _ask_for_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._widget, "A folder of patients", str(Path.home()))
        if folder:
            self.ask_for_list_of([Path(folder)])

    def _try(self, act: Callable[[], Any]) -> Any:
        """Return what `act` returns; what goes wrong is told, and None returned."""
        try:
            return act()
        except NapariRdlError as error:
            self.failed.emit(error)
            return None


_FILES = "Worklist (*.json)"
