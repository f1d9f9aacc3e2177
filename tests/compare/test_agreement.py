"""Votes, entropy, and the places where subsets disagree."""

import numpy as np
import pytest

from napari_rdl.brats import SUBSETS
from napari_rdl.case import Grid
from napari_rdl.compare import LabelStack, agreement, entropy, places_of_disagreement

AFFINE = np.array([[2, 0, 0, -10], [0, 2, 0, 5], [0, 0, 3, 0], [0, 0, 0, 1.0]])


def test_agreement_is_the_share_of_the_most_voted_class(stack):
    volumes = np.stack([stack.labels(subset) for subset in SUBSETS])
    votes = np.stack([(volumes == value).sum(0) for value in range(4)])
    found = agreement(stack)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, votes.max(0) / 15, rtol=1e-6)


def test_entropy_is_that_of_the_probabilities(representations):
    subset = ("T1c", "FLAIR")
    found = entropy(representations, subset)
    p = np.clip(representations.probabilities(subset).astype(float), 1e-30, 1)
    np.testing.assert_allclose(found, -(p * np.log(p)).sum(0) / np.log(4), atol=1e-5)
    assert found.min() == 0
    assert 0 < found.max() <= 1


def test_places_by_hand(two_modalities):
    stack = LabelStack.from_labels(two_modalities)
    grid = Grid((6, 5, 4), AFFINE)
    # Along the bar FLAIR says ED, both NCR, T1 nothing: a third agrees. At the lone voxel two of three do.
    bar, lone = places_of_disagreement(stack, grid, smallest_ml=0)
    assert bar.volume_ml == pytest.approx(3 * 0.012)
    assert bar.agreement == pytest.approx(1 / 3)
    assert bar.disagreement_ml == pytest.approx(2 * 0.012)
    assert bar.centroid_voxel == (2, 1, 1)
    assert bar.centroid_mm == (-6, 7, 3)
    assert bar.voxel == (2, 1, 1)
    assert lone.agreement == pytest.approx(2 / 3)
    assert lone.volume_ml == pytest.approx(0.012)
    assert places_of_disagreement(stack, grid, below=0.5, smallest_ml=0) == [bar]
    assert places_of_disagreement(stack, grid, smallest_ml=1) == []
    assert places_of_disagreement(stack, grid, smallest_ml=0, most=1) == [bar]


def test_where_a_place_is_hollow_the_voxel_to_go_to_is_still_of_it():
    ring = np.zeros((7, 7, 3), np.uint8)
    ring[1:6, 1:6, 1] = 2
    ring[2:5, 2:5, 1] = 0
    nothing = np.zeros_like(ring)
    stack = LabelStack.from_labels({("FLAIR",): ring, ("T1",): nothing, ("T1", "FLAIR"): ring // 2})
    (place,) = places_of_disagreement(stack, Grid(ring.shape, np.eye(4)), smallest_ml=0)
    assert place.centroid_voxel == pytest.approx((3, 3, 1))
    assert ring[place.voxel]


def test_one_subset_agrees_with_itself():
    stack = LabelStack.from_labels({("T1",): np.ones((3, 3, 3), np.uint8)})
    assert (agreement(stack) == 1).all()
    assert places_of_disagreement(stack, Grid((3, 3, 3), np.eye(4))) == []
