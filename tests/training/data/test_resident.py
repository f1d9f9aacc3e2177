"""Patients kept on the device: the same visits as from disk, made ahead, and a whole run with them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_rdl.errors import CaseError
from napari_rdl.training.data.cache import PatientCache
from napari_rdl.training.data.crops import CropDataset
from napari_rdl.training.data.resident import ResidentCrops
from napari_rdl.training.data.sources import choose_patients
from napari_rdl.training.run.session import run_training

STILL = ("augment.flip=0", "augment.shift=0", "augment.scale=0", "data.tumour_share=0")


@pytest.fixture
def resident(tiny_training):
    def make(*changes):
        config = tiny_training("data.resident_gb=1", *STILL, *changes)
        cache = PatientCache(config.data, config.network.modalities)
        dataset = CropDataset(config, choose_patients(config.data, config.seed, 0).sources, cache)
        return ResidentCrops(dataset, torch.device("cpu"))

    return make


def test_crops_come_from_the_visits_that_the_disk_would_have(resident):
    crops = resident()
    batch = crops.batch([0, 1, 2])
    assert batch["names"] == [crops.dataset.visit_of(index).patient.name for index in range(3)]
    assert batch["images"].shape == (3, 4, 8, 8, 8)
    assert batch["labels"].dtype == torch.int64
    again = crops.batch([2, 0])
    torch.testing.assert_close(again["images"][1], batch["images"][0])
    torch.testing.assert_close(again["images"][0], batch["images"][2])


def test_a_patient_without_a_healthy_half_is_seen_whole_and_read_once(resident, monkeypatch):
    crops = resident()
    visit = replace(crops.dataset.visit_of(0), half=True)
    monkeypatch.setattr(crops.dataset, "visit_of", lambda index: visit)
    monkeypatch.setattr("napari_rdl.training.data.resident.healthy_half", lambda cached: None)
    assert crops.batch([0])["halves"] == [False]
    monkeypatch.setattr(crops.dataset.cache, "get", None)  # nothing is read again
    assert crops.batch([0])["halves"] == [False]


def test_batches_come_in_order_and_the_thread_ends_when_nobody_asks(resident):
    import threading

    crops = resident()
    batches = crops.batches(iter([[index] for index in range(20)]))
    assert [next(batches)["indices"] for _ in range(3)] == [[0], [1], [2]]
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "resident crops"]


def test_what_the_thread_meets_is_raised_where_batches_are_asked_for(resident, monkeypatch):
    crops = resident()

    def refuse(patient):
        raise CaseError(f"{patient.name} is gone.")

    monkeypatch.setattr(crops.dataset.cache, "get", refuse)
    with pytest.raises(CaseError, match="is gone"):
        next(crops.batches(iter([[0]])))


def test_who_was_away_longest_leaves_when_memory_is_full(resident):
    crops = resident("data.resident_gb=1e-6")
    crops.batch([0, 1, 2, 3])
    assert len(crops._kept) == 1
    assert crops._size == next(iter(crops._kept.values())).volume.nbytes


def test_a_run_with_everything_that_residents_may_go_through(tiny_training, tmp_path):
    changes = ("elastic", "thick", "carry", "gamma", "bias", "noise", "blur", "affine")
    config = tiny_training("data.resident_gb=1", *(f"augment.{name}=1" for name in changes))
    outcome = run_training(config, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert outcome.finished
    assert np.isfinite([line["loss"] for line in lines if "loss" in line]).all()
    assert sum(json.loads((tmp_path / "run" / "visits.json").read_text())["patients"].values()) == 10
