"""Correct labels in a viewer: painting, tools, undo, restoring, saving."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from napari.layers.labels._labels_key_bindings import undo as napari_undo

from napari_rdl.correct import Identity, Source, journal_path, read_journal
from napari_rdl.errors import OutputError
from napari_rdl.holder import Hold
from napari_rdl.plugin.correct.strokes import painted_box
from napari_rdl.plugin.correct.widget import CorrectWidget
from napari_rdl.plugin.viewer.corrected import save_corrected

WAIT_MS = 60_000


def paint(qtbot, correct, voxel, value, size=3) -> None:
    """Paint as napari's brush does, and let its step be taken."""
    layer = correct.desk.layer
    layer.brush_size = size
    layer.paint(voxel, value)
    qtbot.waitUntil(lambda: not correct.desk.recorder._boxes, timeout=WAIT_MS)


def same(correct) -> bool:
    return np.array_equal(correct.desk.layer.data, correct.desk.history.labels)


def voxel_of(correct, value: int) -> tuple[int, int, int]:
    """Return a voxel of a class in the slice shown, away from the edge."""
    return tuple(map(int, np.argwhere(correct.desk.layer.data == value)[0]))


def journalled(correct):
    """Return what the journal on the disk holds now."""
    assert correct.desk._journal.flush()
    return read_journal(journal_path(correct.desk._identity), correct.desk._identity)


def test_without_a_patient_it_says_what_to_do(make_napari_viewer, shown):
    viewer = make_napari_viewer()
    widget = shown(CorrectWidget(viewer))
    assert "Open a patient" in widget.patient.said.text()
    widget.use("grow")
    widget.undo()
    widget.shut_down()


def test_a_stroke_is_a_step_that_can_be_taken_back(qtbot, correct):
    before = correct.desk.layer.data.copy()
    paint(qtbot, correct, (13, 15, 11), 1)
    painted = correct.desk.layer.data.copy()
    assert (painted != before).any()
    assert correct.desk.history.position == 1
    assert same(correct)
    assert set(np.unique(correct.desk.history.sources[painted != before])) == {Source.HUMAN}
    correct.undo()
    np.testing.assert_array_equal(correct.desk.layer.data, before)
    correct.redo()
    np.testing.assert_array_equal(correct.desk.layer.data, painted)
    np.testing.assert_array_equal(journalled(correct).history.labels, painted)


def test_ours_rules_the_keys_of_undo(qtbot, correct):
    layer = correct.desk.layer
    before = layer.data.copy()
    paint(qtbot, correct, (13, 15, 11), 1)
    paint(qtbot, correct, (13, 15, 11), 3, size=1)
    bound = {str(key): function for key, function in layer.keymap.items()}
    assert len(bound) == 2
    for _ in range(2):
        next(function for key, function in bound.items() if "Shift" not in key)(layer)
    np.testing.assert_array_equal(layer.data, before)
    assert correct.desk.history.can_redo


def test_what_paints_without_telling_becomes_a_step_too(qtbot, correct):
    layer = correct.desk.layer
    paint(qtbot, correct, (13, 15, 11), 1)
    napari_undo(layer)
    layer.data[0, 0, 0] = 3
    correct.desk.recorder.settle()
    assert same(correct)
    correct.undo()
    assert layer.data[0, 0, 0] == 0
    assert same(correct)


def test_an_event_of_another_napari_is_not_believed():
    assert painted_box([object()], (5, 5, 5)) is None
    assert painted_box(None, (5, 5, 5)) is None
    assert painted_box([([1, 2], [1, 1], [0, 3], 5)], (5, 5, 5)) is None
    indices = (np.array([1, 3]), np.array([2, 2]), np.array([0, 4]))
    assert painted_box([(indices, None, 1)], (5, 5, 5)) == (slice(1, 4), slice(2, 3), slice(0, 5))


