"""A training as a process: its command line."""

from __future__ import annotations

from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.run.process import RunPlan


def test_changes_are_written_as_the_shell_reads_them():
    changes = {
        "data.source": '/a folder/with "quotes" and ü',
        "data.crop": (8, 8, 8),
        "optimizer.lr": 1e-5,
        "optimizer.max_steps": None,
        "hardware.compile": True,
        "name": "5",
    }
    words = RunPlan("laptop", changes).words()
    config = load_recipe(words[1], words[3::2])
    assert config.data.source == changes["data.source"]
    assert config.data.crop == (8, 8, 8)
    assert config.optimizer.lr == 1e-5
    assert config.optimizer.max_steps is None
    assert config.hardware.compile is True
    assert config.name == "5"
