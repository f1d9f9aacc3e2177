"""Several readers: arithmetic on small labels, MONAI's distances, and STAPLE of an unsteady reader."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.compare.readers import disagreements, majority, reader_agreement, staple
from napari_rdl.errors import ConfigError
from napari_rdl.metrics import hd95, region_dice

from ..conftest import tiny_arrays

SPACING = (1.0, 2.0, 0.5)


@pytest.fixture
def truth():
    return tiny_arrays()[1]


def moved(labels, by):
    return np.roll(labels, by, axis=0)


def test_agreement_is_dice_and_distances_of_each_region(truth):
    other = moved(truth, 2)
    found = reader_agreement(truth, other, SPACING)
    assert {region: one.dice for region, one in found.items()} == region_dice(truth, other)
    for region, members in (("WT", (1, 2, 3)), ("ET", (3,))):
        masks = np.isin(truth, members), np.isin(other, members)
        assert found[region].hd95_mm == pytest.approx(hd95(*masks, SPACING), abs=1e-5)
        assert 0 < found[region].mean_mm < found[region].hd95_mm
        assert found[region].first_ml == pytest.approx(masks[0].sum() / 1000)
    same = reader_agreement(truth, truth, SPACING)["WT"]
    assert (same.dice, same.mean_mm, same.hd95_mm) == (1.0, 0.0, 0.0)
    none = reader_agreement(truth, np.zeros_like(truth), SPACING)["WT"]
    assert (none.dice, none.mean_mm, none.hd95_mm, none.second_ml) == (0.0, None, None, 0.0)


def test_a_step_of_two_voxels_is_that_far():
    one = np.zeros((12, 6, 6), np.uint8)
    other = one.copy()
    one[:5], other[:7] = 2, 2
    # All voxels of a slab that touches the array's rim are surface, but for those within.
    found = reader_agreement(one, other, (1.0, 1.0, 1.0))["WT"]
    assert found.hd95_mm == 2.0


def test_places_of_disagreement_come_largest_first():
    one = np.zeros((10, 10, 10), np.uint8)
    one[1:4, 1:4, 1:4] = 3
    other = one.copy()
    other[1:4, 1:4, 1:4] = 1
    other[7:9, 7:9, 7:9] = 2
    other[0, 9, 9] = 2
    places = disagreements(one, other, 0.01, smallest_ml=0.02)
    assert [(place.voxel, round(place.ml, 3)) for place in places] == [((2, 2, 2), 0.27), ((7, 7, 7), 0.08)]
    assert [(place.first, place.second) for place in places] == [("ET", "NCR"), ("background", "ED")]
    assert disagreements(one, one, 0.01) == []


def test_the_majority_decides_region_by_region():
    said = ([1, 3, 2, 0], [2, 3, 0, 0], [3, 2, 0, 2])
    readers = [np.array(values, np.uint8).reshape(1, 1, -1) for values in said]
    # NCR, ED, ET: all say WT, two say TC, one says ET: necrosis.
    assert majority(readers).ravel().tolist() == [1, 3, 0, 0]
    assert majority(readers[:2]).ravel().tolist() == [2, 3, 0, 0]


def test_staple_follows_steady_readers_and_not_the_unsteady_one(truth):
    pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(truth.shape) < 0.3, rng.integers(0, 4, truth.shape), truth).astype(np.uint8)
    near = truth.copy()
    near[truth == 3] = 1
    together = staple([truth, truth, noisy])
    np.testing.assert_array_equal(together, truth)
    np.testing.assert_array_equal(staple([truth, truth]), truth)
    assert not staple([np.zeros_like(truth)] * 2).any()
    found = staple([truth, near, noisy])
    assert region_dice(found, truth)["WT"] == 1


def test_without_simpleitk_it_says_what_to_do(truth, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "SimpleITK", None)
    with pytest.raises(ConfigError, match="use the majority"):
        staple([truth, truth])


def test_other_shapes_are_refused(truth):
    for measure in (lambda a, b: reader_agreement(a, b, SPACING), lambda a, b: majority([a, b])):
        with pytest.raises(ValueError, match="shape"):
            measure(truth, truth[1:])
