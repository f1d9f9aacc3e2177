"""The dock widget as a user goes through it: open, run, switch, correct, save, and what goes wrong."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import threading
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from app_model.backends.qt import qkeysequence2modelkeybinding
from napari.layers import Image, Labels
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QKeySequence
from qtpy.QtWidgets import QColorDialog, QFileDialog, QMessageBox

from napari_rdl.brats import CLASS_COLOURS, MODALITIES, SUBSETS
from napari_rdl.case import load_case, save_correction
from napari_rdl.errors import Cancelled
from napari_rdl.models import ModelCard, load_model, save_model
from napari_rdl.plugin.readers import read_paths
from napari_rdl.plugin.segment import widget as widget_module
from napari_rdl.plugin.segment.session import RunChoice
from napari_rdl.plugin.settings import PluginSettings
from napari_rdl.plugin.viewer.class_colours import class_colours
from napari_rdl.plugin.viewer.roles import LAYER_KEY
from napari_rdl.plugin.viewer.tumour_view import largest_piece


def layer_state(viewer) -> list[tuple[str, int, bytes]]:
    """What a failure must leave as it was: which layers there are, and their data."""
    return [(layer.name, id(layer), np.asarray(layer.data).tobytes()) for layer in viewer.layers]


def of_role(viewer, role: str) -> list:
    return [layer for layer in viewer.layers if layer.metadata.get(LAYER_KEY, {}).get("role") == role]


def forbid_questions(monkeypatch) -> None:
    def ask(*arguments, **settings):
        raise AssertionError(f"asked: {arguments[1:3]}")

    monkeypatch.setattr(QMessageBox, "warning", ask)
    monkeypatch.setattr(QMessageBox, "question", ask)


def answer(monkeypatch, button: QMessageBox.StandardButton) -> list[str]:
    """Answer every question with `button`; returns the list that the questions are added to."""
    asked: list[str] = []

    def ask(parent, title, text, *buttons):
        asked.append(text)
        return button

    monkeypatch.setattr(QMessageBox, "warning", ask)
    monkeypatch.setattr(QMessageBox, "question", ask)
    return asked


def test_opening_shows_the_images_axially_and_allows_a_run(opened):
    images = [layer for layer in opened.viewer.layers if isinstance(layer, Image)]
    assert [layer.metadata[LAYER_KEY]["modality"] for layer in images] == list(MODALITIES)
    assert opened.viewer.dims.order == (2, 1, 0)
    assert opened.viewing.box.plane_buttons["axial"].isChecked()
    assert "T1, T1c, T2, FLAIR" in opened.patient_box.summary.text()
    assert opened.run_box.run_button.isEnabled()
    assert not opened.saving.box.copy_button.isEnabled()
    assert not any(switch.isEnabled() for switch in opened.switches.switches.values())


def test_a_run_shows_the_prediction_of_all_modalities(encoded):
    (layer,) = of_role(encoded.viewer, "prediction")
    assert isinstance(layer, Labels)
    assert not layer.editable
    np.testing.assert_array_equal(layer.data, encoded.session.representations.labels())
    assert all(switch.isChecked() and switch.isEnabled() for switch in encoded.switches.switches.values())
    assert "tiny on cpu" in encoded.run_box.status.text()


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


def test_the_prediction_equals_the_labels_of_each_subset(encoded, finish):
    (layer,) = of_role(encoded.viewer, "prediction")
    representations = encoded.session.representations
    seen = set()
    for subset in SUBSETS:
        encoded.set_subset(subset)
        finish(encoded)
        expected = representations.labels(subset)
        np.testing.assert_array_equal(layer.data, expected)
        shown = {name for name, switch in encoded.switches.switches.items() if switch.isChecked()}
        assert shown == set(subset)
        seen.add(expected.tobytes())
    assert len(seen) > 5, "the tiny model should tell subsets apart"
    assert of_role(encoded.viewer, "prediction") == [layer]


def test_a_flip_draws_the_slice_in_view_before_the_volume(encoded, finish, qtbot):
    (layer,) = of_role(encoded.viewer, "prediction")
    representations = encoded.session.representations
    before = layer.data.copy()
    index = round(encoded.viewer.dims.point[2] - layer.translate[2])
    encoded.session.flip("T1c")
    subset = ("T1", "T2", "FLAIR")
    assert encoded.updater.pending
    np.testing.assert_array_equal(layer.data[:, :, index], representations.label_slice(subset, 2, index))
    others = np.delete(np.arange(before.shape[2]), index)
    np.testing.assert_array_equal(layer.data[:, :, others], before[:, :, others])
    encoded.viewer.dims.set_current_step(2, index - 2)
    np.testing.assert_array_equal(
        layer.data[:, :, index - 2], representations.label_slice(subset, 2, index - 2)
    )
    finish(encoded)
    np.testing.assert_array_equal(layer.data, representations.labels(subset))


def test_the_last_of_many_quick_flips_wins(encoded, finish):
    for modality in ("T1", "T1c", "T2", "T1", "FLAIR", "T1c"):
        encoded.session.flip(modality)
    finish(encoded)
    assert encoded.session.subset == ("T1", "T1c")
    (layer,) = of_role(encoded.viewer, "prediction")
    np.testing.assert_array_equal(layer.data, encoded.session.representations.labels(("T1", "T1c")))


def test_clicking_a_switch_flips_and_the_last_one_stays_on(encoded, qtbot, finish):
    for modality in ("T1", "T1c", "T2"):
        encoded.switches.switches[modality].click()
    assert encoded.session.subset == ("FLAIR",)
    assert not encoded.switches.switches["FLAIR"].isEnabled()
    encoded.session.flip("FLAIR")
    assert encoded.session.subset == ("FLAIR",)
    encoded.switches.all_button.click()
    assert encoded.session.subset == MODALITIES
    finish(encoded)


def test_a_key_flips_in_the_viewer(encoded, finish):
    from napari.utils.key_bindings import coerce_keybinding

    encoded.viewer.keymap[coerce_keybinding("F2")](encoded.viewer)
    assert encoded.session.subset == ("T1", "T2", "FLAIR")
    encoded.key_editor.keys_changed.emit({"T1": "F1", "T1c": "Alt+9", "T2": "F3", "FLAIR": "F4"})
    assert coerce_keybinding("F2") not in encoded.viewer.keymap
    encoded.viewer.keymap[coerce_keybinding("Alt-9")](encoded.viewer)
    assert encoded.session.subset == MODALITIES
    assert "Alt+9" in encoded.switches.switches["T1c"].text()
    finish(encoded)


def test_volumes_and_their_change_against_the_full_set(encoded, finish):
    encoded.set_subset(("T2",))
    finish(encoded)
    representations = encoded.session.representations
    now, full = (representations.combine(subset).volumes_ml() for subset in (("T2",), None))
    table = encoded.volumes_table.volumes
    for row, region in enumerate(("WT", "TC", "ET")):
        assert table.index(row, 1).data() == f"{now[region]:.1f}"
        difference = now[region] - full[region]
        expected = f"{difference:+.1f}" if abs(difference) >= 0.05 else "±0.0"
        assert table.index(row, 2).data().split(" ")[0] == expected
    assert any(abs(now[region] - full[region]) >= 0.05 for region in now), "a model that hears its input"


def test_what_to_expect_of_the_subset_shown_stands_under_its_volumes(
    opened, tiny_checkpoint, tmp_path, finish
):
    model = load_model(tiny_checkpoint)
    expected = {"FLAIR": {"dice": {"WT": {"mean": 0.71, "low": 0.6, "high": 0.8, "patients": 16}}}}
    card = ModelCard.model_validate({**model.card.model_dump(), "expected": expected})
    opened.run_box.choose_model(save_model(tmp_path / "told.safetensors", model.network, card))
    opened.run()
    finish(opened)
    assert opened.expectation.text() == ""
    opened.set_subset(("FLAIR",))
    finish(opened)
    assert opened.expectation.text() == "Expect WT Dice 0.71 (0.60 to 0.80)."
    opened.set_subset(("T1", "FLAIR"))
    finish(opened)
    assert opened.expectation.text() == ""


def test_outlines_switch_the_prediction_and_back(encoded):
    encoded.viewing.box.outlines_box.setChecked(True)
    (outline,) = of_role(encoded.viewer, "outline")
    (prediction,) = of_role(encoded.viewer, "prediction")
    assert outline.visible
    assert not prediction.visible
    encoded.viewing.box.outlines_box.setChecked(False)
    assert prediction.visible
    assert not outline.visible


def test_a_flip_in_another_plane_draws_that_plane(encoded, finish):
    encoded.viewing.box.plane_buttons["coronal"].click()
    assert encoded.viewer.dims.order == (1, 2, 0)
    encoded.viewing.box.plane_buttons["sagittal"].click()
    assert encoded.viewer.dims.order == (0, 2, 1)
    assert encoded.viewing.box.plane_buttons["sagittal"].isChecked()
    (layer,) = of_role(encoded.viewer, "prediction")
    index = round(float(layer.world_to_data(encoded.viewer.dims.point)[0]))
    encoded.session.flip("FLAIR")
    expected = encoded.session.representations.label_slice(("T1", "T1c", "T2"), 0, index)
    np.testing.assert_array_equal(layer.data[index], expected)
    finish(encoded)


def test_the_grid_of_modalities_keeps_up_with_flips(encoded, finish):
    encoded.viewing.box.grid_box.setChecked(True)
    assert encoded.viewer.canvas.grid.enabled
    before = encoded.session.representations.labels()
    twins = of_role(encoded.viewer, "twin")
    assert len(twins) == 3
    drawn = []
    for twin in twins:
        twin.events.set_data.connect(lambda event: drawn.append(event.source))
    encoded.session.flip("T1")
    finish(encoded)
    flipped = encoded.session.representations.labels(("T1c", "T2", "FLAIR"))
    assert (flipped != before).any(), "a model that hears its input"
    for twin in twins:
        assert twin in drawn
        np.testing.assert_array_equal(twin.data, flipped)
    encoded.viewing.box.grid_box.setChecked(False)
    assert not encoded.viewer.canvas.grid.enabled
    (layer,) = of_role(encoded.viewer, "prediction")
    assert of_role(encoded.viewer, "twin") == []
    np.testing.assert_array_equal(layer.data, flipped)


def test_opening_the_same_patient_again_needs_no_second_encode(encoded, brats_folder, finish, monkeypatch):
    import napari_rdl.segment

    first = encoded.session.representations

    def encode_again(*arguments, **settings):
        raise AssertionError("encoded twice")

    monkeypatch.setattr(napari_rdl.segment, "encode", encode_again)
    encoded.open_patient(brats_folder)
    finish(encoded)
    assert encoded.session.representations is first
    encoded.run()
    finish(encoded)
    assert encoded.session.representations is first
    assert encoded.messages.messages == ()
    (layer,) = of_role(encoded.viewer, "prediction")
    np.testing.assert_array_equal(layer.data, first.labels())
    assert len(of_role(encoded.viewer, "image")) == len(MODALITIES)


def test_cancel_leaves_the_patient_without_a_prediction(opened, qtbot, finish):
    at_work = threading.Event()

    def slow(case, choice, progress, cancelled):
        at_work.set()
        while not cancelled():
            progress(1, 100, "Encoding T1")
        raise Cancelled

    opened.session.encode = slow
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


def test_closing_the_viewer_during_a_run_ends_it_at_once(opened, qtbot):
    at_work, ended = threading.Event(), threading.Event()

    def slow(case, choice, progress, cancelled):
        at_work.set()
        while not cancelled():
            pass
        ended.set()
        raise Cancelled

    opened.session.encode = slow
    opened.run()
    qtbot.waitUntil(at_work.is_set)
    opened.viewer.close()
    assert ended.is_set()


def test_taking_the_dock_away_during_a_run_ends_it(opened, qtbot):
    at_work, ended = threading.Event(), threading.Event()

    def slow(case, choice, progress, cancelled):
        at_work.set()
        while not cancelled():
            pass
        ended.set()
        raise Cancelled

    opened.session.encode = slow
    opened.run()
    qtbot.waitUntil(at_work.is_set)
    opened.viewer.window.remove_dock_widget(opened)
    assert ended.is_set()


def cut_off(folder):
    path = next(folder.glob("*_t1ce.nii.gz"))
    path.write_bytes(path.read_bytes()[:200])


def text_file(folder):
    path = next(folder.glob("*_t2.nii.gz"))
    path.write_bytes(gzip.compress(b"this is no image"))


def no_modality(folder):
    for path in folder.glob("*.nii.gz"):
        path.unlink()


@pytest.mark.parametrize("damage", [cut_off, text_file, no_modality])
def test_a_patient_that_cannot_be_read_touches_no_layer(encoded, brats_folder, tmp_path, finish, damage):
    bad = tmp_path / "BraTS2021_90001"
    bad.mkdir()
    for path in brats_folder.iterdir():
        (bad / path.name).write_bytes(path.read_bytes())
    damage(bad)
    before = layer_state(encoded.viewer)
    case, representations = encoded.session.case, encoded.session.representations
    encoded.open_patient(bad)
    finish(encoded)
    ((level, sentence),) = encoded.messages.messages
    assert level == "error"
    assert str(bad) in sentence or bad.name in sentence
    assert layer_state(encoded.viewer) == before
    assert encoded.session.case is case
    assert encoded.session.representations is representations


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


def test_what_nobody_expected_is_logged_and_said(opened, finish, caplog):
    def broken(case, choice, progress, cancelled):
        raise ZeroDivisionError("a slip")

    opened.session.encode = broken
    opened.run()
    finish(opened)
    assert "ZeroDivisionError: a slip" in opened.messages.messages[0][1]
    assert any(record.exc_info for record in caplog.records if record.name.startswith("napari_rdl.plugin"))
    assert opened.run_box.run_button.isEnabled()


def test_different_grids_are_refused_and_resampled_when_asked(widget, brats_folder, tmp_path, finish):
    folder = tmp_path / "shifted"
    folder.mkdir()
    for path in brats_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    flair = next(folder.glob("*_flair.nii.gz"))
    image = nib.load(flair)
    affine = image.affine.copy()
    affine[:3, 3] += 2.5
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), flair)
    widget.open_patient(folder)
    finish(widget)
    assert "flair" in widget.messages.messages[0][1]
    assert len(widget.viewer.layers) == 0
    assert widget.patient_box.resample_button.isVisibleTo(widget)
    widget.patient_box.resample_button.click()
    finish(widget)
    assert widget.session.case.resampled
    assert not widget.patient_box.resample_button.isVisibleTo(widget)
    assert len(widget.viewer.layers) == len(MODALITIES)


def test_a_corrected_copy_is_written_by_no_switch_and_no_run(encoded, finish, monkeypatch):
    forbid_questions(monkeypatch)
    encoded.set_subset(("T1c", "FLAIR"))
    encoded.saving.correct_a_copy()
    layer = encoded.saving.corrected.layer
    np.testing.assert_array_equal(layer.data, encoded.session.representations.labels(("T1c", "FLAIR")))
    assert layer.editable
    layer.data_setitem(tuple(np.array([[1, 2, 3]]).T), 3)
    edited = layer.data.copy()
    (prediction,) = of_role(encoded.viewer, "prediction")
    assert not prediction.visible, "it would lie under the copy in the same colours"
    encoded.session.flip("T1")
    assert prediction.visible
    finish(encoded)
    encoded.run()
    finish(encoded)
    np.testing.assert_array_equal(layer.data, edited)
    assert layer in encoded.viewer.layers


def test_a_run_shows_its_prediction_in_place_of_the_corrected_layer(encoded, finish):
    encoded.saving.correct_a_copy()
    corrected = encoded.saving.corrected.layer
    corrected.data[0, 0, 0] = 1
    (prediction,) = of_role(encoded.viewer, "prediction")
    assert (prediction.visible, corrected.visible) == (False, True)
    encoded.run()
    finish(encoded)
    assert (prediction.visible, corrected.visible) == (True, False)
    assert corrected.data[0, 0, 0] == 1
    assert encoded.saving.corrected.unsaved


def test_corrections_are_saved_on_the_native_grid(encoded, brats_folder, tmp_path, monkeypatch, finish):
    encoded.saving.correct_a_copy()
    layer = encoded.saving.corrected.layer
    layer.data[:] = 0
    layer.data[3:6, 4:9, 2:4] = 3
    path = tmp_path / "out" / "mine"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    assert encoded.saving.corrected.unsaved
    encoded.saving.box.save_corrected_button.click()
    assert not encoded.saving.corrected.unsaved
    written = nib.load(tmp_path / "out" / "mine.nii.gz")
    image = nib.load(next(brats_folder.glob("*_t1.nii.gz")))
    np.testing.assert_array_equal(written.affine, image.affine)
    assert written.shape == image.shape
    values, counts = np.unique(np.asarray(written.dataobj), return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True))[4] == 3 * 5 * 2


@pytest.fixture
def correction(brats_folder, tmp_path):
    """A saved correction of the small patient: its expert mask, and one voxel more."""
    case = load_case(brats_folder)
    classes = case.truth()
    classes[0, 0, 0] = 3
    return save_correction(classes, case, tmp_path / "BraTS2021_90001_seg_corrected.nii.gz")


@pytest.mark.parametrize("first", ["patient", "correction"])
def test_a_saved_correction_is_gone_on_with(
    widget, brats_folder, correction, finish, qtbot, monkeypatch, first
):
    def open_patient():
        widget.open_patient(brats_folder)
        finish(widget)

    def open_correction():
        widget.viewer.open(correction, plugin="napari-rdl")

    steps = [open_patient, open_correction]
    for step in steps if first == "patient" else reversed(steps):
        step()
    qtbot.waitUntil(lambda: widget.saving.corrected.layer is not None)
    (layer,) = of_role(widget.viewer, "corrected")
    assert layer is widget.saving.corrected.layer
    assert set(layer.colormap.color_dict) == {None, 0, 1, 2, 3}
    assert not widget.saving.corrected.unsaved
    assert correction.name in widget.saving.box.status.text()
    layer.data[0, 0, 1] = 3
    assert widget.saving.corrected.unsaved
    starts = []

    def same_file(parent, title, start, kinds):
        starts.append(start)
        return start, ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", same_file)
    widget.saving.box.save_corrected_button.click()
    assert starts == [str(correction)]
    ((again, _, _),) = read_paths(str(correction))
    np.testing.assert_array_equal(again, layer.data)


def test_unsaved_corrections_are_not_displaced_by_a_file(encoded, correction, qtbot):
    encoded.saving.correct_a_copy()
    mine = encoded.saving.corrected.layer
    mine.data[0, 0, 0] = 1
    encoded.viewer.open(correction, plugin="napari-rdl")
    qtbot.waitUntil(lambda: "not saved" in encoded.saving.box.status.text())
    assert encoded.saving.corrected.layer is mine
    assert len(of_role(encoded.viewer, "mask")) == 1


def test_painting_no_class_is_refused_on_saving(encoded, correction, qtbot, tmp_path):
    encoded.viewer.open(correction, plugin="napari-rdl")
    qtbot.waitUntil(lambda: encoded.saving.corrected.layer is not None)
    before = correction.read_bytes()
    encoded.saving.corrected.layer.data[1, 1, 1] = 4
    assert not encoded.saving.save_corrected(correction)
    assert "the label 4, which is no class" in encoded.messages.messages[-1][1]
    assert correction.read_bytes() == before


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


@pytest.mark.parametrize(
    ("button", "opens"),
    [(QMessageBox.StandardButton.Cancel, False), (QMessageBox.StandardButton.Discard, True)],
)
def test_unsaved_corrections_are_asked_about_before_they_are_lost(
    encoded, brats_folder, monkeypatch, finish, button, opens
):
    encoded.saving.correct_a_copy()
    encoded.saving.corrected.layer.data[0, 0, 0] = 1
    first = encoded.saving.corrected.layer
    asked = answer(monkeypatch, button)
    encoded.open_patient(brats_folder)
    finish(encoded)
    assert len(asked) == 1
    assert of_role(encoded.viewer, "corrected") == ([] if opens else [first])
    if not opens:
        encoded.saving.correct_a_copy()
        assert len(asked) == 2
        assert encoded.saving.corrected.layer is first


def test_nothing_is_asked_where_nothing_would_be_lost(encoded, brats_folder, monkeypatch, finish):
    forbid_questions(monkeypatch)
    encoded.saving.correct_a_copy()
    encoded.saving.correct_a_copy()
    encoded.open_patient(brats_folder)
    finish(encoded)


def test_saving_the_prediction_writes_the_subset_shown_and_asks_before_replacing(
    encoded, tmp_path, monkeypatch, finish
):
    encoded.set_subset(("T1c", "FLAIR"))
    path = tmp_path / "BraTS2021_90001_seg_T1c+FLAIR.nii.gz"
    # The name that is suggested, in a folder of the user's choice; a name without ending gets one.
    chosen = lambda _parent, _title, start, _kinds: (str(tmp_path / Path(start).name[:-7]), "")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    encoded.saving.box.save_prediction_button.click()
    finish(encoded)
    assert path.is_file()
    assert path.with_name("BraTS2021_90001_seg_T1c+FLAIR.json").is_file()
    before = path.stat().st_mtime_ns
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    encoded.saving.box.save_prediction_button.click()
    finish(encoded)
    assert len(asked) == 1
    assert path.stat().st_mtime_ns == before


def test_a_folder_that_cannot_be_written_is_said(encoded, tmp_path, finish):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    encoded.saving.save_prediction(blocked / "out" / "a.nii.gz")
    finish(encoded)
    assert encoded.messages.messages[0][0] == "error"
    assert str(blocked) in encoded.messages.messages[0][1]


def test_layers_without_a_file_are_segmented_on_their_own_grid(widget, finish):
    from tests.conftest import tiny_arrays

    images, _ = tiny_arrays()
    layers = {
        name: widget.viewer.add_image(image, name=f"mine {name}", scale=(1, 1, 2), translate=(5, 6, 7))
        for name, image in images.items()
        if name in ("T1c", "FLAIR")
    }
    before = layer_state(widget.viewer)
    assert widget.patient_box.layer_assignment.assigned() == layers
    widget.use_layers(layers, run=True)
    finish(widget)
    finish(widget)
    case = widget.session.case
    assert case.modalities == ("T1c", "FLAIR")
    assert any("without a file" in message for _, message in widget.patient_box.findings.messages)
    (prediction,) = of_role(widget.viewer, "prediction")
    assert tuple(prediction.scale) == (1, 1, 2)
    assert tuple(prediction.translate) == (5, 6, 7)
    assert layer_state(widget.viewer)[:2] == before
    assert widget.switches.switches["FLAIR"].isEnabled()
    assert not widget.switches.switches["T1"].isEnabled()


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


def test_closing_the_window_asks_about_unsaved_corrections(encoded, make_napari_viewer, monkeypatch, qtbot):
    window = encoded.window()
    window.show()
    qtbot.waitExposed(window)
    encoded.saving.correct_a_copy()
    encoded.saving.corrected.layer.data[0, 0, 0] = 1
    asked = answer(monkeypatch, QMessageBox.StandardButton.Cancel)
    window.close()
    assert len(asked) == 1
    assert window.isVisible()
    assert encoded.keys.bound, "the widget lives on"
    answer(monkeypatch, QMessageBox.StandardButton.Discard)
    encoded.viewer.close()


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


def test_after_a_run_the_view_goes_to_the_tumour_once_and_the_key_goes_there_again(encoded, finish):
    viewer, segmentation = encoded.viewer, encoded.updater.segmentation
    box, piece = largest_piece(segmentation.labels)
    most = box[2].start + int(piece.sum(axis=(0, 1)).argmax())
    assert viewer.dims.current_step[2] == most
    elsewhere = (most + 3) % segmentation.labels.shape[2]
    viewer.dims.set_current_step(2, elsewhere)
    encoded.run()
    finish(encoded)
    assert viewer.dims.current_step[2] == elsewhere
    viewer.keymap[qkeysequence2modelkeybinding(QKeySequence("T"))](viewer)
    assert viewer.dims.current_step[2] == most
    assert encoded.viewing.box.tumour_button.isEnabled()


def test_the_corrected_layer_is_an_outline_beside_the_filled_prediction_and_has_volumes(
    encoded, finish, qtbot
):
    encoded.saving.correct_a_copy()
    corrected = encoded.saving.corrected.layer
    (prediction,) = of_role(encoded.viewer, "prediction")
    assert (prediction.visible, corrected.contour) == (False, 0)
    # Its volumes stand beside the prediction's, and follow the brush.
    table, ml = encoded.volumes_table, corrected.metadata[LAYER_KEY]["source"].grid.voxel_ml
    assert not table.isColumnHidden(3)
    assert table.volumes.index(2, 3).data() == f"{(corrected.data == 3).sum() * ml:.1f}"
    corrected.data[:] = 0
    corrected.data_setitem((np.arange(10), np.arange(10), np.arange(10)), 3)
    qtbot.waitUntil(lambda: table.volumes.index(2, 3).data() == f"{10 * ml:.1f}")
    encoded.session.flip("T1")
    finish(encoded)
    assert (prediction.visible, corrected.contour) == (True, 2)
    encoded.viewing.box.outlines_box.setChecked(True)
    assert (prediction.visible, corrected.contour) == (False, 0)


def test_a_folder_of_several_patients_offers_their_list(widget, patients_folder, finish, monkeypatch):
    widget.open_patient(patients_folder)
    finish(widget)
    patients = widget.patient_box.patients
    assert widget.session.case is None
    assert [patients.box.itemText(number) for number in range(4)] == [
        f"BraTS2021_9100{number}" for number in range(4)
    ]
    assert patients.box.placeholderText() == "4 patients: choose one"
    monkeypatch.setattr(widget_module, "plugin_settings", lambda: PluginSettings(run_on_open=True))
    patients.after_button.click()
    finish(widget)
    assert widget.session.case.name == "BraTS2021_91000"
    assert widget.session.representations is not None, "it runs when a patient opens, where that is set"
    assert patients.box.currentIndex() == 0
    assert not patients.before_button.isEnabled()
    widget.open_patient(patients_folder / "BraTS2021_91003")
    finish(widget)
    assert patients.box.currentIndex() == 3


def test_the_experts_mask_is_a_click_away_and_resampled_where_that_is_asked_for(
    widget, brats_folder, tmp_path, finish
):
    folder = shutil.copytree(brats_folder, tmp_path / "BraTS2021_90002")
    for file in sorted(folder.iterdir()):
        file.rename(folder / file.name.replace("90001", "90002"))
    mask = folder / "BraTS2021_90002_seg.nii.gz"
    image = nib.load(mask)
    coarse = np.asarray(image.dataobj)[::2]
    affine = image.affine @ np.diag([2, 1, 1, 1])
    affine[:3, 3] += image.affine[:3, 0] / 2
    nib.save(nib.Nifti1Image(coarse, affine), mask)
    widget.open_patient(folder)
    finish(widget)
    box = widget.viewing.box.expert_box
    assert not widget.patient_box.resample_button.isHidden(), "what does not fit is offered resampling"
    box.click()
    finish(widget)
    assert not box.isChecked()
    widget.patient_box.resample_button.click()
    finish(widget)
    box.click()
    finish(widget)
    (layer,) = of_role(widget.viewer, "expert")
    assert layer.visible
    repeated = np.repeat(np.array([0, 1, 2, 0, 3], np.uint8)[coarse], 2, axis=0)[::-1, ::-1]
    np.testing.assert_array_equal(layer.data, repeated)
    box.click()
    assert not layer.visible
    assert of_role(widget.viewer, "expert") == [layer]


def test_a_colour_that_was_chosen_holds_everywhere_and_is_remembered(encoded, finish, monkeypatch):
    encoded.viewing.box.outlines_box.setChecked(True)
    encoded.saving.correct_a_copy()
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#00ff00"))
    box = encoded.viewing.box
    box.outlines_box.setChecked(False)
    class_colours.read_again()  # from this test's own folder of settings
    try:
        box._legend_rows[1][0].click()
        shown = [*of_role(encoded.viewer, "prediction"), *of_role(encoded.viewer, "corrected")]
        assert [tuple(layer.colormap.color_dict[2]) for layer in shown] == [(0, 1, 0, 1)] * 2
        (outlines,) = of_role(encoded.viewer, "outline")
        assert tuple(outlines.colormap.color_dict[1]) == (0, 1, 0, 1)
        assert not box.own_colours_button.isHidden()
        class_colours.read_again()
        assert class_colours[2] == "#00ff00"
    finally:
        box.own_colours_button.click()
    assert dict(class_colours) == dict(CLASS_COLOURS)
    assert box.own_colours_button.isHidden()


def test_the_summary_page_has_what_the_widget_shows_and_what_was_corrected(encoded, tmp_path, finish):
    encoded.saving.correct_a_copy()
    encoded.saving.corrected.layer.data[:] = 0
    encoded.saving.corrected.layer.data[3:6, 4:9, 2:4] = 3
    path = tmp_path / "page.html"
    encoded.saving.save_summary(path)
    finish(encoded)
    page, volumes = path.read_text(), encoded.updater.segmentation.volumes_ml()
    assert f"<td>{volumes['WT']:.1f}</td>" in page
    assert f"<td>{3 * 5 * 2 / 1000:.1f}</td>" in page
    assert "expert mask" in page
    assert json.loads(path.with_suffix(".json").read_text())["kind"] == "summary"
    assert f"Saved page.html in {tmp_path}." in encoded.saving.box.status.text()
