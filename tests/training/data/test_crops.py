"""Crops: where they lie, and that they depend on seed and number alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl.training.config import AugmentConfig
from napari_rdl.training.data.augment import Augmentation
from napari_rdl.training.data.cache import PatientCache
from napari_rdl.training.data.crops import CropDataset, StepSampler, choose_corner, crop_loader, read_crop
from napari_rdl.training.data.sources import choose_patients

EVERYTHING = AugmentConfig(gamma=1, noise=1, blur=1, bias=1, affine=1, shift=0.2, scale=0.2)
NOTHING = AugmentConfig(flip=0, shift=0, scale=0)


@given(st.tuples(*[st.integers(1, 12)] * 3), st.tuples(*[st.integers(1, 12)] * 3), st.integers(0, 99))
def test_a_crop_shows_as_much_of_the_volume_as_it_can(shape, size, seed):
    classes = np.zeros(shape, np.uint8)
    classes[tuple(np.random.default_rng(seed).integers(0, shape))] = 2
    corner = choose_corner(classes, size, 0.5, np.random.default_rng(seed))
    for start, edge, length in zip(corner, size, shape, strict=True):
        overlap = min(start + edge, length) - max(start, 0)
        assert overlap == min(edge, length)


def test_tumour_crops_hold_every_class_about_as_often():
    classes = np.zeros((40, 40, 40), np.uint8)
    classes[2:30, 2:30, 2:30] = 2  # large
    classes[35:37, 35:37, 35:37] = 3  # small
    hits = {2: 0, 3: 0}
    for seed in range(200):
        x, y, z = choose_corner(classes, (6, 6, 6), 1.0, np.random.default_rng(seed))
        found = np.unique(classes[x : x + 6, y : y + 6, z : z + 6])
        for value in hits:
            hits[value] += value in found
    assert hits[2] > 60
    assert hits[3] > 60


@pytest.fixture
def dataset(tiny_training):
    def make(*changes):
        config = tiny_training(*changes)
        split = choose_patients(config.data, config.seed, 4)
        return CropDataset(config, split.sources, PatientCache(config.data, config.network.modalities))

    return make


def test_reading_beyond_the_volume_gives_zeros(dataset):
    cached = dataset().cache.get(dataset().visit_of(0).patient)
    shape = cached.classes.shape
    size = tuple(length + 4 for length in shape)
    images, labels = read_crop(cached, (-2, -2, -2), size)
    inner = tuple(slice(2, 2 + length) for length in shape)
    np.testing.assert_array_equal(images[(slice(None), *inner)], cached.images())
    np.testing.assert_array_equal(labels[inner], cached.classes)
    assert np.abs(images).sum() == pytest.approx(np.abs(cached.images()).sum(), rel=1e-5)


def test_a_crop_depends_on_seed_and_number_alone(dataset):
    one, other = dataset(), dataset()
    for index in (5, 0, 3):
        other[index]
    for index in (0, 5):
        a, b = one[index], other[index]
        np.testing.assert_array_equal(a["images"], b["images"])
        np.testing.assert_array_equal(a["labels"], b["labels"])
    assert not np.array_equal(one[0]["images"], dataset("seed=1")[0]["images"])


def test_every_patient_comes_once_an_epoch(dataset):
    crops = dataset()
    count = len(crops.visits.sources[0].patients)
    for epoch in range(3):
        visited = {crops.visit_of(epoch * count + place).patient.name for place in range(count)}
        assert len(visited) == count


def test_visits_of_several_crops(dataset):
    crops = dataset("data.crops_per_visit=3")
    assert len({crops.visit_of(index).patient.name for index in range(3)}) == 1


def test_processes_share_the_batch_of_one(tiny_training):
    changes = ("optimizer.batch=4", "optimizer.micro_batch=1")
    alone = list(StepSampler(tiny_training("optimizer.batch=4"), 2, 5, 0))
    shared = [
        list(StepSampler(tiny_training(*changes, "hardware.devices=2"), 2, 5, rank)) for rank in range(2)
    ]
    for step, batch in enumerate(alone):
        parts = [part for rank in shared for part in rank[2 * step : 2 * step + 2]]
        assert [index for part in parts for index in part] == batch
    assert len(list(StepSampler(tiny_training(*changes), 2, 5, 0))) == 12


def test_workers_bring_the_same_batches(dataset):
    for workers in (0, 1):
        crops = dataset(f"data.workers={workers}")
        batches = list(crop_loader(crops, StepSampler(crops.config, 1, 3, 0)))
        assert [batch["indices"] for batch in batches] == [[2, 3], [4, 5]]
        if workers == 0:
            first = batches
    for one, other in zip(first, batches, strict=True):
        assert one["names"] == other["names"]
        assert np.array_equal(one["images"], other["images"])


@pytest.fixture
def crop():
    rng = np.random.default_rng(0)
    config = Augmentation(EVERYTHING)
    size = config.size_to_read((12, 12, 12))
    images = rng.normal(size=(4, *size)).astype(np.float32)
    images[:, :3] = 0
    return images, rng.integers(0, 4, size).astype(np.uint8)


def test_no_change_returns_the_middle(crop):
    images, labels, turned = Augmentation(NOTHING)(*crop, (12, 12, 12), np.random.default_rng(0))
    assert not turned.any()
    start = [(length - 12) // 2 for length in crop[1].shape]
    middle = tuple(slice(first, first + 12) for first in start)
    np.testing.assert_array_equal(images, crop[0][(slice(None), *middle)])
    np.testing.assert_array_equal(labels, crop[1][middle])


@pytest.mark.parametrize("part", ["gamma", "noise", "blur", "bias", "affine", "shift", "scale", "flip"])
def test_each_change_changes(crop, part):
    config = AugmentConfig(
        **{"flip": 0, "shift": 0, "scale": 0, part: 0.5 if part in ("shift", "scale") else 1}
    )
    plain, *_ = Augmentation(NOTHING)(*crop, (12, 12, 12), np.random.default_rng(0))
    changed, labels, _ = Augmentation(config)(*crop, (12, 12, 12), np.random.default_rng(0))
    assert changed.shape == (4, 12, 12, 12)
    assert changed.dtype == np.float32
    assert labels.dtype == np.uint8
    assert not np.allclose(changed, plain)
    assert np.isfinite(changed).all()


def test_intensities_of_modalities_change_on_their_own(crop):
    images = np.repeat(crop[0][:1], 4, axis=0)
    changed, *_ = Augmentation(AugmentConfig(flip=0))(images, crop[1], (12, 12, 12), np.random.default_rng(0))
    assert not np.allclose(changed[0], changed[1])


def test_background_stays_zero(crop):
    config = EVERYTHING.model_copy(update={"affine": 0.0, "flip": 0.0})
    images, labels = crop[0][:, :12, :12, :12], crop[1][:12, :12, :12]
    changed, *_ = Augmentation(config)(images, labels, (12, 12, 12), np.random.default_rng(0))
    assert not changed[:, :3].any()
    assert changed[:, 3:].any()


def test_mirroring_takes_image_and_label_along():
    images = np.arange(1, 65, dtype=np.float32).reshape(1, 4, 4, 4)
    labels = images[0].astype(np.uint8)
    config = AugmentConfig(flip=1, shift=0, scale=0)
    mirrored, moved, axes = Augmentation(config)(images, labels, (4, 4, 4), np.random.default_rng(0))
    assert axes.all()
    np.testing.assert_array_equal(mirrored[0], images[0, ::-1, ::-1, ::-1])
    np.testing.assert_array_equal(moved, mirrored[0])


def test_turning_keeps_classes_whole_and_over_their_image():
    size = Augmentation(EVERYTHING).size_to_read((24, 24, 24))
    labels = np.zeros(size, np.uint8)
    centre = tuple(slice(length // 2 - 5, length // 2 + 5) for length in size)
    labels[centre] = 3
    images = (labels > 0).astype(np.float32)[None] + 1
    config = AugmentConfig(flip=0, shift=0, scale=0, affine=1, rotation=20)
    turned, moved, _ = Augmentation(config)(images, labels, (24, 24, 24), np.random.default_rng(1))
    assert set(np.unique(moved)) == {0, 3}
    assert ((turned[0] > 1.5) == (moved > 0)).mean() > 0.97
