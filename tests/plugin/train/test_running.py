"""Trainings that really run: start, watch, leave, come back, pause, stop, use, and how they fail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys

from napari_rdl.holder import ProcessMark, is_alive
from napari_rdl.models import read_card
from napari_rdl.plugin.train import runs_page
from napari_rdl.plugin.train import widget as train_widget
from napari_rdl.plugin.train.run_view import sentence_of
from napari_rdl.plugin.train.widget import RUNS
from napari_rdl.training.run import process as run_process
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.reader import State
from napari_rdl.training.run.running import read_record
from tests.plugin.train.conftest import PYTHON, STARTS_MS, set_up


def test_a_run_outlives_the_viewer_and_is_found_stopped_resumed_and_used(
    make_widget, runs, endless, wait_for, qtbot, monkeypatch, brats_folder
):
    monkeypatch.setattr(train_widget, "ask_about_runs", lambda *_: "run")
    first = make_widget()
    set_up(first, endless)
    first.setup.start_button.click()
    assert first.tabs.currentIndex() == RUNS
    assert first.shown == runs / "run"
    wait_for(first, State.RUNNING, 3)
    qtbot.waitUntil(lambda: first.runs.run_view.curves.drawn.get("loss total", 0) >= 3, timeout=STARTS_MS)
    before = first.runs.run_view.curves.drawn["loss total"]
    qtbot.waitUntil(lambda: first.runs.run_view.curves.drawn["loss total"] > before, timeout=STARTS_MS)
    assert "mutual inf." in " ".join(first.runs.run_view.curves.drawn)
    qtbot.waitUntil(lambda: first.runs.run_view.curves.drawn.get("Dice mean", 0) > 0, timeout=STARTS_MS)
    qtbot.waitUntil(lambda: not first.runs.run_view.picture.pixmap().isNull(), timeout=STARTS_MS)
    step = first.glance().step
    mark = read_record(RunFolder(runs / "run").running, ProcessMark)
    first.viewer.close()
    assert is_alive(mark)

    again = make_widget()
    glance = wait_for(again, State.RUNNING, step + 1)
    assert again.shown == runs / "run"
    assert again.tabs.currentIndex() == RUNS
    assert f"Step {glance.step}" in again.runs.run_view.figures.text()
    again.runs.run_view.stop_button.click()
    stopped = wait_for(again, State.STOPPED)
    qtbot.waitUntil(lambda: is_alive(mark) is False, timeout=STARTS_MS)
    assert again.runs.run_view.resume_button.isVisibleTo(again)

    again.runs.run_view.resume_button.click()
    wait_for(again, State.RUNNING, stopped.step + 1)
    again.runs.run_view.stop_button.click()
    wait_for(again, State.STOPPED)
    assert again.runs.watch.curves(runs / "run").steps == list(range(1, again.glance().step + 1))

    again.runs.use_box.segment_button.click()
    segment = again.segment_with(runs / "run" / "best.safetensors")
    assert segment.run_box.choice.model == runs / "run" / "best.safetensors"
    assert read_card(segment.run_box.choice.model).name == "run"
    segment.open_patient(brats_folder, run=True)
    qtbot.waitUntil(lambda: segment.session.representations is not None, timeout=STARTS_MS)
    qtbot.waitUntil(lambda: not segment.tasks.busy and not segment.updater.pending, timeout=STARTS_MS)
    assert segment.session.representations.computation.model_name == "run"
    segment.shut_down()


def test_a_run_is_paused_goes_on_and_is_killed_and_resumed(
    widget, runs, endless, wait_for, qtbot, monkeypatch
):
    set_up(widget, endless)
    widget.start()
    wait_for(widget, State.RUNNING, 6)
    widget.runs.run_view.pause_button.click()
    wait_for(widget, State.PAUSED)
    assert widget.runs.run_view.pause_button.text() == "Go on"
    held = json.loads((runs / "run" / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    widget.runs.run_view.pause_button.click()
    wait_for(widget, State.RUNNING, held + 2)

    # The process dies: said with its code, and resumed.
    told = []
    widget.problem.connect(told.append)
    mark = read_record(RunFolder(runs / "run").running, ProcessMark)
    os.kill(mark.pid, signal.SIGKILL)
    glance = wait_for(widget, State.FAILED)
    assert "signal 9" in sentence_of(glance)
    assert "signal 9" in told[0]
    assert widget.messages.messages[0][0] == "error"
    assert "Step 0 of" in widget.runs.run_view.log.toPlainText()
    widget.runs.run_view.resume_button.click()
    wait_for(widget, State.RUNNING, 7)
    assert widget.messages.messages == ()

    monkeypatch.setattr(runs_page, "ask_to_kill", lambda *_: True)
    told.clear()
    widget.runs.run_view.kill_button.click()
    assert "Ended by hand" in sentence_of(wait_for(widget, State.STOPPED))
    assert told == []


def test_a_folder_moved_while_it_is_watched_is_opened_and_resumed_at_its_new_place(
    widget, runs, endless, wait_for, qtbot, tmp_path
):
    set_up(widget, endless)
    widget.start()
    wait_for(widget, State.RUNNING, 6)
    mark = read_record(RunFolder(runs / "run").running, ProcessMark)
    (runs / "run").rename(tmp_path / "moved")
    glance = wait_for(widget, State.GONE)
    assert "was moved or deleted" in sentence_of(glance)
    assert any("moved or deleted" in sentence for _, sentence in widget.messages.messages)
    qtbot.waitUntil(lambda: is_alive(mark) is False, timeout=STARTS_MS)
    assert not (runs / "run").exists()
    widget.runs.run_list.run_opened.emit(tmp_path / "moved")
    wait_for(widget, State.FAILED)
    widget.runs.run_view.resume_button.click()
    wait_for(widget, State.RUNNING, 6)


def test_a_second_panel_watches_the_same_run_and_does_not_start_it_twice(
    make_widget, runs, endless, wait_for, monkeypatch
):
    monkeypatch.setattr(train_widget, "ask_about_runs", lambda *_: "run")
    first, second = make_widget(), make_widget()
    set_up(first, endless)
    first.start()
    wait_for(first, State.RUNNING, 1)
    second.show_run(runs / "run")
    wait_for(second, State.RUNNING, 1)
    assert not second.runs.run_view.resume_button.isVisibleTo(second)
    second.runs.resume()
    assert "goes on already, in process" in second.messages.messages[0][1]
    second.runs.processes = run_process.RunProcesses()
    second._start(second.setup.plan, runs / "run")
    assert "choose another name" in second.messages.messages[0][1]
    second.runs.run_view.stop_button.click()
    wait_for(first, State.STOPPED)
    wait_for(second, State.STOPPED)


def test_a_python_without_torch_and_memory_that_runs_out_are_said(
    widget, runs, changes, wait_for, warm_python, monkeypatch, tmp_path
):
    set_up(widget, {**changes, "data.crop": (16384,) * 3, "validation.tile": 8}, "large")
    widget.start()
    glance = wait_for(widget, State.FAILED)
    assert "Memory ran out on cpu at step 1: lower optimizer.micro_batch" in sentence_of(glance)
    assert widget.runs.run_view.log_section.isExpanded()

    (tmp_path / "bad" / "torch").mkdir(parents=True)
    (tmp_path / "bad" / "torch" / "__init__.py").write_text("raise ImportError('libtorch.so is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "bad"))
    monkeypatch.setattr(sys, "executable", PYTHON)
    set_up(widget, changes, "without")
    widget.start()
    glance = wait_for(widget, State.FAILED)
    assert "exit code 2" in sentence_of(glance)
    assert "PyTorch" in sentence_of(glance)
    assert "libtorch.so is missing" in sentence_of(glance)
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setattr(sys, "executable", warm_python)
    widget.runs.run_view.resume_button.click()
    wait_for(widget, State.FINISHED, 5)


def test_data_changed_under_a_run_are_said_when_it_is_resumed(
    widget, runs, endless, wait_for, patients_folder, tmp_path
):
    data = tmp_path / "data"
    shutil.copytree(patients_folder, data)
    set_up(widget, {**endless, "data.source": str(data)})
    widget.start()
    wait_for(widget, State.RUNNING, 2)
    # What was prepared at the start is enough to go on.
    gone = sorted(data.iterdir())[0]
    shutil.rmtree(gone)
    wait_for(widget, State.RUNNING, widget.glance().step + 3)
    widget.runs.run_view.stop_button.click()
    wait_for(widget, State.STOPPED)
    widget.runs.resume()
    glance = wait_for(widget, State.FAILED)
    assert "train patients are no longer those" in sentence_of(glance)
