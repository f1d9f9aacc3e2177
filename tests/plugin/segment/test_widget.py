"""The dock widget as a user goes through it: open, run, cancel, close, and what goes wrong."""

from __future__ import annotations

import re
import shutil
import threading
import time
from pathlib import Path

import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_rdl.brats import MODALITIES
from napari_rdl.errors import Cancelled
from napari_rdl.plugin.readers import read_patient
from napari_rdl.plugin.segment.session import RunChoice
from napari_rdl.plugin.viewer.roles import LAYER_KEY
from tests.plugin.seen import layer_state, of_role


def test_opening_shows_the_images_axially_and_allows_a_run(widget, brats_folder, finish):
    first = []

    def look(_patient):
        letters = [name for name in widget.viewer.canvas.overlays if name.startswith("napari_rdl")]
        first.append(([layer.metadata[LAYER_KEY]["modality"] for layer in widget.viewer.layers], letters))

    widget.opening.read.connect(look)
    widget.open_patient(brats_folder)
    finish(widget)
    assert first == [(["FLAIR"], [])], "what cannot be seen yet keeps no picture waiting"
    opened = widget
    assert opened.viewer.canvas.overlays["napari_rdl_left"].text == "R"
    images = [layer for layer in opened.viewer.layers if isinstance(layer, Image)]
    assert [layer.metadata[LAYER_KEY]["modality"] for layer in images] == list(MODALITIES)
    assert opened.viewer.dims.order == (2, 1, 0)
    assert opened.viewing.box.plane_buttons["axial"].isChecked()
    assert "T1, T1c, T2, FLAIR" in opened.patient_box.summary.text()
    assert opened.run_box.run_button.isEnabled()
    assert not opened.saving.box.copy_button.isEnabled()
    assert not any(switch.isEnabled() for switch in opened.switches.switches.values())


def test_a_patient_from_naparis_menus_is_taken(widget, brats_folder, finish, qtbot):
    for data in read_patient(brats_folder):
        widget.viewer.add_layer(Layer.create(*data))
    qtbot.waitUntil(lambda: widget.session.case is not None)
    finish(widget)
    before = layer_state(widget.viewer)
    assert widget.session.case.modalities == MODALITIES
    assert widget.run_box.run_button.isEnabled()
    assert widget.session.case.mask_file is not None
    # One who comes when a patient is open is left alone.
    other = read_patient(shutil.copytree(brats_folder, brats_folder.parent / "other"))[0]
    widget.viewer.add_layer(Layer.create(*other))
    qtbot.wait(50)
    finish(widget)
    widget.viewer.layers.pop()
    assert layer_state(widget.viewer) == before


def test_part_of_a_patient_is_no_patient(widget, brats_folder, qtbot):
    for data in read_patient(brats_folder)[:2]:
        widget.viewer.add_layer(Layer.create(*data))
    qtbot.wait(50)
    assert widget.session.case is None
    assert not widget.tasks.busy


def test_a_patient_is_looked_at_closely_when_its_picture_stands(
    widget, brats_folder, finish, qtbot, monkeypatch
):
    opened = []
    widget.opening.opened.connect(lambda *_: opened.append(True))
    monkeypatch.setattr(widget.opening._picture, "wait", lambda: None)
    widget.open_patient(brats_folder)
    qtbot.waitUntil(lambda: widget.session.case is not None)
    qtbot.wait(100)
    assert not opened
    assert widget.tasks.busy
    widget.opening._drawn.set()
    finish(widget)
    assert opened


def test_a_run_shows_the_prediction_of_all_modalities(encoded):
    (layer,) = of_role(encoded.viewer, "prediction")
    assert isinstance(layer, Labels)
    assert not layer.editable
    np.testing.assert_array_equal(layer.data, encoded.session.representations.labels())
    assert all(switch.isChecked() and switch.isEnabled() for switch in encoded.switches.switches.values())
    assert "tiny on cpu" in encoded.run_box.status.text()


def test_what_was_run_stands_there_after_other_work(encoded, finish):
    ran = encoded.run_box.status.text()
    assert "tiny on cpu" in ran
    encoded.viewing.box.expert_box.click()
    assert encoded.run_box.status.text() != ran
    finish(encoded)
    assert encoded.run_box.status.text() == ran
    encoded.viewing.box.expert_box.click()
    finish(encoded)


