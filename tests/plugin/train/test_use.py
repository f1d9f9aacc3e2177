"""A run's checkpoints put to use."""

from __future__ import annotations

import shutil

import pytest

from napari_rdl.plugin.train.use import UseBox


@pytest.fixture
def box(qtbot):
    box = UseBox()
    qtbot.addWidget(box)
    return box


def test_the_best_is_offered_as_soon_as_there_is_one_unless_the_user_chose(box, tmp_path, tiny_checkpoint):
    for name in ("last.safetensors", "best.safetensors"):
        shutil.copy(tiny_checkpoint, tmp_path / name)
    box.show_checkpoints(tmp_path, ["last.safetensors"])
    assert box.checkpoint == tmp_path / "last.safetensors"
    box.show_checkpoints(tmp_path, ["best.safetensors", "last.safetensors"])
    assert box.checkpoint == tmp_path / "best.safetensors"

    box.show_checkpoints(tmp_path, ["last.safetensors"])
    box.checkpoint_box.activated.emit(0)
    box.show_checkpoints(tmp_path, ["best.safetensors", "last.safetensors"])
    assert box.checkpoint == tmp_path / "last.safetensors"
