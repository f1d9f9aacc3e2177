"""Setting a run up: what is checked, what begins with what, and what is not started."""

from __future__ import annotations

import shutil
import subprocess
import sys

from napari_rdl.plugin.train.widget import RUNS
from napari_rdl.training.run import process as run_process
from napari_rdl.training.run.process import RunPlan
from tests.plugin.train.conftest import STARTS_MS, fill_in, set_up


def test_a_setup_that_cannot_be_is_not_started(widget, changes):
    setup = widget.setup
    for edit, words in (
        (lambda: setup.data.source_edit.setText("/nowhere"), "There is no /nowhere."),
        (lambda: setup.data.source_edit.setText(""), "Choose where the patients lie."),
        (lambda: setup.place.name_edit.setText("a/b"), "A name has no slashes."),
        (lambda: setup.place.name_edit.setText(""), "Give the run a folder and a name."),
        (lambda: setup.recipe.form.set_values({"optimizer.micro_batch": 7}), "must divide"),
        (lambda: setup.recipe.form.rows["optimizer.lr"].editor.native.setText("x"), "valid number"),
    ):
        set_up(widget, changes)  # and nothing is wrong
        edit()
        assert any(words in sentence for sentence in setup.problems())
        assert not setup.start_button.isEnabled()
        assert not setup.check_button.isEnabled()


def test_a_name_that_is_taken_is_said(widget, changes, runs):
    (runs / "run").mkdir()
    (runs / "run" / "notes.txt").write_text("mine")
    fill_in(widget.setup, changes, "run")
    assert "is not empty" in widget.setup.place.problem.text()
    widget.setup.propose_name()
    assert widget.setup.start_button.isEnabled()


def test_a_folder_that_cannot_be_written_is_said(widget, changes, tmp_path):
    (tmp_path / "file").write_text("in the way")
    widget._start(RunPlan("laptop", changes), tmp_path / "file" / "run")
    assert "choose another folder" in widget.messages.messages[0][1]


def test_check_says_who_is_found_and_who_is_refused(widget, changes, patients_folder, tmp_path, qtbot):
    data = tmp_path / "data"
    shutil.copytree(patients_folder, data)
    broken = next((data / "BraTS2021_91001").glob("*_seg.nii.gz"))
    broken.write_bytes(broken.read_bytes()[:100])
    set_up(widget, {**changes, "data.source": str(data)})
    widget.setup.check_button.click()
    assert widget.setup.check_button.text() == "Cancel"
    qtbot.waitUntil(lambda: not widget.check.busy, timeout=STARTS_MS)
    found = widget.setup.found.messages
    assert found[0][1].startswith("Found ")
    assert "5 steps of" in found[0][1]
    assert "MB" in found[0][1]
    assert found[1][0] == "warning"
    assert "BraTS2021_91001" in found[1][1]
    assert not widget.setup.place.folder.exists()

    widget.setup.check_button.click()
    widget.setup.check_button.click()
    assert not widget.check.busy
    assert widget.setup.check_button.text() == "Check"
    assert widget.setup.found.messages == ()


def test_try_it_starts_a_toy_run_from_nothing(widget, runs, monkeypatch):
    started = []
    start = subprocess.Popen

    def sleep_instead(command, **settings):
        started.append(command)
        return start([sys.executable, "-c", "import time; time.sleep(60)"], **settings)

    monkeypatch.setattr(run_process.subprocess, "Popen", sleep_instead)
    widget.setup.try_button.click()
    monkeypatch.setattr(run_process.subprocess, "Popen", start)
    (command,) = started
    assert command[1:5] == ["-m", "napari_rdl.training", "--recipe", "laptop"]
    assert 'data.source="phantom:16"' in command
    assert widget.shown == runs / "try-1"
    assert widget.tabs.currentIndex() == RUNS


def test_a_checkpoint_to_begin_with_brings_its_architecture(widget, changes, tiny_checkpoint):
    set_up(widget, {"data.source": changes["data.source"]})
    widget.setup.begin_with(tiny_checkpoint)
    plan = widget.setup.plan
    assert plan.changes["start_from"] == str(tiny_checkpoint)
    assert plan.changes["network.channels"] == (4, 8)
    assert plan.changes["data.spacing"] == (2.0, 2.0, 2.0)
    assert "changed" in widget.setup.recipe.advanced.text()
    widget.setup.begin_with("shipped")
    assert widget.setup.plan.changes["network.channels"] == (8, 32, 64, 128)
    widget.setup.begin_with(None)
    assert widget.setup.plan.changes.keys() == {"data.source", "name"}
