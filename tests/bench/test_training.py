"""The clock on a training step: its parts are all there is, and waiting is told from work."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from napari_rdl.bench import training
from napari_rdl.bench.training import PARTS, measure_training
from napari_rdl.training.data.crops import CropDataset
from napari_rdl.training.recipe import load_recipe


@pytest.fixture
def config(patients_folder: Path, tmp_path: Path):
    return load_recipe(
        None,
        [
            f"data.cache={tmp_path}",
            "data.crop=[16, 16, 16]",
            "data.workers=0",
            "data.folds=2",
            "network.channels=[4, 8]",
            "network.groups=2",
            "optimizer.batch=2",
            "optimizer.micro_batch=1",
            "hardware.threads=1",
        ],
        data__source=str(patients_folder),
    )


def test_parts_add_up_to_the_step_and_slow_crops_are_told_as_waiting(config, monkeypatch) -> None:
    quick = measure_training(config, 1)
    assert tuple(quick.parts) == PARTS
    assert all(seconds > 0 for seconds in quick.parts.values())
    assert sum(quick.parts.values()) == pytest.approx(quick.seconds, rel=0.05)
    assert quick.crops_per_second == pytest.approx(2 / quick.seconds)
    crop = CropDataset.__getitem__

    def slowly(self, number):
        time.sleep(2 * quick.seconds)
        return crop(self, number)

    monkeypatch.setattr(CropDataset, "__getitem__", slowly)
    slow = measure_training(config, 1)
    assert slow.waiting_share > 0.6 > quick.waiting_share
    assert slow.parts["waiting"] >= 4 * quick.seconds


def test_a_gpu_is_waited_for_before_the_clock_is_read(config, monkeypatch) -> None:
    """Kernels run on: without it their time would stand under whatever comes next."""
    waited: list[object] = []
    monkeypatch.setattr(training.torch.cuda, "synchronize", waited.append)
    clock = training._Clock.__new__(training._Clock)
    clock._device = training.torch.device("cuda", 0)
    clock._now()
    assert waited == [clock._device]
