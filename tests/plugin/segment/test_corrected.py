"""A corrected copy: no switch and no run writes it, and nothing unsaved is lost unasked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_rdl.case import load_case, save_correction
from napari_rdl.plugin.readers import read_paths
from napari_rdl.plugin.segment.widget import SegmentWidget
from napari_rdl.plugin.viewer.corrected import CorrectedLayer
from napari_rdl.plugin.viewer.roles import LAYER_KEY
from tests.plugin.seen import answer, forbid_questions, of_role


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


def test_closing_the_window_asks_about_unsaved_corrections(
    encoded_alone, make_napari_viewer, monkeypatch, qtbot
):
    window = encoded_alone.window()
    window.show()
    qtbot.waitExposed(window)
    encoded_alone.saving.correct_a_copy()
    encoded_alone.saving.corrected.layer.data[0, 0, 0] = 1
    asked = answer(monkeypatch, QMessageBox.StandardButton.Cancel)
    window.close()
    assert len(asked) == 1
    assert window.isVisible()
    assert encoded_alone.keys.bound, "the widget lives on"
    answer(monkeypatch, QMessageBox.StandardButton.Discard)
    encoded_alone.viewer.close()


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
    assert table.volumes.index(2, 0).data() == "Enhancing", "read whole in a narrow dock"
    assert table.volumes.index(2, 3).data() == f"{(corrected.data == 3).sum() * ml:.1f}"
    corrected.data[:] = 0
    corrected.data_setitem((np.arange(10), np.arange(10), np.arange(10)), 3)
    qtbot.waitUntil(lambda: table.volumes.index(2, 3).data() == f"{10 * ml:.1f}")
    encoded.session.flip("T1")
    finish(encoded)
    assert (prediction.visible, corrected.contour) == (True, 2)
    encoded.viewing.box.outlines_box.setChecked(True)
    assert (prediction.visible, corrected.contour) == (False, 0)


def test_a_widget_opened_anew_goes_on_with_the_layer_that_a_closed_one_left(encoded_alone, finish, qtbot):
    viewer = encoded_alone.viewer
    encoded_alone.saving.correct_a_copy()
    layer = encoded_alone.saving.corrected.layer
    layer.data[0, 0, 0] = 1
    viewer.window.remove_dock_widget(encoded_alone)
    encoded_alone.shut_down()
    again = SegmentWidget(viewer)
    viewer.window.add_dock_widget(again, name="Segment tumour")
    qtbot.waitUntil(lambda: again.saving.corrected.layer is not None)
    finish(again)
    assert again.saving.corrected.layer is layer
    assert of_role(viewer, "corrected") == [layer]
    assert layer.data[0, 0, 0] == 1
    assert again.saving.corrected.unsaved, "what was saved is still known"
    assert again.saving.box.save_corrected_button.isEnabled()
    assert layer.name in again.saving.box.status.text()
    again.shut_down()


def test_a_layer_left_by_a_closed_widget_keeps_its_file(encoded_alone, correction, finish, qtbot):
    viewer = encoded_alone.viewer
    viewer.open(correction, plugin="napari-rdl")
    qtbot.waitUntil(lambda: encoded_alone.saving.corrected.layer is not None)
    encoded_alone.shut_down()
    again = SegmentWidget(viewer)
    qtbot.waitUntil(lambda: again.saving.corrected.layer is not None)
    corrected = again.saving.corrected
    assert (corrected.path, corrected.continued, corrected.unsaved) == (correction, correction, False)
    finish(again)
    # What was let go of is not come back to.
    again.saving.corrected.let_go()
    assert again.saving.corrected.rejoin(again.session.case) is None
    again.shut_down()


def test_a_layer_of_another_patient_is_not_gone_on_with(encoded_alone, finish):
    encoded_alone.saving.correct_a_copy()
    left = encoded_alone.saving.corrected.layer
    corrected = CorrectedLayer(encoded_alone.viewer)
    assert corrected.rejoin(encoded_alone.session.case) is None, "somebody holds it"
    encoded_alone.saving.corrected.leave()
    other = replace(encoded_alone.session.case, name="another")
    assert corrected.rejoin(other) is None
    assert corrected.rejoin(encoded_alone.session.case) is left