def test_a_run_tells_every_tile(opened, finish):
    heard = []
    opened.tasks.progressed.connect(lambda *step: heard.append(step))
    opened.run()
    assert opened.run_box.cancel_button.isEnabled()
    assert not opened.run_box.run_button.isEnabled()
    finish(opened)
    counted = [done for done, total, _ in heard if total]
    assert counted == sorted(counted)
    assert heard[-1][0] == heard[-1][1] >= len(MODALITIES)
    assert {f"Encoding {name}" for name in MODALITIES} <= {message for *_, message in heard}


def test_the_next_patient_takes_the_layers_of_the_last(encoded_alone, brats_folder, tmp_path, finish):
    widget, viewer = encoded_alone, encoded_alone.viewer
    before = of_role(viewer, "image")
    chooser = widget.patient_box.layer_assignment
    chooser.assign("T1", before[-1])
    widget.open_patient(shutil.copytree(brats_folder, tmp_path / "another"))
    finish(widget)
    assert of_role(viewer, "image") == before
    assert all(layer.name.startswith("another ") for layer in before)
    assert [layer.visible for layer in before] == [False, False, False, True]
    assert not of_role(viewer, "prediction"), "what was predicted of the last one is gone"
    assert chooser.assigned() == dict(zip(("T1", "T1c", "T2", "FLAIR"), before, strict=True))
    widget.run()
    finish(widget)
    (layer,) = of_role(viewer, "prediction")
    np.testing.assert_array_equal(layer.data, widget.session.representations.labels())


def test_opening_the_same_patient_again_needs_no_second_encode(encoded, brats_folder, finish, monkeypatch):
    import napari_rdl.segment

    first = encoded.session.representations

    def encode_again(*arguments, **settings):
        raise AssertionError("encoded twice")

    monkeypatch.setattr(napari_rdl.segment, "encode", encode_again)
    encoded.open_patient(brats_folder)
    finish(encoded)
    assert encoded.session.representations == first.of(encoded.session.case)
    encoded.run()
    finish(encoded)
    assert encoded.session.representations == first.of(encoded.session.case)
    assert encoded.messages.messages == ()
    (layer,) = of_role(encoded.viewer, "prediction")
    np.testing.assert_array_equal(layer.data, first.labels())
    assert len(of_role(encoded.viewer, "image")) == len(MODALITIES)


def test_cancel_leaves_the_patient_without_a_prediction(opened, qtbot, finish, monkeypatch):
    at_work = threading.Event()

    def slow(case, choice, progress, cancelled):
        at_work.set()
        while not cancelled():
            progress(1, 100, "Encoding T1")
        raise Cancelled

    monkeypatch.setattr(opened.session, "encode", slow)
    before = layer_state(opened.viewer)
    opened.run()
    qtbot.waitUntil(at_work.is_set)
    qtbot.mouseClick(opened.run_box.cancel_button, Qt.MouseButton.LeftButton)
    finish(opened)
    assert layer_state(opened.viewer) == before
    assert opened.session.representations is None
    assert opened.run_box.status.text() == "Cancelled."
    assert opened.run_box.run_button.isEnabled()
    assert not opened.run_box.progress_bar.isVisibleTo(opened)


def test_the_real_encode_is_cancelled_between_tiles(opened, qtbot, finish):
    opened.tasks.progressed.connect(lambda done, total, message: done == 1 and opened.cancel())
    opened.run()
    finish(opened)
    assert opened.session.representations is None
    assert opened.run_box.status.text() == "Cancelled."


def test_closing_the_viewer_during_a_run_ends_it_at_once(opened, qtbot, monkeypatch):
    at_work, ended = threading.Event(), threading.Event()

    def slow(case, choice, progress, cancelled):
        at_work.set()
        while not cancelled():
            pass
        ended.set()
        raise Cancelled

    monkeypatch.setattr(opened.session, "encode", slow)
    opened.run()
    qtbot.waitUntil(at_work.is_set)
    opened.viewer.close()
    assert ended.is_set()


def test_taking_the_dock_away_during_a_run_ends_it(opened, qtbot, monkeypatch):
    at_work, ended = threading.Event(), threading.Event()

    def slow(case, choice, progress, cancelled):
        at_work.set()
        while not cancelled():
            pass
        ended.set()
        raise Cancelled

    monkeypatch.setattr(opened.session, "encode", slow)
    opened.run()
    qtbot.waitUntil(at_work.is_set)
    opened.viewer.window.remove_dock_widget(opened)
    assert ended.is_set()


