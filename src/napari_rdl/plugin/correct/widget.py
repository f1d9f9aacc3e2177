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
from napari_rdl.errors import NapariRdlError
from napari_rdl.files import plain_name
from napari_rdl.plugin.correct.desk import Desk, words_for
from napari_rdl.plugin.correct.history_box import FoundBox, HistoryBox
from napari_rdl.plugin.correct.keys import DeskKeyEditor, RememberedDesk, all_keys
from napari_rdl.plugin.correct.learning_box import Learning
from napari_rdl.plugin.correct.readers import Readers
from napari_rdl.plugin.correct.refine_box import STROKES
from napari_rdl.plugin.correct.refining import Refining
from napari_rdl.plugin.correct.sources_layer import SourcesLayer
from napari_rdl.plugin.correct.toolbox import Toolbox
from napari_rdl.plugin.correct.tools_box import TOOLS, WAITING, ProtectBox, ToolsBox
from napari_rdl.plugin.correct.working import Working
from napari_rdl.plugin.parts.dock import DockWidget
from napari_rdl.plugin.parts.memory import Memory, memory_file
from napari_rdl.plugin.parts.section import Section, WrappedLabel, plain_collapsible
from napari_rdl.plugin.parts.waiting import while_the_window_lives
from napari_rdl.plugin.segment.key_bindings import ViewerKeys
from napari_rdl.plugin.segment.open_widgets import WIDGET_NAME, open_segment_widget
from napari_rdl.plugin.settings import plugin_settings

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

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
        self._followed: Labels | None = None
        self._held = ""

        self.patient = WrappedLabel()
        self.open_button = QPushButton(f"Open {WIDGET_NAME}")
        self.open_button.setToolTip("Open the widget in which a patient is opened and segmented")
        self.begin_button = QPushButton("Correct the prediction shown")
        self.begin_button.setToolTip(
            "Copy the prediction to a layer of its own; no switch and no run ever changes that layer"
        )
        self.found_box = FoundBox()
        self.tools_box = ToolsBox()
        self.protect_box = ProtectBox()
        self.history_box = HistoryBox()
        self.protect = plain_collapsible("Protect", self.protect_box, "What painting and tools may touch")
        self.memory = Memory(RememberedDesk, memory_file("correct_labels"))
        self.key_editor = DeskKeyEditor(all_keys(self.memory.choices.keys))
        keys = plain_collapsible("Keys", self.key_editor, "The keys of the desk; each can be changed")
        for part in (self.protect, keys):
            self.tools_box.body.addWidget(part)
        patient = Section("Patient")
        for part in (self.patient, self.open_button, self.begin_button):
            patient.body.addWidget(part)
        self.parts: list[QWidget] = [self.tools_box, self.refining.box, self.history_box]
        self.fill(
            self.page(
                [self.working.box, patient, self.found_box, *self.parts, self.readers.box, self.learning.box]
            )
        )
        self._summary_timer = QTimer(self)
        self._summary_timer.setSingleShot(True)
        self._summary_timer.setInterval(_SUMMARY_MS)
        self.keys = ViewerKeys(napari_viewer)
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
        self.toolbox.shut_down()
        self.refining.shut_down()
        self.working.shut_down()
        self.readers.shut_down()
        self.learning.shut_down()
        self._follow_layer(None)
        self.sources.remove()
        self._viewer.layers.events.removed.disconnect(self._on_list)
        self._viewer.layers.events.inserted.disconnect(self._on_list)
        self.desk.shut_down()

    # --- Putting together

    def _connect(self) -> None:
        desk, tools, history = self.desk, self.tools_box, self.history_box
        desk.patient_changed.connect(self._on_patient)
        desk.work_changed.connect(self._on_work)
        desk.changed.connect(self._on_changed)
        desk.found_changed.connect(self._on_found)
        desk.held.connect(self._on_held)
        desk.read_only_changed.connect(self._on_read_only)
        desk.failed.connect(self.say_error)
        desk.problem.connect(self.say_problem)
        desk.saved.connect(self._on_saved)
        self.toolbox.said.connect(tools.status.setText)
        self.toolbox.waiting.connect(tools.show_waiting)
        self.toolbox.failed.connect(self.say_error)
        self.refining.failed.connect(self.say_error)
        self.working.failed.connect(self.say_error)
        self.readers.failed.connect(self.say_error)
        self.learning.failed.connect(self.say_error)
        tools.tool_asked.connect(self._on_tool)
        tools.class_chosen.connect(self._on_class)
        tools.mapping_asked.connect(self.toolbox.map_value)
        self.protect_box.changed.connect(self._on_protection)
        self.found_box.restore_asked.connect(desk.restore)
        self.found_box.discard_asked.connect(desk.discard)
        history.undo_asked.connect(self.undo)
        history.redo_asked.connect(self.redo)
        history.save_asked.connect(self._save)
        history.dicom_asked.connect(self._ask_for_dicom)
        history.back_asked.connect(self._bring_back)
        history.elsewhere_asked.connect(self._ask_where_to_keep)
        history.sources_shown.connect(self._show_sources)
        self.open_button.clicked.connect(self._open_segment)
        self.begin_button.clicked.connect(self.begin)
        self._summary_timer.timeout.connect(self._show_summary)
        self._viewer.layers.events.removed.connect(self._on_list)
        self._viewer.layers.events.inserted.connect(self._on_list)
        self.key_editor.keys_changed.connect(self._on_keys)
        self._bind_keys(all_keys(self.memory.choices.keys))

    def _on_keys(self, keys: dict[str, str]) -> None:
        first = all_keys({})
        self.memory.remember(keys={action: key for action, key in keys.items() if key != first[action]})
        self._bind_keys(keys)

    def _bind_keys(self, keys: dict[str, str]) -> None:
        actions: dict[str, Callable[[], object]] = {tool: partial(self._on_tool_key, tool) for tool in TOOLS}
        actions |= {f"paint {value}": partial(self._on_class, value) for value in (0, 1, 2, 3)}
        actions |= {f"stroke {value}": partial(self.refining.scribble, value) for value in STROKES}
        actions |= {
            "next": partial(self.working.step, 1),
            "previous": partial(self.working.step, -1),
            "accept": self.working.accept,
            "finish": self.working.finish,
            "disagreement": self.readers.go_to_next,
            "save": self._save,
        }
        self.keys.release()
        self.keys.bind({key: actions[action] for action, key in keys.items() if key})
        self.tools_box.show_keys(keys)

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
        self._follow_layer(recorder.layer if recorder is not None else None)
        if recorder is not None:
            self._window_watch.follow()
            recorder.protection = self.protect_box.protection
        self._show_sources(self.history_box.sources_box.isChecked())
        self.tools_box.status.setText("")
        self.history_box.status.setText("")
        self._on_changed()
        self._on_list()
        self._say_what_to_do()

    def _on_changed(self) -> None:
        self.history_box.show_history(self.desk.history)
        self.sources.redraw()
        # Counting a volume takes a moment; a hand that paints must not wait for it.
        self._summary_timer.start()

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
        self.history_box.status.setText(
            f"Saved {path.name} in {path.parent}, with a record of what was changed."
        )

    def _show_summary(self) -> None:
        history, case = self.desk.history, self.desk.case
        if history is not None and case is not None:
            self.history_box.show_summary(summarise(history, case.grid.voxel_ml))
            self.tools_box.show_strangers(strangers(history.labels))

    # --- What the parts say

    def _on_tool(self, tool: str) -> None:
        if tool in WAITING and not self.tools_box.buttons[tool].isChecked():
            self.toolbox.wait_for_no_click()
        else:
            self.use(tool)

    def _on_class(self, value: int) -> None:
        if self._followed is not None:
            self._followed.selected_label = value
            if str(self._followed.mode) == "pan_zoom":
                self._followed.mode = "paint"
            self._viewer.layers.selection.active = self._followed

    def _on_protection(self, protection: Protection) -> None:
        if self.desk.recorder is not None:
            self.desk.recorder.settle()
            self.desk.recorder.protection = protection

    def _on_list(self, event: object = None) -> None:
        layer = self.desk.layer
        self.history_box.back_button.setVisible(layer is not None and layer not in self._viewer.layers)

    def _bring_back(self) -> None:
        if self.desk.segment is not None:
            self.desk.segment.saving.corrected.bring_back()

    def _save(self) -> None:
        if self.desk.segment is not None and self.desk.recorder is not None:
            self.desk.recorder.settle()
            self.desk.segment.saving.ask_where_to_save_corrected()

    def save_dicom(self, series: Path, path: Path) -> bool:
        """Write the corrected labels as DICOM SEG of a series; True if that worked."""
        case, recorder = self.desk.case, self.desk.recorder
        if case is None or recorder is None:
            return False
        recorder.settle()
        labels, annotator = recorder.history.labels.copy(), plugin_settings().annotator

        def write(_progress: object) -> Path:
            from napari_rdl.case.dicom_seg import save_dicom_seg

            return save_dicom_seg(labels, case, series, path, annotator=annotator)

        try:
            written = while_the_window_lives(write, takes_input=False)
        except NapariRdlError as error:
            self.say_error(error)
            return False
        self.history_box.status.setText(f"Saved {written.name} in {written.parent}.")
        return True

    def _ask_for_dicom(self) -> None:
        case = self.desk.case
        if case is None:
            return
        folders = [file.parent for file in case.files.values()]
        start = str(folders[0] if folders else Path.home())
        series = QFileDialog.getExistingDirectory(self, "The DICOM series that the images came from", start)
        if not series:
            return
        proposed = str(Path(series).parent / f"{plain_name(case.name)}_seg_corrected.dcm")
        name, _ = QFileDialog.getSaveFileName(self, "Save as DICOM SEG", proposed, "DICOM (*.dcm)")
        if name:
            self.save_dicom(Path(series), Path(name))

    def _ask_where_to_keep(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Keep the journal of your work", "", "Journal (*.journal)"
        )
        if name:
            self.desk.keep_elsewhere(Path(name))

    def _show_sources(self, on: bool) -> None:
        self.sources.show(self.desk.case, self.desk.history if on else None)

    def _open_segment(self) -> None:
        open_segment_widget(self._viewer)

    def _follow_layer(self, layer: Labels | None) -> None:
        if self._followed is not None:
            self._followed.events.selected_label.disconnect(self._on_selected)
        self._followed = layer
        if layer is not None:
            layer.events.selected_label.connect(self._on_selected)
            self._on_selected()

    def _on_selected(self, event: object = None) -> None:
        if self._followed is not None:
            self.tools_box.show_class(int(self._followed.selected_label))

    def _say_what_to_do(self) -> None:
        case, work = self.desk.case, self.desk.recorder is not None
        encoded = self.desk.representations is not None
        if case is None:
            said = f"Open a patient in {WIDGET_NAME} and press Run: then its prediction is corrected here."
        elif work:
            said = f"{case.name}: painting on the layer '{self.desk.layer.name}'." if self.desk.layer else ""
        elif encoded:
            said = f"{case.name} is segmented."
        else:
            said = f"{case.name} is open but not segmented yet: press Run in {WIDGET_NAME}."
        self.patient.setText(said)
        self.open_button.setVisible(self.desk.segment is None)
        self.begin_button.setVisible(encoded and not work and not self.desk.held_by)
        for part in self.parts:
            part.setVisible(work)
        # A layer taken up without a run can be painted, and not refined.
        self.refining.box.setVisible(work and encoded)
        self.tools_box.set_possible(work=work, representations=encoded)
