"""Tools on small label maps, against scikit-image, arithmetic and shapes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import measure, morphology

from napari_rdl.correct import Edit, Protection, doubtful_places
from napari_rdl.correct.protection import NESTED
from napari_rdl.correct.tools import (
    copy_slice,
    drop_piece,
    fill_holes,
    grow,
    interpolate,
    keep_piece,
    map_value,
    shrink,
    smooth,
    strangers,
    take_over,
)

ONE = (1.0, 1.0, 1.0)


def ball(radius: float, shape=(21, 21, 21), centre=(10, 10, 10)) -> np.ndarray:
    grid = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    return (grid**2).sum(axis=0) <= radius**2


def after(labels: np.ndarray, edit: Edit) -> np.ndarray:
    made = labels.copy()
    made.reshape(-1)[edit.indices] = edit.values
    assert (np.diff(edit.indices) > 0).all()
    return made


@pytest.fixture
def tumour() -> np.ndarray:
    labels = np.zeros((21, 21, 21), np.uint8)
    for radius, value in ((8, 2), (5, 3), (2.5, 1)):
        labels[ball(radius)] = value
    return labels


def test_grow_and_shrink_are_a_ball_of_one_mm():
    labels = ball(4).astype(np.uint8)
    grown = after(labels, grow(labels, 1, ONE, 1.0))
    np.testing.assert_array_equal(grown > 0, morphology.dilation(labels > 0, morphology.ball(1)))
    shrunk = after(labels, shrink(labels, 1, ONE, 1.0))
    np.testing.assert_array_equal(shrunk > 0, morphology.erosion(labels > 0, morphology.ball(1)))


def test_millimetres_count_and_not_voxels():
    labels = np.zeros((21, 21, 21), np.uint8)
    labels[10, 10, 10] = 3
    grown = after(labels, grow(labels, 3, (1.0, 1.0, 3.0), 2.0))
    assert grown[8:13, 10, 10].all()
    assert grown.any(axis=(0, 1)).sum() == 1


def test_what_a_class_loses_becomes_what_lies_nearest(tumour):
    shrunk = after(tumour, shrink(tumour, 3, ONE))
    lost = (tumour == 3) & (shrunk != 3)
    assert set(np.unique(shrunk[lost])) == {1, 2}
    outer = after(tumour, shrink(tumour, 2, ONE))
    assert set(np.unique(outer[(tumour == 2) & (outer != 2)])) == {0, 3}


def test_holes_are_filled_and_necrosis_is_none(tumour):
    assert not len(fill_holes(tumour, 3))
    tumour[10, 10, 10] = 0
    tumour[10, 10, 17] = 0
    filled = after(tumour, fill_holes(tumour, 3))
    assert filled[10, 10, 10] == 3
    assert filled[10, 10, 17] == 0
    assert after(tumour, fill_holes(tumour, 2))[10, 10, 17] == 2


def test_smooth_takes_a_spike_away_and_keeps_the_ball():
    labels = (ball(6) * 2).astype(np.uint8)
    clean = labels.copy()
    labels[10, 10, 16:20] = 2
    smoothed = after(labels, smooth(labels, 2, ONE, 1.0))
    assert not smoothed[10, 10, 18:].any()
    assert abs(int((smoothed > 0).sum()) - int((clean > 0).sum())) < 0.05 * (clean > 0).sum()


def test_a_piece_is_dropped_or_kept():
    labels = np.zeros((21, 21, 21), np.uint8)
    labels[2:5, 2:5, 2:5] = 2
    labels[3, 3, 3] = 3
    labels[12:15, 12:15, 12:15] = 1
    assert measure.label(labels > 0).max() == 2
    dropped = after(labels, drop_piece(labels, (3, 3, 3)))
    assert not dropped[:8].any()
    assert dropped[13, 13, 13] == 1
    kept = after(labels, keep_piece(labels, (3, 3, 3)))
    assert kept[3, 3, 3] == 3
    assert not kept[8:].any()
    for place in ((0, 0, 0), (50, 0, 0)):
        assert not len(drop_piece(labels, place))
        assert not len(keep_piece(labels, place))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_between_discs_lies_a_disc_of_middle_size(axis):
    labels = np.zeros((41, 41, 11), np.uint8)
    y, x = np.indices((41, 41)) - 20
    labels[:, :, 0][x**2 + y**2 <= 5**2] = 3
    labels[:, :, 10][x**2 + y**2 <= 15**2] = 3
    turned = np.ascontiguousarray(np.moveaxis(labels, 2, axis))
    filled = np.moveaxis(after(turned, interpolate(turned, 3, axis)), axis, 2)
    areas = (filled == 3).sum(axis=(0, 1))
    assert (np.diff(areas) > 0).all()
    assert areas[5] == pytest.approx(np.pi * 10**2, rel=0.06)
    # Only the slices that were named count.
    assert not len(interpolate(turned, 3, axis, slices=[0]))


def test_a_slice_is_copied_to_the_next_one(tumour):
    copied = after(tumour, copy_slice(tumour, 3, 2, 10))
    np.testing.assert_array_equal(copied[:, :, 11] == 3, tumour[:, :, 10] == 3)
    np.testing.assert_array_equal(np.delete(copied, 11, 2), np.delete(tumour, 11, 2))
    assert not len(copy_slice(tumour, 3, 2, 20))
    assert not len(copy_slice(tumour, 3, 2, 0))


def test_the_prediction_is_taken_over_in_a_box_only(tumour):
    box = (slice(0, 21), slice(0, 21), slice(10, 11))
    taken = after(np.zeros_like(tumour), take_over(np.zeros_like(tumour), tumour, box))
    np.testing.assert_array_equal(taken[..., 10], tumour[..., 10])
    assert taken[..., 9].sum() == 0


def all_of(labels: np.ndarray, value: int) -> Edit:
    return Edit.of_mask(np.ones_like(labels, bool), value)


def test_protection_leaves_out_what_may_not_change(tumour):
    def changed(protection, value, images=None):
        edit = protection.allowed(all_of(tumour, value), tumour, images or {})
        return after(tumour, edit) != tumour

    assert not (changed(Protection(inside="TC"), 2) & ~np.isin(tumour, (1, 3))).any()
    assert changed(Protection(inside="TC"), 2).sum() == np.isin(tumour, (1, 3)).sum()
    np.testing.assert_array_equal(changed(Protection(keep=frozenset({3})), 0), np.isin(tumour, (1, 2)))
    # ET stays within the core, NCR within the tumour, oedema goes anywhere.
    np.testing.assert_array_equal(changed(Protection(inside=NESTED), 3), tumour == 1)
    np.testing.assert_array_equal(changed(Protection(inside=NESTED), 1), np.isin(tumour, (2, 3)))
    np.testing.assert_array_equal(changed(Protection(inside=NESTED), 2), tumour != 2)
    image = np.arange(tumour.size, dtype=np.float32).reshape(tumour.shape)
    bright = changed(Protection(modality="T1", low=100, high=5000), 2, {"T1": image})
    np.testing.assert_array_equal(bright, (tumour != 2) & (image >= 100) & (image <= 5000))


def test_doubtful_places_come_heaviest_first():
    entropy = np.zeros((20, 20, 20), np.float32)
    entropy[1:3, 1:3, 1:3] = 0.9
    entropy[10:15, 10:15, 10:15] = 0.6
    entropy[19, 19, 19] = 1
    places = doubtful_places(entropy, 0.01)
    assert [place.voxel for place in places] == [(12, 12, 12), places[1].voxel]
    assert entropy[places[1].voxel] == np.float32(0.9)
    assert places[0].ml == pytest.approx(1.25)


def test_values_that_are_no_class_are_counted_and_mapped():
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[0] = 7
    labels[1, 0, 0] = 3
    assert strangers(labels) == {7: 16}
    edit = map_value(labels, 7, 2)
    labels.reshape(-1)[edit.indices] = edit.values
    assert strangers(labels) == {}
    assert (labels == 2).sum() == 16
