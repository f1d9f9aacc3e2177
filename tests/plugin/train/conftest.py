"""The Train model widget in a viewer, runs of a second or so, and their folder."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib

import npe2
import pytest

from napari_rdl.plugin.train.widget import TrainWidget
from napari_rdl.training.run import process as run_process
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.process import RunPlan
from tests.training.conftest import TINY, cache_folder

__all__ = ["cache_folder"]

STARTS_MS = 200_000
"""A loaded machine takes its time to load torch."""


PYTHON = sys.executable


@pytest.fixture(autouse=True)
def _started_warm(warm_python, monkeypatch):
    """Spare runs and checks the loading of torch."""
    monkeypatch.setattr(sys, "executable", warm_python)


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


def _docked(viewer, runs):
    manager = npe2.PluginManager.instance()
    if "napari-rdl" not in manager:
        manager.register(npe2.PluginManifest.from_distribution("napari-rdl"))
    widget = TrainWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Train model")
    if widget._memory.choices.runs_folder != runs:
        widget.runs.run_list.folder_chosen.emit(runs)
    widget.viewer = viewer
    return widget


@pytest.fixture
def make_widget(make_napari_viewer, runs):
    """Dock a widget in a new viewer; ``widget.viewer`` is it."""
    made = []

    def make():
        made.append(_docked(make_napari_viewer(), runs))
        return made[-1]

    yield make
    for widget in made:
        widget.shut_down()


@pytest.fixture
def widget(opened, runs):
    """The widget beside Segment tumour with a patient open, in the viewer that is passed on."""
    widget = _docked(opened.viewer, runs)
    yield widget
    widget.shut_down()


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