def test_protected_labels_stay_under_the_brush(qtbot, correct):
    layer = correct.desk.layer
    value = int(layer.data.max())
    before = layer.data.copy()
    correct.protect_box.keep[value].setChecked(True)
    other = 1 if value != 1 else 2
    paint(qtbot, correct, voxel_of(correct, value), other, size=7)
    np.testing.assert_array_equal(layer.data == value, (before == value))
    assert same(correct)


def test_a_tool_changes_the_class_that_is_selected(correct):
    layer = correct.desk.layer
    layer.selected_label = int(layer.data.max())
    assert correct.tools_box.classes.checkedId() == layer.selected_label
    before = int((layer.data == layer.selected_label).sum())
    correct.use("grow")
    assert int((layer.data == layer.selected_label).sum()) > before
    assert "ml changed" in correct.tools_box.status.text()
    layer.selected_label = 0
    correct.use("shrink")
    assert "Choose NCR" in correct.tools_box.status.text()
    correct.use("predicted")
    assert same(correct)


def test_a_piece_is_dropped_by_a_click(correct):
    layer = correct.desk.layer
    voxel = voxel_of(correct, int(layer.data.max()))
    correct.tools_box.buttons["drop"].click()
    (callback,) = layer.mouse_drag_callbacks[-1:]
    assert layer.mode == "pan_zoom"

    class Click:
        position = layer.data_to_world(voxel)

    callback(layer, Click())
    assert layer.data[voxel] == 0
    assert callback not in layer.mouse_drag_callbacks
    assert not correct.tools_box.buttons["drop"].isChecked()


def test_the_next_doubt_is_gone_to(qtbot, correct):
    correct.use("doubt")
    qtbot.waitUntil(lambda: not correct.toolbox.worker.busy, timeout=WAIT_MS)
    said = correct.tools_box.status.text()
    assert "Doubt 1 of" in said or "sure everywhere" in said


def test_who_changed_what_is_a_layer(qtbot, correct):
    correct.history_box.sources_box.setChecked(True)
    paint(qtbot, correct, (13, 15, 11), 1)
    (layer,) = [layer for layer in correct._viewer.layers if "who changed" in layer.name]
    assert layer.data[13, 15, 11] == Source.HUMAN
    correct.history_box.sources_box.setChecked(False)
    assert layer not in correct._viewer.layers


def test_a_layer_taken_out_of_the_list_can_be_brought_back(correct):
    layer = correct.desk.layer
    correct._viewer.layers.remove(layer)
    assert not correct.history_box.back_button.isHidden()
    correct.history_box.back_button.click()
    assert layer in correct._viewer.layers
    assert correct.history_box.back_button.isHidden()


def test_a_layer_of_another_shape_is_said_and_undo_brings_it_back(qtbot, correct):
    paint(qtbot, correct, (13, 15, 11), 1)
    correct.desk.layer.data = np.zeros((4, 4, 4), np.uint8)
    correct.desk.recorder.settle()
    assert "another shape" in correct.messages.messages[0][1]
    correct.undo()
    assert same(correct)


def test_saving_writes_a_record_and_keeps_the_version_before(qtbot, correct, encoded, tmp_path):
    paint(qtbot, correct, (13, 15, 11), 1)
    target = tmp_path / "out_seg.nii.gz"
    assert encoded.saving.save_corrected(target)
    first = target.read_bytes()
    record = json.loads((tmp_path / "out_seg.json").read_text())
    assert record["edits"]["steps"] == 1
    assert record["prediction"]["case"] == record["case"] == encoded.session.case.name
    assert record["edits"]["changed_ml"]["human"]["WT"] >= 0
    assert not journalled(correct).unsaved
    paint(qtbot, correct, (13, 15, 11), 3)
    assert encoded.saving.save_corrected(target)
    assert (tmp_path / "out_seg.before.nii.gz").read_bytes() == first
    assert target.read_bytes() != first


