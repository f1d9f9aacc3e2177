"""Crops cut, bent, carried over and repainted on the device, against SciPy and by what must hold."""

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform, gaussian_filter

from napari_rdl.training.config import AugmentConfig
from napari_rdl.training.data.batch_augment import LEVELS, BatchAugmentation, Volume, _smooth

SHAPE, SIZE = (22, 26, 18), (12, 16, 8)
STILL = AugmentConfig(flip=0, shift=0, scale=0)


@pytest.fixture(scope="module")
def volume():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, *SHAPE)).clip(-3.9, 8).astype(np.float16)
    images[:, :3] = 0
    classes = np.zeros(SHAPE, np.uint8)
    classes[8:14, 10:16, 6:12] = 2
    return Volume.of(images, classes, torch.device("cpu")), images, classes


def test_what_is_stored_is_within_half_a_level(volume):
    stored, images, _ = volume
    found = (stored.images.float() - 80) / LEVELS
    brain = torch.from_numpy(images != 0)
    assert torch.equal(stored.images > 0, brain)
    torch.testing.assert_close(
        found[brain], torch.from_numpy(images).float()[brain], rtol=0, atol=0.51 / LEVELS
    )


@pytest.mark.parametrize("corner", [(5, 6, 4), (-3, 0, 14)])
def test_a_crop_that_is_not_turned_is_the_volumes(volume, corner):
    stored, images, classes = volume
    centre = np.asarray(corner) + (np.asarray(SIZE) - 1) / 2
    found, labels = BatchAugmentation(STILL).cut(stored, centre, SIZE, np.random.default_rng(0))
    padded = np.pad(images, [(0, 0), *[(20, 20)] * 3])
    box = tuple(slice(start + 20, start + 20 + edge) for start, edge in zip(corner, SIZE, strict=True))
    expected = torch.from_numpy(padded[(slice(None), *box)].astype(np.float32))
    torch.testing.assert_close(found, expected, rtol=0, atol=0.51 / LEVELS)
    assert np.array_equal(labels.numpy(), np.pad(classes, 20)[box])


def test_turning_and_mirroring_are_scipys(volume):
    stored, images, classes = volume
    config = STILL.model_copy(update={"flip": 1.0, "affine": 1.0, "rotation": 20.0, "zoom": 0.2})
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    centre = np.array([11.0, 13.0, 9.0])
    found, labels = BatchAugmentation(config).cut(stored, centre, SIZE, rng)
    mirror = np.where(same.random(3) < 1, -1.0, 1.0)
    same.random()
    x, y, z = np.radians(same.uniform(-20, 20, 3))
    turn = (
        np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
        @ np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
        @ np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    )
    matrix = np.diag(mirror) @ turn * same.uniform(0.8, 1.2)
    offset = centre - matrix @ ((np.asarray(SIZE) - 1) / 2)
    inside = (slice(2, -2),) * 3
    for image, expected in zip(found.numpy(), images.astype(np.float32), strict=True):
        wanted = affine_transform(expected, matrix, offset, SIZE, order=1)
        brain = image[inside] != 0
        assert np.abs(image[inside] - wanted[inside])[brain].max() < 0.06
    wanted = affine_transform(classes, matrix, offset, SIZE, order=0)
    assert (labels.numpy() == wanted).mean() > 0.99


def test_smoothing_is_scipys_where_all_is_brain():
    image = np.random.default_rng(0).normal(size=(12, 14, 16)).astype(np.float32)
    found = _smooth(torch.from_numpy(image), torch.ones(12, 14, 16, dtype=torch.bool), 1.2)
    weight = gaussian_filter(np.ones_like(image), 1.2, mode="constant", radius=3)
    expected = gaussian_filter(image, 1.2, mode="constant", radius=3) / weight
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_repainting_leaves_background_and_labels_alone_and_is_a_function_of_the_crops_own_stream(volume):
    config = AugmentConfig(gamma=1, bias=1, noise=1, blur=1, thick=1, scale=0.2, shift=0.2)
    augmentation = BatchAugmentation(config)
    torch.manual_seed(0)
    images = torch.randn(2, 4, 8, 8, 8)
    images[:, :, :2] = 0
    together = augmentation.repaint(images.clone(), [np.random.default_rng(index) for index in (1, 2)])
    assert torch.equal(together == 0, images == 0)
    assert torch.isfinite(together).all()
    assert not torch.allclose(together, images)
    alone = augmentation.repaint(images[1:].clone(), [np.random.default_rng(2)])
    torch.testing.assert_close(alone[0], together[1])


def test_a_tumour_is_carried_with_its_labels_into_the_other_brain_only():
    config = AugmentConfig(carry=1.0)
    images = torch.full((2, 4, 16, 16, 16), 0.5)
    images[1] = 2.0  # another head, brighter everywhere
    images[1, :, :4] = 0  # and smaller
    labels = torch.zeros(2, 16, 16, 16, dtype=torch.int64)
    labels[0, 2:10, 4:12, 4:12] = 3
    images[0, :, 2:10, 4:12, 4:12] = 1.5
    before = images.clone(), labels.clone()
    BatchAugmentation(config).carry(images, labels, [np.random.default_rng(index) for index in range(2)])
    assert torch.equal(images[0], before[0][0])  # nobody has a tumour for the first
    assert torch.equal(labels[0], before[1][0])
    assert not images[1, :, :4].any()
    assert not labels[1, :4].any()
    assert (labels[1, 4:10, 4:12, 4:12] == 3).all()
    # 1 brighter than what surrounds it, there as here.
    torch.testing.assert_close(images[1, :, 7, 8, 8], torch.full((4,), 3.0))
    assert torch.equal(images[1, :, 15], before[0][1, :, 15])
