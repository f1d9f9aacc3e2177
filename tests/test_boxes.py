"""Bounding boxes against scipy's, and their arithmetic against sets of voxels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_rdl.boxes import (
    bounding_box,
    box_of_voxels,
    cut_across,
    extent,
    intersection,
    middle_of,
    outward,
    pieces,
    shape_of,
    start_of,
    union,
    within,
)

SHAPE = (5, 6, 7)


@st.composite
def boxes(draw):
    ends = [sorted(draw(st.sets(st.integers(0, size), min_size=2, max_size=2))) for size in SHAPE]
    return tuple(slice(*pair) for pair in ends)


def voxels(box) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    if box is not None:
        mask[box] = True
    return mask


@given(arrays(bool, SHAPE, elements=st.sampled_from([False] * 30 + [True]), fill=st.nothing()))
def test_the_box_is_scipys(mask):
    assert bounding_box(mask) == ndimage.find_objects(mask.astype(np.int8), max_label=1)[0]
    assert extent(mask[0]) == ndimage.find_objects(mask[0].astype(np.int8), max_label=1)[0]


@given(boxes(), st.integers(0, 3))
def test_a_margin_ends_at_the_volume(box, margin):
    mask = voxels(box)
    grown = ndimage.binary_dilation(mask, np.ones((3, 3, 3)), iterations=margin) if margin else mask
    np.testing.assert_array_equal(voxels(bounding_box(mask, margin=margin)), grown)


def test_labels_count_as_well_as_masks():
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1, 2, 3], labels[2, 2, 0] = 3, 1
    assert bounding_box(labels) == (slice(1, 3), slice(2, 3), slice(0, 4))
    assert bounding_box(np.zeros((4, 4, 4))) is None


@given(boxes(), boxes())
def test_arithmetic_is_that_of_sets_of_voxels(one, other):
    np.testing.assert_array_equal(voxels(intersection(one, other)), voxels(one) & voxels(other))
    assert union([one, other]) == bounding_box(voxels(one) | voxels(other))
    both = intersection(one, other)
    if both is not None:
        numbers = np.arange(np.prod(SHAPE)).reshape(SHAPE)
        np.testing.assert_array_equal(numbers[one][within(both, one)], numbers[both])
        assert voxels(both).sum() == np.prod(shape_of(both))
        assert numbers[both].flat[0] == numbers[start_of(both)]
        assert outward(within(both, one), one) == both


@given(arrays(bool, SHAPE, elements=st.sampled_from([False] * 5 + [True]), fill=st.nothing()))
def test_pieces_are_scipys_and_together_the_mask(mask):
    labelled, count = ndimage.label(mask, np.ones((3, 3, 3)))
    found = list(pieces(mask))
    assert len(found) == count
    for number, (box, own) in enumerate(found, 1):
        whole = np.zeros(SHAPE, bool)
        whole[box] = own
        np.testing.assert_array_equal(whole, labelled == number)
        assert bounding_box(whole) == box == box_of_voxels(np.argwhere(whole))
        assert whole[middle_of(box, own)]
    assert (box_of_voxels(np.argwhere(mask)) is None) == (count == 0)


def test_the_middle_of_a_bent_piece_is_one_of_its_voxels():
    mask = np.zeros(SHAPE, bool)
    mask[1, 1:6, 2] = True
    ((box, own),) = pieces(mask)
    assert middle_of(box, own) == (1, 3, 2)


@given(boxes(), st.integers(0, 2), st.integers(0, 4))
def test_a_cut_is_what_the_slice_has_of_the_box(box, axis, index):
    expected = voxels(box).take(index, axis)
    cut = cut_across(box, axis, index)
    if cut is None:
        assert not expected.any()
        return
    thin, flat = cut
    assert voxels(thin).sum() == voxels(thin).take(index, axis).sum() == expected.sum()
    found = np.zeros_like(expected)
    found[flat] = True
    np.testing.assert_array_equal(found, expected)
