"""A worklist in the desk: one walk through it, from the first patient to the last."""

from __future__ import annotations

from types import SimpleNamespace

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from napari_rdl.case import read_mask
from napari_rdl.cohort.worklist import Worklist
from napari_rdl.cohort.worklist_file import State
from napari_rdl.plugin.correct import working
from napari_rdl.plugin.correct.widget import CorrectWidget
from napari_rdl.plugin.correct.worklist_box import WorklistBox

from .conftest import WAIT_MS


def test_a_list_is_worked_through(widget, desk_beside, patients_folder, tmp_path, qtbot, finish):
    correct = desk_beside(widget)
    working, box = correct.working, correct.working.box
    assert box.of_list.isHidden()
    path = tmp_path / "list.json"
    working.make_list([patients_folder], path)
    assert box.patients.count() == 4
    assert "4 to do" in box.summary.text()
    # Who opens it second only reads.
    assert Worklist(path).read_only

    box.next_button.click()
    finish(widget)
    qtbot.waitUntil(lambda: not working.worker.busy and not correct.desk.busy, timeout=WAIT_MS)
    first = working.entry
    assert first.name == "BraTS2021_91000"
    assert first.state is State.IN_WORK
    assert first.doubt is not None
    box.note.setText("a cyst?")
    box.note.editingFinished.emit()
    box.state.setCurrentIndex(box.state.findData("needs review"))
    box.state.activated.emit(box.state.currentIndex())
    written = Worklist(path, read_only=True).entry(first.name)
    assert (written.note, written.state) == ("a cyst?", State.NEEDS_REVIEW)

    box.accept_button.click()
    assert working.entry.state is State.DONE
    labels = working.worklist.labels_of(working.entry)
    prediction = widget.updater.segmentation.labels
    values, _, _ = read_mask(labels, widget.session.case.convention)
    assert (values > 0).sum() == (prediction > 0).sum()

    box.next_button.click()
    finish(widget)
    qtbot.waitUntil(lambda: not working.worker.busy and not correct.desk.busy, timeout=WAIT_MS)
    assert working.entry.name == "BraTS2021_91001"
    correct.begin()
    correct.use("predicted")
    correct.desk.layer.data[13, 15, 11] = 1
    box.finish_button.click()
    assert working.entry.state is State.DONE
    assert not working.entry.accepted
    assert working.worklist.labels_of(working.entry).exists()
    assert not widget.saving.corrected.unsaved
    assert "2 to do, 2 done" in box.summary.text()
    box.previous_button.click()
    assert "No patient before" in box.summary.text()


def test_the_box_says_nothing_of_its_own(qtbot):
    box = WorklistBox()
    qtbot.addWidget(box)
    asked = []
    box.note_written.connect(asked.append)
    box.state_chosen.connect(asked.append)
    box.show_entries((), "list.json: nobody.", read_only=True)
    box.show_entry(None, predicted=True, corrected=True)
    box.note.editingFinished.emit()
    assert not asked
    assert not box.accept_button.isEnabled()
    assert box.patients.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff


def test_whoever_opens_a_patient_of_the_list_stays_at_the_desk(
    make_napari_viewer, patients_folder, tmp_path, monkeypatch
):
    viewer, opened, raised = make_napari_viewer(), [], []
    correct = CorrectWidget(viewer)
    dock = viewer.window.add_dock_widget(correct, name="Correct labels")
    correct.working.make_list([patients_folder], tmp_path / "list.json")

    def open_segment(_viewer):
        raised.append("Segment tumour")
        return SimpleNamespace(open_patient=lambda folder, run: opened.append(folder))

    monkeypatch.setattr(working, "open_segment_widget", open_segment)
    monkeypatch.setattr(QDockWidget, "raise_", lambda one: raised.append(one))
    correct.working.step(1)
    assert len(opened) == 1
    assert raised == ["Segment tumour", dock]
    correct.shut_down()
