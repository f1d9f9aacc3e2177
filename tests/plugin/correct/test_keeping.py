"""Work is kept: saved, journalled, restored after a kill, and held by one window at a time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from napari_rdl.correct import CorrectionRecord, Identity, journal_path, read_journal
from napari_rdl.errors import OutputError
from napari_rdl.holder import Hold
from napari_rdl.plugin.segment.widget import SegmentWidget
from napari_rdl.plugin.viewer.corrected import save_corrected

from .hand import WAIT_MS, journalled, paint


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


def test_a_saved_correction_that_is_gone_on_with_says_so(qtbot, correct, encoded, tmp_path):
    target = tmp_path / "mine_seg_corrected.nii.gz"
    assert encoded.saving.save_corrected(target)
    assert correct.tools_box.buttons["predicted"].text() == "As predicted"
    encoded.viewer.open(target, plugin="napari-rdl")
    qtbot.waitUntil(lambda: correct.desk.continued == target)
    paint(qtbot, correct, (13, 15, 11), 1)
    correct._show_summary()
    assert "Dice with what was opened" in correct.history_box.summary.text()
    assert correct.tools_box.buttons["predicted"].text() == "As opened"
    again = tmp_path / "again_seg_corrected.nii.gz"
    assert encoded.saving.save_corrected(again)
    record = CorrectionRecord.model_validate_json((tmp_path / "again_seg_corrected.json").read_text())
    # Its edits count from what was opened, whatever prediction is shown beside it.
    assert (record.continued, record.prediction) == (target.name, None)
    correct.begin()
    assert correct.desk.continued is None
    assert correct.tools_box.buttons["predicted"].text() == "As predicted"


def test_work_on_a_saved_correction_still_says_so_when_it_is_restored(
    qtbot, correct, encoded, desk_beside, tmp_path
):
    target = tmp_path / "mine_seg_corrected.nii.gz"
    assert encoded.saving.save_corrected(target)
    encoded.viewer.open(target, plugin="napari-rdl")
    qtbot.waitUntil(lambda: correct.desk.continued == target)
    paint(qtbot, correct, (13, 15, 11), 1)
    journalled(correct)
    correct.shut_down()
    encoded.saving.corrected.let_go()
    again = desk_beside(encoded)
    again.found_box.restore_button.click()
    assert again.tools_box.buttons["predicted"].text() == "As opened"
    assert encoded.saving.save_corrected(tmp_path / "again.nii.gz")
    record = CorrectionRecord.model_validate_json((tmp_path / "again.json").read_text())
    assert (record.continued, record.prediction, record.edits.steps) == (target.name, None, 1)


def test_a_patients_own_file_is_never_replaced(correct, encoded):
    for path in (encoded.session.case.files["T1"], encoded.session.case.mask_file):
        before = path.read_bytes()
        with pytest.raises(OutputError, match="own files"):
            save_corrected(correct.desk.layer, path)
        assert path.read_bytes() == before


def test_what_cannot_be_saved_is_said_where_saving_was_asked_for(correct, encoded, tmp_path):
    encoded.saving.save_corrected(tmp_path / "one.nii.gz")
    assert "Saved one.nii.gz" in correct.history_box.status.text()
    encoded.saving.save_corrected(encoded.session.case.mask_file)
    ((level, sentence),) = correct.messages.messages
    assert level == "error"
    assert "own files" in sentence
    assert correct.history_box.status.text() == ""
    encoded.saving.save_corrected(tmp_path / "two.nii.gz")
    assert not correct.messages.messages
    assert "Saved two.nii.gz" in correct.history_box.status.text()


def test_where_no_journal_can_be_kept_work_goes_on_with_a_warning(qtbot, correct, tmp_path, monkeypatch):
    folder = journal_path(correct.desk.kept.identity).parent
    shutil.rmtree(folder)
    folder.write_text("no folder")
    paint(qtbot, correct, (13, 15, 11), 1)
    assert "memory only" in correct.messages.messages[0][1]
    assert not correct.history_box.elsewhere_button.isHidden()
    correct.desk.keep_elsewhere(tmp_path / "kept.journal")
    assert not correct.messages.messages
    paint(qtbot, correct, (13, 15, 11), 3)
    assert correct.desk.kept.journal.flush()
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


def test_a_desk_opened_again_goes_on_with_the_work_on_its_layer(qtbot, correct, encoded, desk_beside):
    before = correct.desk.layer.data.copy()
    paint(qtbot, correct, (13, 15, 11), 1)
    correct.shut_down()
    again = desk_beside(encoded)
    assert again.found_box.isHidden(), "it is there already"
    assert again.desk.layer is encoded.saving.corrected.layer
    assert len(again.desk.history.steps) == 1
    np.testing.assert_array_equal(again.desk.history.base, before)
    again.undo()
    np.testing.assert_array_equal(again.desk.layer.data, before)
    assert not journalled(again).history.can_undo


def test_the_desk_goes_on_when_segment_tumour_is_closed_and_opened_again(
    qtbot, encoded_alone, desk_beside, finish
):
    correct = desk_beside(encoded_alone)
    correct.begin()
    layer = correct.desk.layer
    paint(qtbot, correct, (13, 15, 11), 1)
    journalled(correct)
    encoded_alone.shut_down()
    assert correct.desk.recorder is None
    again = SegmentWidget(encoded_alone.viewer)
    qtbot.waitUntil(lambda: bool(correct.desk.history and correct.desk.history.steps), timeout=WAIT_MS)
    assert correct.desk.layer is layer
    assert correct.desk.found is None, "nothing is offered that is there"
    paint(qtbot, correct, (13, 15, 12), 3)
    assert len(journalled(correct).history.steps) == 2
    finish(again)
    again.shut_down()


def test_discarded_work_is_put_aside(qtbot, correct, encoded, desk_beside):
    paint(qtbot, correct, (13, 15, 11), 1)
    path: Path = journal_path(correct.desk.kept.identity)
    correct.shut_down()
    encoded.saving.corrected.let_go()
    again = desk_beside(encoded)
    assert again.desk.found is not None
    again.found_box.discard_button.click()
    assert again.found_box.isHidden()
    assert not path.exists()
    assert path.with_suffix(".before").exists()


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
