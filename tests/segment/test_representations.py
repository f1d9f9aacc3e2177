"""Combining: any subset, any route, slice or volume, gives the same labels."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_rdl.brats import SUBSETS
from napari_rdl.case import load_case
from napari_rdl.segment import RepresentationCache, SegmentSettings, encode
from napari_rdl.segment.working_grid import WorkingGrid, linear_weights

from .kinds import KINDS, model_of

CPU = SegmentSettings(device="cpu", tile=16)


@pytest.fixture(scope="module", params=KINDS)
def model(request, brats_folder):
    return model_of(request.param, brats_folder)


@pytest.fixture(scope="module")
def representations(model, brats_folder):
    return encode(load_case(brats_folder), model, settings=CPU)


@pytest.mark.parametrize("subset", [("T1c",), ("T1c", "FLAIR"), SUBSETS[-1]], ids="+".join)
def test_labels_are_the_most_probable_classes(representations, subset):
    probabilities = representations.probabilities(subset)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
    labels = representations.labels(subset)
    sure = np.sort(probabilities, axis=0)[-1] - np.sort(probabilities, axis=0)[-2] > 1e-4
    assert np.array_equal(labels[sure], probabilities.argmax(0)[sure])
    assert sure.mean() > 0.9


@pytest.mark.parametrize("subset", [("FLAIR",), ("T1", "T2"), SUBSETS[-1]], ids="+".join)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_equals_the_volume_there(representations, subset, axis):
    volume = representations.labels(subset)
    for index in range(volume.shape[axis]):
        representations.label_slice(SUBSETS[-1], axis, index)  # what is kept of a slice serves every subset
        flat = representations.label_slice(subset, axis, index)
        assert np.array_equal(flat, volume.take(index, axis))


def test_all_subsets_at_once_equal_each_alone(representations):
    together = {one.modalities: one for one in representations.combine_all()}
    assert set(together) == set(SUBSETS)
    for subset, segmentation in together.items():
        assert np.array_equal(segmentation.labels, representations.labels(subset))
    assert len({one.labels.tobytes() for one in together.values()}) == 15


def test_the_order_in_which_a_subset_is_named_does_not_matter(representations):
    assert np.array_equal(representations.labels(["FLAIR", "T1"]), representations.labels(["T1", "FLAIR"]))
    assert representations.combine(["FLAIR", "T1"]).modalities == ("T1", "FLAIR")


def test_outside_every_brain_there_is_background(representations):
    brain = np.logical_or.reduce([image > 0 for image in representations.case.images.values()])
    assert not representations.labels()[~brain].any()
    assert (representations.probabilities()[0][~brain] == 1).all()


@pytest.mark.parametrize(
    ("subset", "words"), [([], "at least one"), (["T3"], "no known modality")], ids=["empty", "unknown"]
)
def test_impossible_subsets_are_refused(representations, subset, words):
    with pytest.raises(ValueError, match=words):
        representations.labels(subset)


def test_a_slice_outside_the_volume_is_refused(representations):
    with pytest.raises(IndexError, match="Slice 22"):
        representations.label_slice(None, 2, 22)


def test_cancelling_between_subsets(representations):
    from napari_rdl.errors import Cancelled

    stop = []
    walk = representations.combine_all(cancelled=lambda: bool(stop))
    assert [next(walk).modalities, next(walk).modalities] == [("T1",), ("T1", "T1c")]
    stop.append(True)
    with pytest.raises(Cancelled):
        next(walk)


def test_the_cache_lets_the_oldest_go_first(representations):
    size, case = representations.nbytes, representations.case
    cache = RepresentationCache(2 * size)
    cache.put("a", representations)
    cache.put("b", representations)
    found = cache.get("a", case)  # now b is the oldest
    assert found.case is case
    np.testing.assert_array_equal(found.labels({"T1"}), representations.labels({"T1"}))
    cache.put("c", representations)
    assert cache.get("b", case) is None
    assert cache.get("a", case) is not None
    assert cache.nbytes == 2 * size
    cache.set_budget(1)
    assert len(cache) == 1
    assert cache.get("a", case) is not None


def test_the_cache_keeps_no_images_alive(representations):
    case = representations.case
    copies = {name: image.copy() for name, image in case.images.items()}
    encoded = representations.of(replace(case, images=copies))
    del copies
    cache = RepresentationCache(2 * encoded.nbytes)
    cache.put("a", encoded)
    image = weakref.ref(encoded.case.images["T1"])
    del encoded
    gc.collect()
    assert image() is None


spacings = st.floats(0.4, 5.0)


@given(fine=spacings, coarse=spacings, start=st.integers(0, 9), length=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_resampling_weights_sum_to_one_and_keep_ramps_in_mm(fine, coarse, start, length):
    grid = WorkingGrid.covering((slice(start, start + length),) * 3, (fine,) * 3, (coarse,) * 3)
    first, count = grid.start[0], grid.shape[0]
    # The working voxels cover the box: none of its extent is lost.
    assert first * coarse <= start * fine + 1e-4
    assert (first + count) * coarse >= (start + length) * fine - 1e-4
    case_mm = (np.arange(start, start + length) + 0.5) * fine
    work_mm = (first + np.arange(count) + 0.5) * coarse
    for source, target in [(case_mm, work_mm), (work_mm, case_mm)]:
        weights = linear_weights(source, target)
        assert weights.shape == (len(target), len(source))
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
        assert (weights >= 0).all()
        found, wanted = weights @ source, np.clip(target, source[0], source[-1])
        if len(target) > 1 and len(source) > 1 and target[1] - target[0] > source[1] - source[0]:
            # An average over voxels of which the ends cut some off: off by less than one of them.
            assert np.abs(found - wanted).max() < target[1] - target[0]
        else:
            np.testing.assert_allclose(found, wanted, atol=1e-3)


@given(factor=st.sampled_from([1.0, 0.5, 2.0]), length=st.integers(4, 12))
@settings(deadline=None)
def test_a_ramp_in_mm_survives_the_way_to_the_working_grid_and_back(factor, length):
    grid = WorkingGrid.covering((slice(0, 2 * length),) * 3, (1.0,) * 3, (factor,) * 3)
    ramp = torch.arange(2 * length, dtype=torch.float32)[:, None, None].expand(-1, 2 * length, 2 * length)
    back = grid.to_case(grid.to_working(ramp))
    inner = slice(3, -3)
    np.testing.assert_allclose(back[inner].numpy(), ramp[inner].numpy(), atol=1e-3)


def test_resampling_commutes_with_the_sum():
    grid = WorkingGrid.covering((slice(2, 13), slice(0, 9), slice(1, 8)), (1.0, 1.2, 0.9), (2.0, 2.0, 2.0))
    one, other = torch.randn(2, 4, *grid.shape, dtype=torch.float64)
    torch.testing.assert_close(grid.to_case(one + other), grid.to_case(one) + grid.to_case(other))


def test_slabs_of_all_subsets_tile_the_box_and_equal_each_alone(representations):
    shape = representations.case.grid.shape
    maps = {subset: np.zeros(shape, np.uint8) for subset in SUBSETS}
    covered = np.zeros(shape, int)
    for box, labels in representations.labels_by_slab():
        covered[box] += 1
        for subset in SUBSETS:
            maps[subset][box] = labels[subset]
    assert (covered[representations.box] == 1).all()
    assert covered.sum() == covered[representations.box].size
    for subset in SUBSETS:
        assert np.array_equal(maps[subset], representations.labels(subset))


def test_a_temperature_changes_how_sure_and_never_what(model, brats_folder, representations):
    subset = ("T1", "T2")
    card = model.card.model_copy(update={"temperatures": {"T1+T2": 2.5}})
    softer = encode(load_case(brats_folder), replace(model, card=card), settings=CPU)
    # Dividing logits by T is raising probabilities to the power 1/T.
    expected = representations.probabilities(subset).astype(np.float64) ** (1 / 2.5)
    expected /= expected.sum(0)
    np.testing.assert_allclose(softer.probabilities(subset), expected, atol=1e-5)
    assert not np.allclose(expected, representations.probabilities(subset), atol=0.05)
    assert np.array_equal(softer.labels(subset), representations.labels(subset))
    others = softer.probabilities(("FLAIR",)), representations.probabilities(("FLAIR",))
    assert np.array_equal(*others)
