"""Lesion-wise scores, pooled distances, surface Dice: against counting by hand, MONAI and BraTS's package."""

import json

import numpy as np
import pytest
import torch
from monai.metrics import compute_surface_dice

from napari_rdl.compare.lesions import SMALLEST_MM3, WORST_MM, LesionScores, lesion_scores
from napari_rdl.compare.surfaces import Surface, hd95_between, pooled_hd95, surface_dice
from napari_rdl.metrics import dice

from . import official

UNIT = (1.0, 1.0, 1.0)


def cubes(*corners, edge=4, shape=(40, 24, 24)):
    """Return a mask with a cube at each corner."""
    mask = np.zeros(shape, bool)
    for x, y, z in corners:
        mask[x : x + edge, y : y + edge, z : z + edge] = True
    return mask


def test_each_lesion_counts_once():
    truth = cubes((2, 2, 2), (20, 2, 2))
    # One found whole, one missed, one that is none.
    found = cubes((2, 2, 2), (32, 16, 16))
    scores = lesion_scores(found, truth, UNIT)
    assert scores == LesionScores(1 / 3, 2 * WORST_MM / 3, 2, 1, 1)


def test_pieces_that_touch_once_grown_are_one_lesion():
    truth = cubes((2, 2, 2), (11, 2, 2))  # five voxels apart: three from each side meet
    half = lesion_scores(cubes((2, 2, 2)), truth, UNIT)
    assert (half.lesions, half.missed, half.dice) == (1, 0, pytest.approx(2 / 3))
    apart = lesion_scores(cubes((2, 2, 2)), cubes((2, 2, 2), (13, 2, 2)), UNIT)
    assert (apart.lesions, apart.missed, apart.dice) == (2, 1, 0.5)


def test_a_small_lesion_neither_counts_nor_makes_what_was_found_of_it_false():
    truth = cubes((2, 2, 2)) | cubes((20, 2, 2), edge=3)
    assert 27 <= SMALLEST_MM3 < 64
    assert lesion_scores(truth, truth, UNIT) == LesionScores(1.0, 0.0, 1, 0, 0)
    # In mm³, not in voxels.
    assert lesion_scores(truth, truth, (2.0, 1.0, 1.0)).lesions == 2


def test_nothing_there_and_nothing_found_is_right():
    nothing = np.zeros((8, 8, 8), bool)
    assert lesion_scores(nothing, nothing, UNIT) == LesionScores(1.0, 0.0, 0, 0, 0)
    found = cubes((2, 2, 2), shape=(8, 8, 8))
    assert lesion_scores(found, nothing, UNIT) == LesionScores(0.0, WORST_MM, 0, 0, 1)
    assert surface_dice(Surface(nothing, UNIT), Surface(nothing, UNIT)) == 1
    assert surface_dice(Surface(found, UNIT), Surface(nothing, UNIT)) == 0
    assert pooled_hd95(Surface(found, UNIT), Surface(nothing, UNIT)) is None


def test_surface_dice_is_monais_and_pooled_distances_are_counted():
    rng = np.random.default_rng(3)
    spacing = (1.0, 1.5, 0.8)
    truth = cubes((4, 4, 4), edge=12)
    found = np.roll(truth, (1, 0, 2), (0, 1, 2)) | (rng.random(truth.shape) > 0.999)
    one, other = Surface(found, spacing), Surface(truth, spacing)
    hot = [torch.nn.functional.one_hot(torch.tensor(one.astype(int)), 2) for one in (found, truth)]
    theirs = compute_surface_dice(
        *(one.movedim(-1, 0)[None] for one in hot),
        class_thresholds=[1.0],
        spacing=spacing,
    )
    assert surface_dice(one, other) == pytest.approx(float(theirs[0, 0]))
    between = np.linalg.norm(one.points[:, None] - other.points[None], axis=-1)
    pooled = np.percentile(np.concatenate([between.min(0), between.min(1)]), 95)
    assert pooled_hd95(one, other) == pytest.approx(pooled, rel=1e-5)
    assert pooled_hd95(one, other) <= hd95_between(one, other)


def test_scores_are_those_of_the_challenges_own_package():
    values = {"wt": (1, 2, 3), "tc": (1, 3), "et": (3,)}
    for seed, said in zip(official.SEEDS, json.loads(official.FIGURES.read_text("utf-8")), strict=True):
        truth, found = official.label_maps(seed)
        for region, theirs in said.items():
            one, other = np.isin(found, values[region]), np.isin(truth, values[region])
            assert dice(one, other) == pytest.approx(theirs["dice"], abs=1e-9)
            pooled = pooled_hd95(Surface(one, UNIT), Surface(other, UNIT))
            assert pooled == pytest.approx(theirs["hd95"], abs=1e-5)
            # Their mean is over the lesions that were found; ours counts what was missed or is none as 0.
            scores = lesion_scores(one, other, UNIT)
            assert (scores.missed, scores.false) == (theirs["fn"], theirs["fp"]), (seed, region)
            counted = theirs["tp"] + theirs["fn"] + theirs["fp"]
            assert scores.dice == pytest.approx(theirs["lesion_dice"] * theirs["tp"] / counted, abs=1e-6)
