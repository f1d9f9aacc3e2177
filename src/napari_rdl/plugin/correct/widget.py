"""The dock widget **Correct labels**: puts its parts together and passes what they say on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_rdl.correct import Protection, summarise
from napari_rdl.correct.tools import strangers
from napari_rdl.plugin.correct.desk import Desk
from napari_rdl.plugin.correct.desk_keys import DeskKeys
from napari_rdl.plugin.correct.dicom_export import DicomExport
from napari_rdl.plugin.correct.earlier_work import words_for
from napari_rdl.plugin.correct.history_box import FoundBox, HistoryBox
from napari_rdl.plugin.correct.learning_box import Learning
from napari_rdl.plugin.correct.painted_layer import PaintedLayer
from napari_rdl.plugin.correct.readers import Readers
from napari_rdl.plugin.correct.refine_box import STROKES
from napari_rdl.plugin.correct.refining import Refining
from napari_rdl.plugin.correct.sources_layer import SourcesLayer
from napari_rdl.plugin.correct.toolbox import Toolbox
from napari_rdl.plugin.correct.tools_box import TOOLS, WAITING, ProtectBox, ToolsBox
from napari_rdl.plugin.correct.working import Working
from napari_rdl.plugin.parts.dock import DockWidget
from napari_rdl.plugin.parts.remedies import in_words
from napari_rdl.plugin.parts.section import plain_collapsible
from napari_rdl.plugin.segment.followed_patient import FollowedPatient

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.case import Case
    from napari_rdl.errors import NapariRdlError

_SUMMARY_MS = 400


class CorrectWidget(DockWidget):
    """Correct a prediction; every step can be taken back, and none is lost.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.desk = Desk(napari_viewer, self)
        self.toolbox = Toolbox(napari_viewer, self.desk, self)
        self.refining = Refining(napari_viewer, self.desk, self)
        self.sources = SourcesLayer(napari_viewer)
        self.working = Working(napari_viewer, self.desk, self)
        self.readers = Readers(napari_viewer, self.desk, self)
        self.learning = Learning(napari_viewer, self.desk, self.working, self)
        self.dicom = DicomExport(self.desk, self)
        self.keys = DeskKeys(napari_viewer, self)
        self.painted = PaintedLayer(napari_viewer, self)
        self._held = ""

        self.patient = FollowedPatient(napari_viewer)
        self.begin_button = QPushButton("Correct the prediction shown")
        self.begin_button.setToolTip(
            "Copy the prediction to a layer of its own; no switch and no run ever changes that layer"
        )
        self.found_box = FoundBox()
        self.tools_box = ToolsBox()
        self.protect_box = ProtectBox()
        self.history_box = HistoryBox()
        self.protect = plain_collapsible("Protect", self.protect_box, "What painting and tools may touch")
        keys = plain_collapsible("Keys", self.keys.editor, "The keys of the desk; each can be changed")
        for part in (self.protect, keys):
            self.tools_box.body.addWidget(part)
        self.patient.body.addWidget(self.begin_button)
        self.parts: list[QWidget] = [self.tools_box, self.refining.box, self.history_box]
        above, below = (self.working.box, self.patient, self.found_box), (self.readers.box, self.learning.box)
        self.fill(self.page([*above, *self.parts, *below]))
        self._summary_timer = QTimer(self)
        self._summary_timer.setSingleShot(True)
        self._summary_timer.setInterval(_SUMMARY_MS)
        self._connect()
        self.desk.follow()
        self._say_what_to_do()

    # --- What can be asked of the widget from code, as from its parts

    def begin(self) -> None:
        """Correct a copy of the prediction shown."""
        self.desk.begin()

    def use(self, tool: str) -> None:
        """Use a tool of `TOOLS`."""
        self.toolbox.use(tool, self.tools_box.size.value())

    def undo(self) -> None:
        """Take the last step back."""
        if self.desk.recorder is not None:
            self.desk.recorder.undo()

    def redo(self) -> None:
        """Make the step taken back last again."""
        if self.desk.recorder is not None:
            self.desk.recorder.redo()

    def stop(self) -> None:
        """Bring the journal to the disk and follow nobody."""
        self.keys.release()
        self._summary_timer.stop()
        for part in (self.toolbox, self.refining, self.working, self.readers, self.learning):
            part.shut_down()
        self.painted.release()
        self.sources.remove()
        self.desk.shut_down()

    # --- Putting together

    def _connect(self) -> None:
        desk, tools, history = self.desk, self.tools_box, self.history_box
        desk.patient_changed.connect(self._on_patient)
        desk.work_changed.connect(self._on_work)
        desk.changed.connect(self._on_changed)
        desk.walked.connect(self._on_walked)
        desk.found_changed.connect(self._on_found)
        desk.kept.held.connect(self._on_held)
        desk.read_only_changed.connect(self._on_read_only)
        desk.failed.connect(self.say_error)
        desk.problem.connect(self.say_problem)
        desk.saved.connect(self._on_saved)
        desk.refused.connect(self._on_refused)
        self.toolbox.said.connect(tools.status.setText)
        self.toolbox.waiting.connect(tools.show_waiting)
        self.toolbox.failed.connect(self.say_error)
        for part in (self.refining, self.working, self.readers, self.learning, self.dicom):
            part.failed.connect(self.say_error)
        self.dicom.saved.connect(lambda path: history.status.setText(f"Saved {path.name} in {path.parent}."))
        tools.tool_asked.connect(self._on_tool)
        tools.class_chosen.connect(self.painted.choose)
        tools.mapping_asked.connect(self.toolbox.map_value)
        self.protect_box.changed.connect(self._on_protection)
        self.found_box.restore_asked.connect(desk.restore)
        self.found_box.discard_asked.connect(desk.discard)
        history.undo_asked.connect(self.undo)
        history.redo_asked.connect(self.redo)
        history.save_asked.connect(self._save)
        history.dicom_asked.connect(self.dicom.ask)
        history.back_asked.connect(self._bring_back)
        history.elsewhere_asked.connect(self._ask_where_to_keep)
        history.sources_shown.connect(self._show_sources)
        self.begin_button.clicked.connect(self.begin)
        self._summary_timer.timeout.connect(self._show_summary)
        self.painted.class_selected.connect(tools.show_class)
        self.painted.missing.connect(history.back_button.setVisible)
        self.painted.missing.connect(self._say_where_it_is)
        self.keys.bound.connect(tools.show_keys)
        self.keys.bind(self._actions())

    def _actions(self) -> dict[str, Callable[[], object]]:
        """Return what the keys do, action by action."""
        actions: dict[str, Callable[[], object]] = {tool: partial(self._on_tool_key, tool) for tool in TOOLS}
        actions |= {f"paint {value}": partial(self.painted.choose, value) for value in (0, 1, 2, 3)}
        actions |= {f"stroke {value}": partial(self.refining.scribble, value) for value in STROKES}
        actions |= {
            "next": partial(self.working.step, 1),
            "previous": partial(self.working.step, -1),
            "accept": self.working.accept,
            "finish": self.working.finish,
            "disagreement": self.readers.go_to_next,
            "save": self._save,
        }
        return actions

    def _on_tool_key(self, tool: str) -> None:
        # A second press ends the waiting for a click.
        if tool in WAITING and self.tools_box.buttons[tool].isChecked():
            self.toolbox.wait_for_no_click()
        else:
            self.use(tool)

    # --- What the desk says

    def _on_patient(self) -> None:
        case = self.desk.case
        if case is not None:
            from napari_rdl.plugin.viewer.patient_layers import contrast_limits

            self.protect_box.set_modalities(
                (name, contrast_limits(image)) for name, image in case.images.items()
            )
        else:
            self.protect_box.set_modalities(())
        self._say_what_to_do()

    def _on_work(self) -> None:
        recorder = self.desk.recorder
        self.toolbox.wait_for_no_click()
        self.painted.follow(self.desk.layer)
        self.tools_box.show_base(self.desk.continued is not None)
        if recorder is not None:
            self._window_watch.follow()
            recorder.protection = self.protect_box.protection
        self._show_sources(self.history_box.sources_box.isChecked())
        self.tools_box.status.setText("")
        self.history_box.status.setText("")
        self._on_changed()
        self._say_what_to_do()

    def _on_changed(self) -> None:
        self.history_box.show_history(self.desk.history)
        self.sources.redraw()
        # Counting a volume takes a moment; a hand that paints must not wait for it.
        self._summary_timer.start()

    def _on_walked(self) -> None:
        # What a tool had changed is not so any more; what it waits for is.
        if not any(self.tools_box.buttons[tool].isChecked() for tool in WAITING):
            self.tools_box.status.setText("")

    def _on_found(self) -> None:
        found = self.desk.found
        self.found_box.offer(words_for(found) if found is not None else "")

    def _on_held(self, sentence: str) -> None:
        self._held = sentence
        self.history_box.elsewhere_button.setVisible(bool(sentence))
        self._say_what_stands()

    def _on_read_only(self) -> None:
        self._say_what_stands()
        self._say_what_to_do()

    def _say_what_stands(self) -> None:
        who = self.desk.held_by
        sentences = [self._held] if self._held else []
        if who:
            sentences.append(
                f"{who[:1].upper()}{who[1:]} corrects this patient. Here it can be looked at only, until "
                "that ends."
            )
        self.messages.show_messages([("warning", sentence) for sentence in sentences])

    def _on_saved(self, path: Path) -> None:
        self._say_what_stands()
        self.history_box.status.setText(
            f"Saved {path.name} in {path.parent}, with a record of what was changed."
        )

    def _on_refused(self, error: NapariRdlError) -> None:
        # Segment tumour, which saves, may lie behind this widget.
        self.history_box.status.setText("")
        self.messages.show_message("error", in_words(error))

    def _show_summary(self) -> None:
        history, case = self.desk.history, self.desk.case
        if history is not None and case is not None:
            continued = self.desk.continued is not None
            self.history_box.show_summary(summarise(history, case.grid.voxel_ml), continued)
            self.tools_box.show_strangers(strangers(history.labels))

    # --- What the parts say

    def _on_tool(self, tool: str) -> None:
        if tool in WAITING and not self.tools_box.buttons[tool].isChecked():
            self.toolbox.wait_for_no_click()
        else:
            self.use(tool)

    def _on_protection(self, protection: Protection) -> None:
        if self.desk.recorder is not None:
            self.desk.recorder.settle()
            self.desk.recorder.protection = protection

    def _bring_back(self) -> None:
        if self.desk.segment is not None:
            self.desk.segment.saving.corrected.bring_back()

    def _save(self) -> None:
        if self.desk.segment is not None and self.desk.recorder is not None:
            self.desk.recorder.settle()
            self.desk.segment.saving.ask_where_to_save_corrected()

    def _ask_where_to_keep(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Keep the journal of your work", "", "Journal (*.journal)"
        )
        if name:
            self.desk.keep_elsewhere(Path(name))

    def _show_sources(self, on: bool) -> None:
        self.sources.show(self.desk.case, self.desk.history if on else None)

    def _say_where_it_is(self) -> None:
        if self.desk.case is not None and self.desk.recorder is not None:
            self.patient.said.setText(self._painted_in_words(self.desk.case))

    def _painted_in_words(self, case: Case) -> str:
        layer = self.desk.layer
        if layer is None:
            return ""
        if layer not in self._viewer.layers:
            return (
                f"{case.name}: the layer '{layer.name}' is no longer in the list. 'Bring the layer "
                "back' below returns it with all of your work."
            )
        return f"{case.name}: painting on the layer '{layer.name}'."

    def _say_what_to_do(self) -> None:
        case, work = self.desk.case, self.desk.recorder is not None
        encoded = self.desk.representations is not None
        if case is not None and work:
            said = self._painted_in_words(case)
        elif case is not None and encoded:
            said = f"{case.name} is segmented."
        else:
            said = self.desk.to_do("its prediction is corrected here") or ""
        self.patient.said.setText(said)
        self.patient.open_button.setVisible(self.desk.segment is None)
        self.begin_button.setVisible(encoded and not work and not self.desk.held_by)
        for part in self.parts:
            part.setVisible(work)
        # A layer taken up without a run can be painted, and not refined.
        self.refining.box.setVisible(work and encoded)
        self.tools_box.set_possible(work=work, representations=encoded)
