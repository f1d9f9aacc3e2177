"""Learning in the desk; the training itself is another test's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_rdl.cohort.worklist import Worklist
from napari_rdl.cohort.worklist_file import new_worklist
from napari_rdl.plugin.correct.learning_box import Learning
from napari_rdl.training.before_after import COMPARISON, BeforeAndAfter, PatientChange


class Working(QObject):
    changed = Signal()
    worklist = None


class Processes:
    """Starts nothing, and says what it is told to."""

    code = None

    def start(self, plan, folder):
        folder.mkdir(parents=True)
        self.words, self.folder = plan.words(), folder

    def exit_code(self, folder):
        return self.code


@pytest.fixture
def learning(qtbot, patients_folder, tmp_path):
    parent = QWidget()
    qtbot.addWidget(parent)
    models = []
    box = SimpleNamespace(
        choice=SimpleNamespace(model=tmp_path / "own.safetensors"), choose_model=models.append
    )
    working = Working(parent)
    learning = Learning(None, SimpleNamespace(segment=SimpleNamespace(run_box=box)), working, parent)
    learning._processes = Processes()
    learning.models = models
    new_worklist([patients_folder], tmp_path / "list.json")
    with Worklist(tmp_path / "list.json") as worklist:
        working.worklist = worklist
        working.changed.emit()
        assert not learning.box.learn_button.isEnabled()
        worklist.change(worklist.entries[0].name, state="done", labels=tmp_path / "labels.nii.gz")
        working.changed.emit()
        yield learning
    learning.shut_down()


def compared(learning, before: float, after: float) -> None:
    row = PatientChange(
        patient="p",
        synthetic=False,
        before={"WT": before},
        after={"WT": after},
        subsets_before=before,
        subsets_after=after,
    )
    comparison = BeforeAndAfter(start="a", checkpoint="last.safetensors", learnt_from=1, patients=(row,))
    (learning.folder / COMPARISON).write_text(comparison.model_dump_json())
    learning.look()


def test_the_better_model_is_offered(learning, tmp_path):
    assert learning.box.learn_button.text() == "Learn from 1 patient"
    learning.box.learn_button.click()
    words = learning._processes.words
    start = f'start_from="{tmp_path / "own.safetensors"}"'
    assert words == ["--data", str(tmp_path / "list.json"), "--set", start]
    assert learning.running
    assert not learning.box.learn_button.isEnabled()
    learning.look()
    assert "Preparing" in learning.box.status.text()
    compared(learning, 0.5, 0.6)
    assert not learning.running
    assert "0.500 before, 0.600 after" in learning.box.status.text()
    assert not learning.box.use_button.isHidden()
    learning.box.use_button.click()
    assert learning.models == [learning.folder / "last.safetensors"]


def test_a_model_that_is_not_better_is_not_offered(learning):
    learning.learn()
    compared(learning, 0.6, 0.5)
    assert "not better" in learning.box.status.text()
    assert learning.box.use_button.isHidden()


def test_a_training_that_breaks_off_is_said(learning):
    learning.learn()
    (learning.folder / "output.log").write_text("The patient p cannot be used.\n")
    learning._processes.code = 2
    learning.look()
    assert "without a comparison" in learning.box.status.text()
    assert "p cannot be used" in learning.box.status.text()
    assert learning.box.learn_button.isEnabled()