def test_a_patients_own_file_is_never_replaced(correct, encoded):
    for path in (encoded.session.case.files["T1"], encoded.session.case.mask_file):
        before = path.read_bytes()
        with pytest.raises(OutputError, match="own files"):
            save_corrected(correct.desk.layer, path)
        assert path.read_bytes() == before


def test_where_no_journal_can_be_kept_work_goes_on_with_a_warning(qtbot, correct, tmp_path, monkeypatch):
    folder = journal_path(correct.desk._identity).parent
    shutil.rmtree(folder)
    folder.write_text("no folder")
    paint(qtbot, correct, (13, 15, 11), 1)
    assert "memory only" in correct.messages.messages[0][1]
    assert not correct.history_box.elsewhere_button.isHidden()
    correct.desk.keep_elsewhere(tmp_path / "kept.journal")
    assert not correct.messages.messages
    paint(qtbot, correct, (13, 15, 11), 3)
    assert correct.desk._journal.flush()
    np.testing.assert_array_equal(
        read_journal(tmp_path / "kept.journal").history.labels, correct.desk.layer.data
    )


CHILD = """
import os, sys, time
from pathlib import Path
import napari
from napari_rdl.plugin.correct.widget import CorrectWidget
from napari_rdl.plugin.segment.session import RunChoice
from napari_rdl.plugin.segment.widget import SegmentWidget
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer(show=False)
segment, correct = SegmentWidget(viewer), CorrectWidget(viewer)
segment.run_box.set_choice(RunChoice(model=Path(sys.argv[2]), device="cpu", precision="float32"))
def wait():
    while True:
        QApplication.processEvents()
        time.sleep(0.02)
        if not (segment.tasks.busy or segment.updater.pending or correct.desk.busy):
            break
segment.open_patient(sys.argv[1], run=True)
wait(); wait()
correct.begin()
layer = correct.desk.layer
for value, voxel in ((1, (13, 15, 11)), (3, (14, 15, 11)), (2, (9, 9, 9))):
    layer.brush_size = 4
    layer.paint(voxel, value)
    for _ in range(5):
        QApplication.processEvents()
correct.undo()
correct.use("grow")
print(correct.desk.history.position, int(layer.data.sum()), os.getpid(), flush=True)
while True:
    QApplication.processEvents()
    time.sleep(0.02)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
def test_work_killed_in_another_process_is_offered_and_restored(
    widget, brats_folder, tiny_checkpoint, finish, desk_beside, warm_python, qtbot
):
    command = [warm_python, "-W", "ignore", "-c", CHILD, str(brats_folder), str(tiny_checkpoint)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        line = child.stdout.readline().split()
        # What is on the disk within a second.
        qtbot.wait(1000)
        os.kill(int(line[2]), signal.SIGKILL)
    assert len(line) == 3, "the child did not get to its end"
    widget.open_patient(brats_folder)
    finish(widget)
    correct = desk_beside(widget)
    assert "Not saved" in correct.found_box.text.text()
    assert not correct.found_box.isHidden()
    correct.found_box.restore_button.click()
    assert correct.desk.history.position == int(line[0])
    assert int(correct.desk.layer.data.sum()) == int(line[1])
    assert correct.found_box.isHidden()
    assert widget.saving.corrected.unsaved
    while correct.desk.history.can_undo:
        correct.undo()
    np.testing.assert_array_equal(correct.desk.layer.data, correct.desk.history.base)


def test_discarded_work_is_put_aside(qtbot, correct, encoded, desk_beside):
    paint(qtbot, correct, (13, 15, 11), 1)
    path: Path = journal_path(correct.desk._identity)
    correct.shut_down()
    again = desk_beside(encoded)
    # The layer that is there is work begun anew, and the journal is on offer until its first step.
    assert again.desk.found is not None
    again.found_box.discard_button.click()
    assert again.found_box.isHidden()
    assert not path.exists()
    assert path.with_suffix(".before").exists()


def test_a_scribble_refines_around_it_and_is_taken_back_with_its_step(qtbot, correct):
    layer = correct.desk.layer
    before = layer.data.copy()
    correct.refining.box.buttons[4].click()
    scribbles = correct.refining.layer
    assert correct._viewer.layers.selection.active is scribbles
    scribbles.brush_size = 2
    scribbles.paint((13, 15, 11), 4)
    qtbot.waitUntil(lambda: not correct.refining.busy, timeout=WAIT_MS)
    stroke = scribbles.data == 4
    assert (layer.data[stroke] == 3).all()
    assert same(correct)
    changed = layer.data != before
    assert set(np.unique(correct.desk.history.sources[changed])) == {Source.REFINEMENT}
    scribbles.paint((9, 12, 11), 1)
    qtbot.waitUntil(lambda: not correct.refining.busy, timeout=WAIT_MS)
    assert (layer.data[scribbles.data == 1] == 0).all()
    assert (layer.data[stroke] == 3).all()
    while correct.desk.history.can_undo:
        correct.undo()
    np.testing.assert_array_equal(layer.data, before)
    assert not scribbles.data.any()


def test_what_a_human_painted_is_not_refined(qtbot, correct):
    paint(qtbot, correct, (13, 15, 11), 1, size=5)
    human = correct.desk.history.sources == Source.HUMAN
    correct.refining.scribble(4)
    correct.refining.layer.brush_size = 1
    correct.refining.layer.paint((13, 15, 11), 4)
    qtbot.waitUntil(lambda: not correct.refining.busy, timeout=WAIT_MS)
    stroke = correct.refining.layer.data > 0
    assert (correct.desk.layer.data[human & ~stroke] == 1).all()
    assert (correct.desk.layer.data[stroke] == 3).all()


def test_who_corrects_it_elsewhere_is_said_and_this_window_only_looks(qtbot, encoded, desk_beside):
    path = journal_path(Identity.of(encoded.session.case))
    elsewhere = Hold(path, "Berta")
    assert elsewhere.take() is None
    correct = desk_beside(encoded)
    assert "Berta (another window) corrects" in correct.messages.messages[0][1]
    correct.begin()
    assert correct.desk.layer is None
    assert correct.begin_button.isHidden()
    encoded.saving.correct_a_copy()
    layer = encoded.saving.corrected.layer
    assert not layer.editable
    layer.editable = True
    assert not layer.editable
    elsewhere.release()
    correct.desk._claim.look()
    qtbot.waitUntil(lambda: not correct.desk.busy, timeout=WAIT_MS)
    assert not correct.messages.messages
    assert correct.desk.layer is layer
    assert layer.editable
    paint(qtbot, correct, (13, 15, 11), 1)
    assert journalled(correct).history.position == 1
    assert elsewhere.take() is not None


def test_odd_values_and_another_name_cost_nothing(qtbot, correct):
    layer, box = correct.desk.layer, correct.tools_box
    before = layer.data.copy()
    layer.name = "renamed"
    paint(qtbot, correct, (13, 15, 11), 7)
    odd = layer.data == 7
    assert odd.any()
    correct._show_summary()
    assert f"7 ({odd.sum()} voxels)" in box.odd_label.text()
    assert not correct.desk.segment.saving.save_corrected(Path("nowhere_seg.nii.gz"))
    assert not Path("nowhere_seg.nii.gz").exists()
    box.odd_class.setCurrentIndex(box.odd_class.findData(2))
    box.map_button.click()
    assert (layer.data[odd] == 2).all()
    assert same(correct)
    # Another plugin gives numbers of another kind.
    wide = layer.data.astype(np.int64)
    wide[0, 0, 0], wide[1, 1, 1] = 300, 3
    layer.data = wide
    correct.desk.recorder.settle()
    assert "no labels (300)" in correct.messages.messages[0][1]
    assert same(correct)
    assert correct.desk.history.labels[1, 1, 1] == 3
    assert correct.desk.history.labels[0, 0, 0] == 0
    while correct.desk.history.can_undo:
        correct.undo()
    np.testing.assert_array_equal(layer.data, before)
