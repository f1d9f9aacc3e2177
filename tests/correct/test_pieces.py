"""Which piece a "not tumour" stroke means: by its middle the whole, by its rim the rim, and never another."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.correct.geodesic import Geodesic
from napari_rdl.correct.pieces import stroked_pieces

SHAPE = (61, 41, 35)
EVEN = (1.0, 1.0, 1.0)


def ball(middle, radius, spacing=EVEN):
    away = [(axis - at) * size for axis, at, size in zip(np.indices(SHAPE), middle, spacing, strict=True)]
    return sum(part**2 for part in away) <= radius**2


def meant(tumour, *strokes, spacing=EVEN):
    found = np.zeros(tumour.shape, bool)
    for box, own in stroked_pieces(tumour, np.array(strokes), spacing):
        found[box] |= own
    return found


@pytest.mark.parametrize("spacing", [EVEN, (0.9, 0.9, 3.0), (2.0, 2.0, 2.0)])
def test_a_stroke_through_the_middle_means_the_piece_however_long_and_no_other(spacing):
    long = np.zeros(SHAPE, bool)
    long[3:58, 4:11, 5:12] = True
    other = ball((30, 25, 20), 9)
    other[:, :11] = False
    assert np.array_equal(meant(long | other, (7, 7, 8), (8, 7, 8), spacing=spacing), long)


def test_a_leak_goes_without_the_tumour_that_it_hangs_on():
    tumour, leak = ball((20, 20, 17), 11), ball((36, 20, 17), 5)
    found = meant(tumour | leak, (36, 18, 17), (36, 20, 17), (36, 22, 17))
    assert found[leak & ~tumour].mean() > 0.9
    assert found[tumour & ~leak].mean() < 0.03


def test_a_stroke_along_the_rim_leaves_the_middle():
    tumour = ball((30, 20, 17), 12)
    found = meant(tumour, (40, 19, 17), (40, 20, 17), (40, 21, 17))
    assert found[40, 20, 17]
    assert not found[ball((30, 20, 17), 7)].any()
    assert found.sum() < tumour.sum() / 4


def test_a_stroke_beside_tumour_means_none_of_it():
    assert not meant(ball((30, 20, 17), 6), (2, 2, 2), (60, 40, 34)).any()
    assert not meant(np.zeros(SHAPE, bool), (2, 2, 2)).any()


def test_what_was_walked_before_is_as_if_walked_anew():
    rng = np.random.default_rng(0)
    images, inside = [rng.normal(size=SHAPE).astype(np.float32)], rng.random(SHAPE) < 0.9
    starts = rng.integers(0, SHAPE, (12, 3))
    kept = Geodesic(images, inside, EVEN, 1.0)
    for name, part in ((1, starts[:3]), (2, starts[5:8]), (1, starts[:9]), (1, starts[:9]), (1, starts[2:4])):
        found = kept.distances(name, part, 20.0)
        assert np.array_equal(found, Geodesic(images, inside, EVEN, 1.0).distances(1, part, 20.0))
        assert (found == 0).any()
