"""The half of a brain without tumour: where it lies, and that nothing of the other half is left."""

import numpy as np
import pytest

from napari_rdl.cohort.patients import phantoms
from napari_rdl.training.config import DataConfig
from napari_rdl.training.data.cache import PatientCache
from napari_rdl.training.data.crops import CropDataset, read_crop
from napari_rdl.training.data.halves import healthy_half, healthy_side, midline
from napari_rdl.training.data.sources import Source

MODALITIES = ("T1", "T1c", "T2", "FLAIR")


def ball(shape, centre, radius):
    offsets = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    return (offsets**2).sum(0) <= radius**2


@pytest.mark.parametrize("centre", [14.0, 15.5, 17.0])
def test_midline_is_the_plane_of_symmetry(centre):
    brain = ball((32, 20, 20), (centre, 10, 10), 9)
    assert midline(brain) == centre
    # A bite out of one side, as a resection leaves it, moves it by a voxel at most.
    brain[: int(centre) - 5, :8] = False
    assert midline(brain) == pytest.approx(centre, abs=1)


def test_midline_of_a_made_head_is_its_middle(tmp_path):
    cache = PatientCache(DataConfig(spacing=(4, 4, 4)), MODALITIES, tmp_path)
    cached = cache.get(phantoms(1, 3)[0])
    assert cached.midline == pytest.approx((cached.classes.shape[0] - 1) / 2, abs=2)


@pytest.mark.parametrize(
    ("at", "side"),
    [
        ((3, 6), slice(16, 32)),
        ((26, 29), slice(0, 16)),
        # It reaches over the midline at 15.5: 5 mm beyond its reach, at 2 mm a voxel, are left out too.
        ((8, 18), slice(21, 32)),
        ((13, 24), slice(0, 11)),
        ((6, 26), None),
        (None, None),
    ],
    ids=["left", "right", "left and over", "right and over", "far over", "no tumour"],
)
def test_the_side_without_tumour(at, side):
    classes = np.zeros((32, 8, 8), np.uint8)
    if at is not None:
        classes[at[0] : at[1] + 1, 2:4, 2:4] = 2
    assert healthy_side(classes, 15.5, 2.0) == side
    assert side is None or not classes[side].any()


def test_tumour_on_both_sides():
    classes = np.zeros((32, 8, 8), np.uint8)
    classes[2], classes[29] = 1, 3
    assert healthy_side(classes, 15.5, 2.0) is None


@pytest.fixture(scope="module")
def one_sided(tmp_path_factory):
    """A made patient whose tumour keeps to one side, and its cache."""
    folder = tmp_path_factory.mktemp("cache")
    cache = PatientCache(DataConfig(spacing=(4, 4, 4), phantom_volume_ml=(4, 8)), MODALITIES, folder)
    for patient in phantoms(20, 0):
        if healthy_half(cache.get(patient)) is not None:
            return patient, cache
    raise AssertionError("none of twenty tumours keeps to one side")


def test_a_half_is_tissue_without_tumour(one_sided):
    patient, cache = one_sided
    whole = cache.get(patient)
    half = healthy_half(whole)
    assert half.classes.sum() == 0 < whole.classes.sum()
    shape = half.classes.shape
    images, labels = read_crop(half, (-2, -2, -2), tuple(size + 4 for size in shape))
    inner = images[:, 2:-2, 2:-2, 2:-2]
    np.testing.assert_array_equal(inner, whole.images()[:, half.side])
    assert not labels.any()
    assert np.abs(images).sum() == pytest.approx(np.abs(inner).sum(), rel=1e-5)
    tissue = (whole.images() != 0).any(0).sum()
    assert 0.3 < (inner != 0).any(0).sum() / tissue < 0.6


def test_crops_of_halves_have_no_tumour(one_sided, tiny_training):
    patient, cache = one_sided
    config = tiny_training("data.spacing=[4, 4, 4]", "data.crop=[24, 24, 24]", "data.tumour_share=1.0")
    for share in (0.0, 1.0):
        crops = CropDataset(config, [Source("phantom:1", (patient,), 1.0, share)], cache)
        for index in range(4):
            crop = crops.crop(index)
            assert crop["half"] is (share == 1.0)
            assert crop["labels"].any() == (share == 0.0)
