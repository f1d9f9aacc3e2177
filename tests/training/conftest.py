"""A tiny world to train in: small patients on disk, a small network, a few steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_rdl.training.recipe import load_recipe

TINY = (
    "network.channels=[4, 8]",
    "network.groups=2",
    "data.spacing=[2, 2, 2]",
    "data.crop=[8, 8, 8]",
    "data.workers=0",
    "data.makers=1",
    "data.folds=2",
    "optimizer.batch=2",
    "optimizer.max_steps=5",
    "validation.every=4",
    "validation.overlap=0",
    "run.log_every=1",
    "run.checkpoint_every=2",
    "hardware.device=cpu",
    "hardware.threads=1",
)
"""Settings of a run of a second or so."""


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of prepared patients for all tests."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def settings(patients_folder: Path, cache_folder: Path) -> list[str]:
    """Tiny settings with data and cache, as they are given to --set."""
    return [*TINY, f"data.source={str(patients_folder)!r}", f"data.cache={str(cache_folder)!r}"]


@pytest.fixture
def tiny_training(settings: list[str]):
    """Make a tiny configuration, with changes."""

    def make(*changes: str):
        return load_recipe(None, [*settings, *changes])

    return make
