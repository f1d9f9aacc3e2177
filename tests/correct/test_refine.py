"""Refinement from scribbles: strokes are honoured, far places stay, and every stroke can be taken back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_rdl.brats import SUBSETS
from napari_rdl.case import brain_mask, case_from_arrays
from napari_rdl.correct.head import fit_head
from napari_rdl.correct.refine import Refiner
from napari_rdl.correct.strokes import RefineSettings
from napari_rdl.metrics import dice
from napari_rdl.segment import encode

from ..conftest import TINY_SHAPE, tiny_arrays
from ..segment.kinds import KINDS, model_of
from .said import said, truth


def strokes_of(*strokes):
    """Return scribbles: (class, x, y, z) or slices."""
    scribbles = np.zeros(TINY_SHAPE, np.uint8)
    for index, *place in strokes:
        scribbles[tuple(place)] = index + 1
    return scribbles


def random_strokes(rng, count=4):
    scribbles = np.zeros(TINY_SHAPE, np.uint8)
    for _ in range(count):
        x, y, z = (int(rng.integers(0, size)) for size in TINY_SHAPE)
        scribbles[x : x + 4, y, z] = rng.integers(1, 5)
    return scribbles


@pytest.fixture(scope="module")
def wrong():
    """A start that misses the tumour altogether."""
    return said(np.zeros(TINY_SHAPE, np.uint8), certainty=0.9)


def test_a_missed_core_is_found_from_two_strokes(wrong):
    right = truth()
    scribbles = np.zeros(TINY_SHAPE, np.uint8)
    for stroke in ((slice(9, 20), 13, 10), (slice(3, 6), 14, 10)):
        scribbles[stroke] = right[stroke] + 1
    found = Refiner(wrong).refine(np.zeros(TINY_SHAPE, np.uint8), scribbles)
    assert dice(np.isin(found, (1, 3)), np.isin(right, (1, 3))) > 0.9
    # Oedema that greys alone do not tell from brain takes more strokes; brain is not taken for it.
    assert dice(found > 0, right > 0) > 0.5
    assert np.count_nonzero((found > 0) & (right == 0)) < 5


def test_a_false_tumour_goes_when_it_is_scribbled_away():
    right = truth()
    false = right.copy()
    false[3:7, 12:18, 8:14][brain_mask(tiny_arrays()[0]["T1"])[3:7, 12:18, 8:14]] = 2
    refiner = Refiner(said(false))
    found = refiner.refine(false, strokes_of((0, slice(4, 7), 15, 11)))
    assert dice(found > 0, right > 0) > 0.95 > dice(false > 0, right > 0)


def test_scribbles_are_honoured_exactly_also_outside_the_brain(wrong):
    rng = np.random.default_rng(1)
    refiner = Refiner(wrong)
    for _ in range(5):
        scribbles = random_strokes(rng)
        scribbles[0, 0, 0] = 3
        found = refiner.refine(rng.integers(0, 4, TINY_SHAPE).astype(np.uint8), scribbles)
        assert np.array_equal(found[scribbles > 0], scribbles[scribbles > 0] - 1)


def test_what_is_further_than_the_reach_stays_but_for_the_piece_that_is_said_to_be_none():
    """A geodesic way is never shorter than the straight line, which is the oracle here."""
    rng = np.random.default_rng(2)
    reach = 12.0
    refiner = Refiner(said(truth(), certainty=0.5), settings=RefineSettings(reach=reach))
    changed = 0
    for _ in range(8):
        # So little tumour hangs together in small pieces.
        labels = rng.integers(1, 4, TINY_SHAPE).astype(np.uint8) * (rng.random(TINY_SHAPE) < 0.25)
        scribbles = random_strokes(rng, 2)
        found = refiner.refine(labels, scribbles)
        pieces, _ = ndimage.label(labels > 0)
        stroked = np.isin(pieces, np.unique(pieces[(scribbles == 1) & (labels > 0)]))
        far = (ndimage.distance_transform_edt(scribbles == 0, 2.0) >= reach) & ~stroked
        assert np.array_equal(found[far], labels[far])
        changed += np.count_nonzero(found != labels)
    assert changed


def test_an_island_goes_as_a_whole_and_a_later_stroke_in_it_is_heard(wrong):
    brain = brain_mask(tiny_arrays()[0]["T1"])
    labels = np.zeros(TINY_SHAPE, np.uint8)
    labels[4:20, 12:15, 9:12], labels[8:14, 18:20, 9:12] = 2, 1
    labels[~brain] = 0
    refiner = Refiner(wrong, settings=RefineSettings(reach=8.0))
    none = strokes_of((0, slice(6, 9), 13, 10))
    found = refiner.refine(labels, none)
    assert not (found == 2).any()
    assert np.array_equal(found == 1, labels == 1)
    found = refiner.refine(labels, none + strokes_of((3, slice(15, 17), 13, 10)))
    assert (found[15:17, 13, 10] == 3).all()
    assert not (found[4:10, 12:15, 9:12] > 0).any()


def test_a_stroke_does_not_walk_around_a_gap():
    """Behind a gap without brain nothing changes, however near it is."""
    images, _ = tiny_arrays()
    brain = brain_mask(images["T1"])
    brain[:, 15] = False
    case = case_from_arrays({"T1": np.where(brain, images["T1"], 0)}, np.diag([2.0, 2.0, 2.0, 1]), name="cut")
    representations = said(np.zeros(TINY_SHAPE, np.uint8), modalities=("T1",)).of(case)
    labels = np.zeros(TINY_SHAPE, np.uint8)
    found = Refiner(representations).refine(labels, strokes_of((2, slice(8, 18), 13, 11)))
    assert found[:, :15].any()
    assert not found[:, 15:].any()


def test_without_strokes_nothing_changes(wrong):
    labels = truth()
    assert np.array_equal(Refiner(wrong).refine(labels, np.zeros(TINY_SHAPE, np.uint8)), labels)


def test_a_stroke_is_taken_back_and_labels_and_strokes_are_left_alone(wrong):
    refiner = Refiner(wrong)
    labels = np.zeros(TINY_SHAPE, np.uint8)
    one = strokes_of((2, slice(9, 12), 13, 10))
    two = one + strokes_of((3, slice(16, 18), 14, 12))
    kept = labels.copy(), one.copy(), two.copy()
    before = refiner.refine(labels, one)
    assert not np.array_equal(refiner.refine(labels, two), before)
    assert np.array_equal(refiner.refine(labels, one), before)
    assert np.array_equal(Refiner(wrong).refine(labels, one), before)
    assert all(np.array_equal(a, b) for a, b in zip((labels, one, two), kept, strict=True))


def test_slices_are_those_of_the_volume(wrong):
    scribbles = strokes_of((2, slice(9, 12), 13, 10), (1, 0, 0, 0), (0, slice(3, 6), 14, 10))
    refinement = Refiner(wrong).fit(truth(), scribbles)
    volume = refinement.labels()
    for axis, size in enumerate(TINY_SHAPE):
        for index in range(size):
            assert np.array_equal(refinement.label_slice(axis, index), volume.take(index, axis))
    assert np.array_equal(Refiner(wrong).refine_slice(truth(), scribbles, 2, 10), volume[:, :, 10])


@pytest.mark.parametrize("kind", KINDS)
def test_every_subset_of_every_kind_of_model(kind, tmp_path):
    images, _ = tiny_arrays()
    case = case_from_arrays(images, np.diag([2.0, 2.0, 2.0, 1]), name="tiny")
    representations = encode(case, model_of(kind, tmp_path / "none.safetensors"))
    scribbles = strokes_of((2, slice(9, 12), 13, 10), (0, slice(3, 6), 14, 10))
    for subset in SUBSETS if kind == "deep sets" else SUBSETS[::5]:
        labels = representations.labels(subset)
        refiner = Refiner(representations, reversed(subset))
        assert refiner.subset == subset
        found = refiner.refine(labels, scribbles)
        assert np.array_equal(found[scribbles > 0], scribbles[scribbles > 0] - 1)
        assert np.array_equal(refiner.refine(labels, np.zeros_like(scribbles)), labels)


def test_shapes_and_values_that_do_not_fit_are_refused(wrong):
    refiner = Refiner(wrong)
    labels = np.zeros(TINY_SHAPE, np.uint8)
    with pytest.raises(ValueError, match="scribbles have the shape"):
        refiner.refine(labels, labels[1:])
    with pytest.raises(ValueError, match="at most"):
        refiner.refine(labels, labels + np.uint8(5))
    with pytest.raises(ValueError, match="at most"):
        refiner.refine(labels + np.uint8(4), labels)
    with pytest.raises(ValueError, match="at least one"):
        Refiner(wrong, ())


def test_the_head_is_that_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 5))
    classes = (features[:, 0] + rng.normal(size=200) > 0).astype(int) + (features[:, 1] > 1)
    weights = rng.uniform(0.5, 1.5, 200)
    ridge = 0.02
    found = fit_head(features, np.zeros((200, 3)), classes, weights, ridge, steps=500)
    share = weights / weights.sum()
    theirs = linear.LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-8, max_iter=1000)
    theirs.fit(features, classes, sample_weight=share)
    # Softmax is the same after a shift of all classes; the ridge takes the one whose sum is 0.
    assert np.allclose(found.T, theirs.coef_, atol=0.02)
    assert np.allclose(found.sum(1), 0, atol=1e-3)


def test_without_evidence_the_head_is_nothing():
    offsets = np.log(np.eye(3)[[0, 1, 2]] * 0.999 + 0.0005)
    found = fit_head(np.ones((3, 2)), offsets, np.array([0, 1, 2]), np.ones(3), ridge=1.0)
    assert np.abs(found).max() < 0.01