def test_a_checkpoint_that_is_none_is_refused_in_a_sentence(opened, tmp_path, finish):
    from napari_rdl.plugin.segment.session import RunChoice

    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"nothing of the kind")
    opened.run_box.set_choice(RunChoice(model=path, device="cpu"))
    assert "choose a checkpoint saved by napari-rdl" in opened.run_box.card_label.text()
    before = layer_state(opened.viewer)
    opened.run()
    finish(opened)
    assert "weights.safetensors" in opened.messages.messages[0][1]
    assert layer_state(opened.viewer) == before


def test_what_nobody_expected_is_logged_and_said(opened, finish, caplog, monkeypatch):
    def broken(case, choice, progress, cancelled):
        raise ZeroDivisionError("a slip")

    monkeypatch.setattr(opened.session, "encode", broken)
    opened.run()
    finish(opened)
    assert "ZeroDivisionError: a slip" in opened.messages.messages[0][1]
    assert any(record.exc_info for record in caplog.records if record.name.startswith("napari_rdl.plugin"))
    assert opened.run_box.run_button.isEnabled()


def test_the_time_told_is_the_time_waited(opened, finish, monkeypatch):
    encode = opened.session.encode

    def slowly(*arguments):
        time.sleep(1.5)
        return encode(*arguments)

    monkeypatch.setattr(opened.session, "encode", slowly)
    began = time.monotonic()
    opened.run()
    finish(opened)
    waited = time.monotonic() - began
    (told,) = re.findall(r"(\d+\.\d) s\.", opened.run_box.status.text())
    assert 1.5 <= float(told) <= waited + 0.1


def test_dialogs_begin_with_the_patient_or_at_home(encoded, brats_folder, monkeypatch, tmp_path):
    starts = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda _parent, _title, start: starts.append(start) or ""
    )
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda _parent, _title, start, _kind: (starts.append(start) or "", "")
    )
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda _parent, _title, start, _kind: (starts.append(start) or "", "")
    )
    encoded.patient_box.open_button.click()
    encoded.saving.box.save_prediction_button.click()
    encoded.saving.correct_a_copy()
    encoded.saving.box.save_corrected_button.click()
    encoded.run_box.set_choice(RunChoice())
    encoded.run_box.model_box.activated.emit(encoded.run_box.model_box.count() - 1)
    home = str(Path.home())
    corrected = str(brats_folder / "BraTS2021_90001_seg_corrected.nii.gz")
    prediction = str(brats_folder / "BraTS2021_90001_seg.nii.gz")
    assert starts == [home, prediction, corrected, home]


def test_choices_are_remembered(widget, make_napari_viewer, tiny_checkpoint, brats_folder, finish):
    from napari_rdl.plugin.segment.widget import SegmentWidget

    widget.run_box.choice_changed.emit()
    widget.viewing.box.outlines_box.setChecked(True)
    widget.viewing.box.plane_buttons["coronal"].click()
    widget.key_editor.keys_changed.emit({"T1": "F9", "T1c": "F2", "T2": "F3", "FLAIR": "F4"})
    widget.patient_box.paths_chosen.emit([brats_folder])
    finish(widget)
    widget.viewing.box.grid_box.setChecked(True)

    again = SegmentWidget(make_napari_viewer())
    assert again.run_box.choice.model == tiny_checkpoint
    assert again.run_box.choice.device == "cpu"
    assert again.viewing.box.outlines_box.isChecked()
    assert again.viewing.box.plane_buttons["coronal"].isChecked()
    assert again.keys.bound["T1"] == "F9"
    assert again.patient_box.start_folder == brats_folder
    again.open_patient(brats_folder)
    finish(again)
    assert again.viewing.box.grid_box.isChecked()
    again.shut_down()


def test_the_tab_key_goes_from_top_to_bottom(widget):
    widget.show()
    inside = widget._pages[0].widget()
    walked, current = [], widget.patient_box.open_button
    while True:
        if current.focusPolicy() & Qt.FocusPolicy.TabFocus and current.isVisibleTo(inside):
            place = current.mapTo(inside, current.rect().topLeft())
            walked.append((place.y() // 12, place.x()))
        current = current.nextInFocusChain()
        if current is widget.patient_box.open_button or not inside.isAncestorOf(current):
            break
    assert len(walked) > 10
    assert walked == sorted(walked)
