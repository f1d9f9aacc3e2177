"""Scores against a reference, and HD95 with the reference's part kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_rdl.brats import REGIONS
from napari_rdl.case import Grid
from napari_rdl.compare import Reference
from napari_rdl.compare.surfaces import Surface, hd95_between
from napari_rdl.errors import CaseError
from napari_rdl.metrics import hd95, region_masks, region_scores, volumes_ml

SHAPE = (5, 6, 4)
LABELS = arrays(np.uint8, SHAPE, elements=st.integers(0, 3), fill=st.just(0))
SPACINGS = st.sampled_from([(1.0, 1.0, 1.0), (0.5, 1.0, 2.0), (0.25, 0.75, 3.0)])


def grid(spacing=(1.0, 1.0, 1.0), shape=SHAPE):
    return Grid(shape, np.diag([*spacing, 1.0]))


@given(arrays(bool, SHAPE), arrays(bool, SHAPE), SPACINGS)
@settings(max_examples=40, deadline=None)
def test_hd95_is_monais_to_the_last_digit(one, other, spacing):
    found = hd95_between(Surface(one, spacing), Surface(other, spacing))
    assert found == hd95(one, other, spacing)


def test_hd95_of_odd_voxel_sizes_is_monais():
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 12, 9, 10)) < 0.1
    spacing = (0.43, 0.977, 1.21)
    found = hd95_between(Surface(one, spacing), Surface(other, spacing))
    assert found == pytest.approx(hd95(one, other, spacing), rel=1e-6)


def test_surfaces_of_boxes_lie_where_their_offset_says():
    mask = np.zeros((9, 9, 9), bool)
    mask[3:6, 2:7, 4:8] = True
    whole, box = Surface(mask, (1, 2, 3)), Surface(mask[2:7, 1:8, 4:], (1, 2, 3), (2, 1, 4))
    assert np.array_equal(whole.points, box.points)


@given(LABELS, LABELS, SPACINGS)
@settings(max_examples=30, deadline=None)
def test_scores_are_those_of_the_masks(labels, truth, spacing):
    place = grid(spacing)
    scores = Reference(truth, place).score(labels)
    assert {
        region: {"dice": score.dice, "hd95": score.hd95} for region, score in scores.items()
    } == region_scores(labels, truth, place.spacing)
    found, true = region_masks(labels), region_masks(truth)
    ml = place.voxel_ml
    for region, score in scores.items():
        assert score.volume_ml == volumes_ml(labels, ml)[region]
        assert score.reference_ml == volumes_ml(truth, ml)[region]
        assert score.false_positive_ml == np.count_nonzero(found[region] & ~true[region]) * ml
        assert score.false_negative_ml == np.count_nonzero(true[region] & ~found[region]) * ml
        assert score.volume_error_ml == pytest.approx(score.false_positive_ml - score.false_negative_ml)
        assert score.reference_empty == (not true[region].any())
        assert score.hd95_measured


def test_a_region_empty_in_the_reference_is_marked_and_never_a_silent_one():
    truth = np.zeros(SHAPE, np.uint8)
    truth[1:3, 1:3, 1:3] = 2
    labels = truth.copy()
    reference = Reference(truth, grid())
    assert reference.empty_regions == ("TC", "ET")
    score = reference.score(labels)["ET"]
    assert (score.dice, score.reference_empty, score.hd95, score.hd95_measured) == (1.0, True, None, True)
    labels[4, 4, 3] = 3
    assert reference.score(labels)["ET"].dice == 0.0


def test_distances_may_be_left_out():
    score = Reference(np.ones(SHAPE, np.uint8), grid()).score(np.ones(SHAPE, np.uint8), distances=False)
    assert {(one.hd95, one.hd95_measured) for one in score.values()} == {(None, False)}


def test_small_enhancing_tumour_counts_as_none_for_its_own_region_alone():
    truth = np.zeros(SHAPE, np.uint8)
    truth[:3] = 3
    scores = Reference(truth, grid()).score(truth, smallest_et=10**6)
    assert [scores[region].dice for region in REGIONS] == [1, 1, 0]
    assert scores["ET"].hd95 is None


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((5, 6, 5), np.uint8), r"expert mask lies on another grid \(5 x 6 x 5 .* 5 x 6 x 4\)"),
        (np.full(SHAPE, 4, np.uint8), "expert mask holds the label 4"),
        (np.full(SHAPE, -1, np.int16), "expert mask holds the label -1"),
        (np.zeros(SHAPE, np.float32), "no whole numbers"),
    ],
)
def test_strange_references_are_refused(labels, words):
    with pytest.raises(CaseError, match=words):
        Reference(labels, grid(), "expert mask")
