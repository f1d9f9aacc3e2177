"""Runs to compare with, and how two runs are compared."""

import json
import shutil

import pytest
from safetensors import safe_open

from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.run.session import run_training
from tests.training.conftest import TINY

MEASURED = ("samples_per_s", "memory_mb", "seconds")


def metrics(folder):
    """Return the lines of metrics without what a clock measured."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in MEASURED} for line in lines]


def assert_same(one, other):
    assert metrics(one) == metrics(other)
    for name in ("last.safetensors", "best.safetensors"):
        # The cards differ in nothing: equal configurations, steps and results.
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert tensors(one / "state.safetensors") == tensors(other / "state.safetensors")


def tensors(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name).tolist() for name in file.keys()}  # noqa: SIM118


def at_step(step, action):
    """Return a progress callback that acts once when a step is reported."""
    return lambda done, total, message: action() if done == step and message.startswith("loss") else None


def stop_after(step):
    """Return callbacks that end a run after a step."""
    reached = []
    return {"progress": at_step(step, lambda: reached.append(step)), "cancelled": lambda: bool(reached)}


@pytest.fixture(scope="session")
def straight_once(patients_folder, cache_folder, tmp_path_factory):
    """A run that nothing disturbed, not to be changed."""
    data = (f"data.source={str(patients_folder)!r}", f"data.cache={str(cache_folder)!r}")
    folder = tmp_path_factory.mktemp("once") / "straight"
    run_training(load_recipe(None, [*TINY, *data, "optimizer.ema_decay=0.5"]), folder)
    return folder


@pytest.fixture
def straight(straight_once, tmp_path):
    """A copy of that run."""
    return shutil.copytree(straight_once, tmp_path / "straight")


@pytest.fixture(scope="session")
def halfway(patients_folder, cache_folder, tmp_path_factory):
    """A tiny run that was stopped after two steps; copied before it is spoilt."""
    out = tmp_path_factory.mktemp("halfway") / "run"
    data = (f"data.source={str(patients_folder)!r}", f"data.cache={str(cache_folder)!r}")
    run_training(load_recipe(None, [*TINY, *data]), out, **stop_after(2))
    return out
