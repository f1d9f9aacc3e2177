"""The dock widget Train model, with trainings that really run: start, watch, leave, come back, stop, use."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from itertools import pairwise

import npe2
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractSpinBox, QFileDialog, QMessageBox

from napari_rdl.holder import ProcessMark, is_alive, mark_of
from napari_rdl.models import read_card
from napari_rdl.plugin.train import runs_page
from napari_rdl.plugin.train import widget as train_widget
from napari_rdl.plugin.train.run_view import sentence_of
from napari_rdl.plugin.train.widget import RUNS, SETUP, TrainWidget
from napari_rdl.training.run import process as run_process
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.process import RunPlan
from napari_rdl.training.run.reader import State
from napari_rdl.training.run.running import read_record
from tests.training.conftest import TINY, cache_folder

__all__ = ["cache_folder"]

STARTS_MS = 200_000
"""A loaded machine takes its time to load torch."""


@pytest.fixture
def runs(tmp_path):
    """The folder of runs; whatever still trains in it at the end is ended."""
    folder = tmp_path / "runs"
    folder.mkdir()
    yield folder
    for run in tmp_path.rglob("request.json"):
        run_process.kill(run.parent)


@pytest.fixture
def changes(patients_folder, cache_folder):
    """Settings of a run of a second or so, by dotted key."""
    settings = dict(text.split("=", 1) for text in TINY)
    values = {
        key: tomllib.loads(f"v = {text}")["v"] if text != "cpu" else text for key, text in settings.items()
    }
    values |= {"data.source": str(patients_folder), "data.cache": str(cache_folder)}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


@pytest.fixture
def endless(changes):
    """Settings of a run that does not end by itself."""
    return {**changes, "optimizer.max_steps": 1_000_000, "validation.every": 10, "run.checkpoint_every": 5}


@pytest.fixture
def make_widget(make_napari_viewer, runs):
    """Dock a widget in a new viewer; ``widget.viewer`` is it."""
    made = []

    def make():
        viewer = make_napari_viewer()
        manager = npe2.PluginManager.instance()
        if "napari-rdl" not in manager:
            manager.register(npe2.PluginManifest.from_distribution("napari-rdl"))
        widget = TrainWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Train model")
        if widget._memory.choices.runs_folder != runs:
            widget.runs.run_list.folder_chosen.emit(runs)
        widget.viewer = viewer
        made.append(widget)
        return widget

    yield make
    for widget in made:
        widget.shut_down()


@pytest.fixture
def widget(make_widget):
    return make_widget()


@pytest.fixture
def wait_for(qtbot):
    """Wait until the run shown by a widget is in a state, and at a step if given."""

    def wait(widget, state, step=0):
        def there():
            glance = widget.glance()
            return glance is not None and glance.state is state and glance.step >= step

        qtbot.waitUntil(there, timeout=STARTS_MS)
        return widget.glance()

    return wait


def fill_in(setup, changes, name):
    """Fill the page in: recipe, data, settings, name."""
    values = dict(changes)
    box = setup.recipe.recipe_box
    box.setCurrentIndex(box.findData("laptop"))
    box.activated.emit(box.currentIndex())
    setup.data.kind_box.setCurrentIndex(setup.data.kind_box.findData("folder"))
    setup.data.source_edit.setText(values.pop("data.source"))
    setup.recipe.form.set_values(values)
    setup.place.name_edit.setText(name)


def set_up(widget, changes, name="run"):
    fill_in(widget.setup, changes, name)
    assert widget.setup.start_button.isEnabled(), widget.setup.problems()


def finished_run(folder, tiny_checkpoint, changes):
    """A run as it looks when it is over, without running it."""
    from napari_rdl.training.recipe import load_recipe

    run = RunFolder(folder)
    run.path.mkdir(parents=True)
    run.config.write_text(load_recipe("laptop", RunPlan("", changes).words()[3::2]).model_dump_json())
    run.ended.write_text(json.dumps({"finished": True, "step": 4, "steps": 4, "best": 0.25}))
    scores = {"Full": {"WT": 0.5, "TC": 0.25, "ET": 0.0}}
    lines = [
        {"step": step, "epoch": 1.0, "loss": 1 / step, "dice": 0.5, "divergence": 0.1, "samples_per_s": 1.0}
        for step in (1, 2, 3, 4)
    ]
    lines.append({"step": 4, "validation": scores, "mean_dice": 0.25, "seconds": 1.0})
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shutil.copy(tiny_checkpoint, run.best)
    shutil.copy(tiny_checkpoint, run.last)
    return folder


# --- The whole way


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


# --- Bad input


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
    widget, runs, changes, wait_for, monkeypatch, tmp_path
):
    set_up(widget, {**changes, "data.crop": (16384,) * 3, "validation.tile": 8}, "large")
    widget.start()
    glance = wait_for(widget, State.FAILED)
    assert "Memory ran out on cpu at step 1: lower optimizer.micro_batch" in sentence_of(glance)
    assert widget.runs.run_view.log_section.isExpanded()

    (tmp_path / "bad" / "torch").mkdir(parents=True)
    (tmp_path / "bad" / "torch" / "__init__.py").write_text("raise ImportError('libtorch.so is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "bad"))
    set_up(widget, changes, "without")
    widget.start()
    glance = wait_for(widget, State.FAILED)
    assert "exit code 2" in sentence_of(glance)
    assert "PyTorch" in sentence_of(glance)
    assert "libtorch.so is missing" in sentence_of(glance)
    monkeypatch.delenv("PYTHONPATH")
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


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda setup: setup.data.source_edit.setText("/nowhere"), "There is no /nowhere."),
        (lambda setup: setup.data.source_edit.setText(""), "Choose where the patients lie."),
        (lambda setup: setup.place.name_edit.setText("a/b"), "A name has no slashes."),
        (lambda setup: setup.place.name_edit.setText(""), "Give the run a folder and a name."),
        (lambda setup: setup.recipe.form.rows["optimizer.lr"].editor.native.setText("x"), "valid number"),
        (lambda setup: setup.recipe.form.set_values({"optimizer.micro_batch": 7}), "must divide"),
    ],
)
def test_a_setup_that_cannot_be_is_not_started(widget, changes, edit, words):
    set_up(widget, changes)
    edit(widget.setup)
    assert any(words in sentence for sentence in widget.setup.problems())
    assert not widget.setup.start_button.isEnabled()
    assert not widget.setup.check_button.isEnabled()


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
    assert "choose a folder" in widget.messages.messages[0][1]


def test_a_folder_that_is_no_run_is_not_opened(widget, tmp_path):
    widget.runs.run_list.run_opened.emit(tmp_path)
    assert "is no run folder" in widget.messages.messages[0][1]
    assert widget.shown is None


# --- Setting up


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


def test_what_was_set_up_is_remembered(make_widget, changes, tmp_path):
    first = make_widget()
    set_up(first, changes)
    first.shut_down()
    second = make_widget()
    assert second.setup.data.source == changes["data.source"]
    found = second.setup.recipe.form.values()
    # The architecture is the recipe's again: it belongs to what a run begins with.
    kept = {key for key in changes if not key.startswith("network.") and key != "data.source"}
    assert {key: found[key] for key in kept} == {key: changes[key] for key in kept}


def test_what_is_remembered_but_no_longer_fits_is_no_hindrance(make_widget, tmp_path):
    from napari_rdl.plugin.train.memory import TrainMemory

    TrainMemory().remember(
        recipe=str(tmp_path / "gone.toml"),
        recipe_files=(str(tmp_path / "gone.toml"),),
        changes={"loss.kind": "none of these", "optimizer.batch": "many", "no.such": 1, "optimizer.lr": 0.5},
        shown=tmp_path / "gone",
    )
    widget = make_widget()
    assert widget.setup.plan.recipe == "laptop"
    assert widget.setup.recipe.form.changes() == {"optimizer.lr": 0.5}


def test_the_tab_key_goes_from_top_to_bottom(widget, changes, qtbot):
    window, page = widget.viewer.window._qt_window, widget.setup
    set_up(widget, changes)
    page.recipe.advanced.expand(animate=False)
    for section in page.recipe.form.sections.values():
        section.expand(animate=False)
    window.show()
    qtbot.waitExposed(window)

    def walk():
        walked, current = [], page.try_button
        while True:
            in_a_spin_box = isinstance(current.parent(), QAbstractSpinBox)
            if (
                current.focusPolicy() & Qt.FocusPolicy.TabFocus
                and current.isVisibleTo(page)
                and not in_a_spin_box
            ):
                walked.append(current.mapTo(page, current.rect().center()))
            current = current.nextInFocusChain()
            if current is page.try_button or not page.isAncestorOf(current):
                return walked

    def goes_down():
        # Sections in sections are laid out some turns after they were opened.
        walked = walk()
        assert len(walked) > 60
        for before, after in pairwise(walked):
            assert after.y() > before.y() + 8 or (after.x() > before.x() and after.y() > before.y() - 8)

    qtbot.waitUntil(goes_down)
    window.hide()


# --- Runs that are there


def test_curves_of_several_runs_are_compared(widget, runs, changes, tiny_checkpoint, qtbot):
    for name in ("a", "b", "c"):
        finished_run(runs / name, tiny_checkpoint, changes)
    widget.show_run(runs / "a")
    qtbot.waitUntil(lambda: widget.runs.run_list.tree.topLevelItemCount() == 3, timeout=STARTS_MS)
    qtbot.waitUntil(lambda: "loss total" in widget.runs.run_view.curves.drawn, timeout=STARTS_MS)
    assert set(widget.runs.run_view.curves.drawn) == {
        "loss total", "loss Dice", "loss divergence", "Dice mean", "Dice WT", "Dice TC", "Dice ET",
    }  # fmt: skip
    row = {widget.runs.run_list.tree.topLevelItem(number).text(0): number for number in range(3)}
    item = widget.runs.run_list.tree.topLevelItem(row["b"])
    assert (item.text(1), item.text(2)) == ("finished", "0.25")
    item.setCheckState(0, item.checkState(0).__class__.Checked)
    qtbot.waitUntil(lambda: "loss b" in widget.runs.run_view.curves.drawn, timeout=STARTS_MS)
    assert set(widget.runs.run_view.curves.drawn) == {"loss a", "loss b", "Dice a", "Dice b"}
    assert widget.runs.run_view.curves.drawn["loss b"] == 4


def test_a_checkpoint_is_saved_and_fine_tuned(
    widget, runs, changes, tiny_checkpoint, qtbot, monkeypatch, tmp_path
):
    folder = finished_run(runs / "a", tiny_checkpoint, changes)
    widget.show_run(folder)
    qtbot.waitUntil(lambda: widget.runs.use_box.checkpoint is not None, timeout=STARTS_MS)
    assert widget.runs.use_box.checkpoint == folder / "best.safetensors"
    assert "Trained on: nothing." in widget.runs.use_box.card_label.text()
    target = tmp_path / "shared" / "mine"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    widget.runs.use_box.copy_button.click()
    qtbot.waitUntil(lambda: not widget.runs.tasks.busy, timeout=STARTS_MS)
    assert (tmp_path / "shared" / "mine.safetensors").read_bytes() == tiny_checkpoint.read_bytes()
    assert "mine.safetensors" in widget.messages.messages[0][1]
    widget.runs.use_box.tune_button.click()
    assert widget.tabs.currentIndex() == SETUP
    assert widget.setup.recipe.start_from == str(folder / "best.safetensors")


@pytest.mark.parametrize(
    ("pressed", "closes", "stops"), [(0, True, False), (1, True, True), (2, False, False)]
)
def test_closing_napari_beside_a_run_asks(widget, runs, monkeypatch, qtbot, pressed, closes, stops):
    run = RunFolder(runs / "run")
    run.path.mkdir()
    run.config.write_text("{}")
    run.running.write_text(mark_of(os.getpid()).model_dump_json())
    widget.show_run(run.path)
    qtbot.waitUntil(lambda: widget.runs.run_list.alive() == (run.path,), timeout=STARTS_MS)
    asked = []

    def answer(box):
        asked.append(box.text())
        assert box.defaultButton().text() == "Let it run"
        order = ["Let it run", "Stop with a checkpoint"]
        buttons = sorted(box.buttons(), key=lambda button: [*order, button.text()].index(button.text()))
        buttons[pressed].click()

    monkeypatch.setattr(QMessageBox, "exec", answer)
    assert widget.may_close() is closes
    assert "The training run goes on" in asked[0]
    assert not run.stop.exists(), "others may still keep the window open"
    if closes:
        widget.window_closed()
    assert run.stop.exists() is stops


def test_nothing_is_asked_without_a_run(widget, monkeypatch):
    monkeypatch.setattr(train_widget, "ask_about_runs", lambda *_: pytest.fail("asked"))
    assert widget.may_close()


def test_the_manifest_offers_the_widget():
    manifest = npe2.PluginManifest.from_distribution("napari-rdl")
    assert "Train model" in [widget.display_name for widget in manifest.contributions.widgets]
    assert "napari-rdl.train" in [
        item.command for item in manifest.contributions.menus["napari/layers/segment"]
    ]


def test_nothing_is_cut_off_in_a_narrow_dock(widget, changes):
    widget.viewer.window._qt_window.show()
    set_up(widget, changes)
    widget.setup.recipe.advanced.expand(animate=False)
    for section in widget.setup.recipe.form.sections.values():
        section.expand(animate=False)
    assert widget.minimumSizeHint().width() <= 310
    widget.viewer.window._qt_window.hide()
