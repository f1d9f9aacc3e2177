"""The boxes of Segment tumour on their own: no viewer, no model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from app_model import Action
from napari._app_model import get_app_model
from napari.components import ViewerModel
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QKeySequence
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_rdl.case.guessing import Unexplained
from napari_rdl.models import Expectation, bundled_model_path
from napari_rdl.plugin.parts.drops import Drops
from napari_rdl.plugin.parts.folded import FoldedMessages, FoldedText
from napari_rdl.plugin.segment.key_bindings import DEFAULT_KEYS, KeyEditor, ModalityKeys, why_not
from napari_rdl.plugin.segment.modality_box import ModalitySwitches
from napari_rdl.plugin.segment.patient_lists import UnexplainedList
from napari_rdl.plugin.segment.run_box import RunBox
from napari_rdl.plugin.segment.session import RunChoice
from napari_rdl.plugin.segment.volumes_table import ExpectationLabel, VolumesModel, VolumesTable, change

# --- drop target


def drag(*urls: str) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl(url) for url in urls])
    return data


def entering(data: QMimeData) -> QDragEnterEvent:
    return QDragEnterEvent(
        QPoint(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )


def test_a_folder_and_files_are_dropped_anywhere_on_a_widget_unless_it_is_at_work(shown, qtbot, qapp):
    widget = shown(QWidget())
    drops = Drops(widget)
    data = drag("file:///data/patient", "file:///data/b_t1.nii.gz")
    enter = entering(data)
    qapp.sendEvent(widget, enter)
    assert enter.isAccepted()
    assert not drops.frame.isHidden()
    drop = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    with qtbot.waitSignal(drops.dropped) as heard:
        qapp.sendEvent(widget, drop)
    assert heard.args == [[Path("/data/patient"), Path("/data/b_t1.nii.gz")]]
    assert drops.frame.isHidden()
    drops.set_taking(False)
    enter = entering(data)
    qapp.sendEvent(widget, enter)
    assert not enter.isAccepted()


def test_what_is_no_local_file_is_not_taken(shown, qapp):
    widget = shown(QWidget())
    Drops(widget)
    data = drag("https://example.org/patient")
    enter = entering(data)
    qapp.sendEvent(widget, enter)
    assert not enter.isAccepted()


def test_notes_and_cards_take_one_line_until_they_are_opened(shown, qapp):
    messages = shown(FoldedMessages("What looks wrong"))
    messages.resize(200, 30)
    messages.show_messages([("note", "a"), ("warning", "The skull is still there. Strip it."), ("note", "b")])
    assert messages.text() == "1 warning, 2 notes: The skull is still there. Strip it."
    said = messages.toggleButton().text()
    assert said.endswith("…")
    assert messages.toggleButton().fontMetrics().horizontalAdvance(said) <= 200
    closed = messages.sizeHint().height()
    messages.show()
    messages.expand(animate=False)
    assert messages.sizeHint().height() > 2 * closed
    messages.show_messages([])
    assert messages.isHidden()
    card = shown(FoldedText("The model"))
    card.setText("Trained on: nothing. Works at 2 mm.")
    assert "Trained on: nothing" in card.toggleButton().text()
    assert card.sizeHint().height() == closed
    assert card.text() == "Trained on: nothing. Works at 2 mm."


def test_an_image_that_no_name_explains_is_listed_with_a_guess_that_a_click_confirms(shown, qtbot):
    images = shown(UnexplainedList())
    paths = [Path("scan_7.nii.gz"), Path("scan_8.nii.gz")]
    images.show_images([Unexplained(paths[0], "T1c"), Unexplained(paths[1], None)], ("T1", "FLAIR"))
    assert [box.currentText() for box in images.boxes] == ["T1c", ""]
    assert [button.isEnabled() for button in images.buttons] == [True, False]
    with qtbot.waitSignal(images.chosen) as heard:
        images.buttons[0].click()
    assert heard.args == [{"T1c": paths[0]}]
    images.boxes[1].setCurrentIndex(1)
    images.boxes[1].activated.emit(1)
    with qtbot.waitSignal(images.chosen) as heard:
        images.buttons[1].click()
    assert heard.args == [{"T2": paths[1]}]
    images.show_images((), ("T1", "FLAIR"))
    assert images.isHidden()


# --- volumes


@pytest.mark.parametrize(
    ("now", "full", "text"),
    [(10, 10.04, "±0.0"), (12, 10, "+2.0 (+20 %)"), (5, 10, "-5.0 (-50 %)"), (3, 0, "+3.0"), (0, 0, "±0.0")],
)
def test_change_of_a_volume(now, full, text):
    assert change(now, full) == text


def test_the_table_shows_three_regions_and_says_when_they_change(qtbot, qapp):
    model = VolumesModel()
    assert [model.index(row, 1).data() for row in range(model.rowCount())] == ["–"] * 3
    with qtbot.waitSignal(model.dataChanged):
        model.set_volumes({"WT": 20.04, "TC": 8, "ET": 2}, {"WT": 25, "TC": 8, "ET": 1})
    cells = [[model.index(row, column).data() for column in range(3)] for row in range(3)]
    assert cells == [
        ["Whole (WT)", "20.0", "-5.0 (-20 %)"],
        ["Core (TC)", "8.0", "±0.0"],
        ["Enhancing (ET)", "2.0", "+1.0 (+100 %)"],
    ]
    model.set_corrected({"WT": 21, "TC": 8, "ET": 1.5})
    beside = [[model.index(row, column).data() for column in (2, 3)] for row in range(3)]
    assert beside == [["-5.0", "21.0"], ["±0.0", "8.0"], ["+1.0", "1.5"]]
    assert "NCR + ED + ET" in model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)


def test_what_to_expect_stands_in_words_as_the_card_has_them(shown):
    label = shown(ExpectationLabel())
    assert (label.text(), label.toolTip()) == ("", "")
    dice = {"WT": {"mean": 0.861, "low": 0.82, "high": 0.9, "patients": 16}}
    label.set_expectation(Expectation.model_validate({"dice": dice, "basis": "<b>four</b> folds"}))
    assert label.text() == "Expect WT Dice 0.86 (0.82 to 0.90)."
    assert "16 patients" in label.toolTip()
    assert "&lt;b&gt;four" in label.toolTip(), "a card's words are no markup"
    label.set_expectation(None)
    assert (label.text(), label.toolTip()) == ("", "")


def test_the_table_is_as_high_as_its_rows(shown):
    table = shown(VolumesTable())
    table.show()
    last = table.visualRect(table.volumes.index(2, 0))
    assert table.viewport().rect().contains(last)


# --- switches


def test_switches_follow_the_subset_and_say_only_what_a_user_flips(shown, qtbot):
    switches = shown(ModalitySwitches())
    flipped = []
    switches.flipped.connect(flipped.append)
    switches.set_present(("T1c", "FLAIR"))
    switches.show_subset(("T1c", "FLAIR"))
    assert flipped == []
    enabled = {name for name, switch in switches.switches.items() if switch.isEnabled()}
    assert enabled == {"T1c", "FLAIR"}
    assert "has no T1" in switches.switches["T1"].toolTip()
    switches.switches["T1c"].click()
    assert flipped == ["T1c"]
    switches.show_subset(("FLAIR",))
    assert not switches.switches["FLAIR"].isEnabled()
    assert switches.hint.text() == "Without T1c."


# --- keys


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("F2", "already flips T1c"),
        ("V", "napari's key"),
        ("Ctrl+G", "napari's key"),
        ("P", "napari's key"),
        ("Ctrl+Z", "napari's own keys"),
        ("Ctrl+Shift+Z", "napari's own keys"),
        ("Ctrl+K, Ctrl+L", "sequence"),
    ],
)
def test_keys_that_are_taken_are_refused(qapp, key, said):
    assert said in why_not(key, "T1", DEFAULT_KEYS)


def test_keys_of_napari_s_menus_are_refused(qapp):
    menus = get_app_model()
    key = next((str(rule.keybinding) for rule in menus.keybindings), "Ctrl+U")
    undo = menus.register_action(Action(id="t", title="t", callback=print, keybindings=[{"primary": key}]))
    assert "napari's own keys" in why_not(key, "T1", DEFAULT_KEYS)
    undo()


@pytest.mark.parametrize("key", ["F1", "F7", "Alt+1", "Ctrl+Shift+1", ""])
def test_keys_that_are_free(qapp, key):
    assert why_not(key, "T1", DEFAULT_KEYS) is None


def test_the_first_keys_are_free_in_napari(qapp):
    assert [why_not(key, name, DEFAULT_KEYS) for name, key in DEFAULT_KEYS.items()] == [None] * 4


def test_every_key_that_can_be_pressed_is_bound_as_napari_hears_it(qapp):
    viewer = ViewerModel()
    flipped = []
    keys = ModalityKeys(viewer, flipped.append)
    keys.bind({"T1": "Ctrl+Shift+PgDown", "T2": "-", "FLAIR": "Alt+,"})
    heard = {str(binding) for binding in viewer.keymap}
    assert heard == {"Ctrl+Shift+PageDown", "-", "Alt+,"}
    for function in list(viewer.keymap.values()):
        function(viewer)
    assert flipped == ["T1", "T2", "FLAIR"]
    keys.release()
    assert not viewer.keymap


def test_editing_a_key(shown, qtbot):
    editor = shown(KeyEditor(DEFAULT_KEYS))
    edit = editor.edits["T2"]
    edit.setKeySequence(QKeySequence("Alt+3"))
    with qtbot.waitSignal(editor.keys_changed) as heard:
        edit.editingFinished.emit()
    assert heard.args == [{**DEFAULT_KEYS, "T2": "Alt+3"}]
    edit.setKeySequence(QKeySequence("F1"))
    edit.editingFinished.emit()
    assert edit.keySequence().toString() == "Alt+3", "a key that is taken is put back"
    assert "already flips T1" in editor.message.messages[0][1]


# --- run box


def test_the_run_box_starts_with_the_bundled_model(shown):
    box = shown(RunBox())
    assert box.choice == RunChoice(None, "auto")
    assert not box.run_button.isEnabled()
    box.set_has_case(True)
    assert box.run_button.isEnabled()
    box.set_busy(True)
    assert not box.run_button.isEnabled()
    assert box.cancel_button.isEnabled()


def test_a_checkpoint_is_chosen_from_a_file_and_described(shown, qtbot, monkeypatch, tiny_checkpoint):
    box = shown(RunBox())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tiny_checkpoint), ""))
    with qtbot.waitSignal(box.choice_changed):
        box.model_box.activated.emit(box.model_box.count() - 1)
    assert box.choice.model == tiny_checkpoint
    assert "Trained on: nothing." in box.card_label.text()
    assert "2 × 2 × 2 mm" in box.card_label.text()
    assert box.models == (tiny_checkpoint,)
    box.model_box.setCurrentIndex(0)
    box.model_box.activated.emit(0)
    assert box.choice.model is None
    assert box.models == (tiny_checkpoint,), "it stays listed"


def test_all_bundled_weights_are_offered_and_are_no_recent_files(shown, qtbot, tiny_checkpoint):
    box = shown(RunBox())
    box.set_choice(RunChoice(tiny_checkpoint, "auto"))
    titles = [box.model_box.itemText(index) for index in range(box.model_box.count())]
    synthetic = titles.index("Bundled: synthetic")
    box.model_box.setCurrentIndex(synthetic)
    with qtbot.waitSignal(box.choice_changed):
        box.model_box.activated.emit(synthetic)
    assert box.choice.model == bundled_model_path("synthetic")
    assert box.model_box.currentText() == "Bundled: synthetic"
    assert "no real scan was used" in box.card_label.text()
    assert box.models == (tiny_checkpoint,)


def test_a_file_dialog_that_is_closed_changes_nothing(shown, qtbot, monkeypatch):
    box = shown(RunBox())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    box.model_box.setCurrentIndex(box.model_box.count() - 1)
    with qtbot.assertNotEmitted(box.choice_changed):
        box.model_box.activated.emit(box.model_box.count() - 1)
    assert box.choice.model is None


def test_devices_are_listed_by_what_people_call_them(shown):
    box = shown(RunBox())
    box.set_devices(["cuda:0", "cuda:1", "cpu"], "cuda:1")
    titles = [box.device_box.itemText(index) for index in range(box.device_box.count())]
    assert titles == ["Automatic", "GPU (CUDA) 0", "GPU (CUDA) 1", "CPU"]
    assert box.choice.device == "cuda:1"


# --- legend


def test_the_legend_says_what_the_colours_mean_in_both_looks(shown):
    from napari_rdl.plugin.parts.section import WrappedLabel
    from napari_rdl.plugin.segment.view_controls import ViewBox

    box = shown(ViewBox())
    texts = [label.text() for label in box.findChildren(WrappedLabel)]
    assert [text.rpartition("(")[2] for text in texts] == ["NCR)", "ED)", "ET)"]
    box.set_outlines(True)
    texts = [label.text() for label in box.findChildren(WrappedLabel)]
    assert [text.rpartition("(")[2] for text in texts] == ["WT)", "TC)", "ET)"]


def test_the_legend_has_the_colours_of_the_outlines():
    from napari.layers import Labels

    from napari_rdl.plugin.segment.view_controls import _legend
    from napari_rdl.plugin.viewer.class_colours import class_colours
    from napari_rdl.plugin.viewer.prediction import _outline_appearance

    layer = Labels(np.zeros((2, 2), np.uint8), colormap=_outline_appearance()["colormap"])
    for depth, (index, _) in enumerate(_legend(True), start=1):
        red, green, blue = (round(255 * value) for value in layer.get_color(depth)[:3])
        assert class_colours[index] == f"#{red:02x}{green:02x}{blue:02x}"
