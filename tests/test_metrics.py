"""Metrics against hand-counted masks, and the rules for empty ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_rdl.metrics import (
    Overlap,
    class_counts,
    class_pairs,
    dice,
    hd95,
    region_counts,
    region_dice,
    region_masks,
    region_scores,
    volumes_ml,
)

EMPTY = np.zeros((4, 5, 6), bool)


def _cube(start: int, stop: int, shape=(20, 20, 20)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[start:stop, 5:9, 5:9] = True
    return mask


def test_dice_counts_by_hand():
    assert dice(_cube(4, 8), _cube(6, 10)) == 0.5
    assert dice(_cube(4, 8), _cube(4, 8)) == 1
    assert dice(_cube(4, 6), _cube(8, 10)) == 0


def test_dice_of_empty_masks_follows_the_stated_rule():
    full = ~EMPTY
    assert dice(EMPTY, EMPTY) == 1
    assert dice(EMPTY, full) == 0
    assert dice(full, EMPTY) == 0


@given(arrays(bool, (3, 4, 5)), arrays(bool, (3, 4, 5)))
def test_dice_is_symmetric_and_bounded(one, other):
    assert dice(one, other) == dice(other, one)
    assert 0 <= dice(one, other) <= 1


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (0.5, 3.0, 3.0)])
def test_hd95_of_a_shifted_plate_is_the_shift_in_mm(spacing):
    plate = np.zeros((20, 12, 12), bool)
    plate[5] = True
    shifted = np.roll(plate, 4, axis=0)
    assert hd95(plate, shifted, spacing) == pytest.approx(4 * spacing[0])


def test_hd95_does_not_depend_on_what_lies_far_away():
    small, large = _cube(4, 8), _cube(4, 8, shape=(60, 60, 60))
    assert hd95(small, _cube(6, 10), (1, 1, 1)) == hd95(large, _cube(6, 10, shape=(60, 60, 60)), (1, 1, 1))


def test_hd95_with_an_empty_mask_is_undefined():
    assert hd95(EMPTY, ~EMPTY, (1, 1, 1)) is None
    assert hd95(EMPTY, EMPTY, (1, 1, 1)) is None


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_regions_are_nested_and_volumes_count_them(values):
    classes = np.array(values, np.uint8).reshape(-1, 1, 1)
    masks = region_masks(classes)
    assert not (masks["ET"] & ~masks["TC"]).any()
    assert not (masks["TC"] & ~masks["WT"]).any()
    volumes = volumes_ml(classes, 0.5)
    assert volumes == {region: mask.sum() * 0.5 for region, mask in masks.items()}


def test_scores_of_the_truth_against_itself():
    classes = np.zeros((10, 10, 10), np.uint8)
    classes[2:8, 2:8, 2:8] = 2
    classes[4:6, 4:6, 4:6] = 1
    scores = region_scores(classes, classes, (1, 1, 1))
    assert scores["WT"] == {"dice": 1.0, "hd95": 0.0}
    assert scores["TC"] == {"dice": 1.0, "hd95": 0.0}
    assert scores["ET"] == {"dice": 1.0, "hd95": None}
    assert "hd95" not in region_scores(classes, classes, (1, 1, 1), distances=False)["WT"]


@given(st.integers(0, 50), st.integers(1, 4), st.integers(1, 4))
def test_pairs_are_scikit_learns_confusion_matrix_and_give_the_masks_dice(seed, kinds, others):
    from sklearn.metrics import confusion_matrix

    rng = np.random.default_rng(seed)
    predicted = rng.integers(0, kinds, (3, 4, 2)).astype(np.uint8)
    truth = rng.integers(0, others, (3, 4, 2)).astype(np.uint8)
    pairs = class_pairs(predicted, truth)
    np.testing.assert_array_equal(
        pairs, confusion_matrix(predicted.ravel(), truth.ravel(), labels=[0, 1, 2, 3])
    )
    np.testing.assert_array_equal(pairs.sum(1), class_counts(predicted))
    found, true = region_masks(predicted), region_masks(truth)
    assert region_counts(class_counts(truth)) == {region: mask.sum() for region, mask in true.items()}
    for region, value in region_dice(predicted, truth).items():
        assert Overlap.of_pairs(pairs, region) == Overlap.of_masks(found[region], true[region])
        assert value == dice(found[region], true[region])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
@pytest.mark.parametrize("shape", [(3, 5, 7), (8,), (2, 2), (0,)])
def test_classes_are_counted_and_what_is_none_of_them_is_background(dtype, shape):
    rng = np.random.default_rng(3)
    strange = [200] if dtype == np.uint8 else [257, -1]
    values = rng.choice([0, 0, 0, 1, 2, 3, *strange], shape).astype(dtype)
    listed = values.ravel().tolist()
    tumour = [listed.count(index) for index in (1, 2, 3)]
    for laid in (values, np.asfortranarray(values), values[::-1]):
        assert class_counts(laid).tolist() == [values.size - sum(tumour), *tumour]
