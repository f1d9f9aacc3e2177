"""Which subsets a sample is trained on."""

import numpy as np
import pytest
import torch

from napari_rdl.brats import MODALITIES, SUBSETS
from napari_rdl.training.data.subsets import draw_proper_subset, draw_subsets, subset_matrix

MATRIX = subset_matrix(MODALITIES)
FULL = torch.ones(1, 4, dtype=torch.bool)
THREE = torch.tensor([[True, True, False, True]])


def rngs(count, seed=0):
    return [np.random.default_rng([seed, index]) for index in range(count)]


def test_matrix_is_in_the_order_of_the_tables():
    named = [
        tuple(name for name, member in zip(MODALITIES, row, strict=True) if member) for row in MATRIX.tolist()
    ]
    assert tuple(named) == SUBSETS


def test_all_subsets_weigh_the_same():
    subsets, weights = draw_subsets(MATRIX, FULL, 0, rngs(1))
    assert subsets.shape == (15, 1, 4)
    torch.testing.assert_close(weights, torch.full((15, 1), 1 / 15))


def test_three_modalities_have_seven_subsets():
    present = torch.cat((FULL, THREE))
    subsets, weights = draw_subsets(MATRIX, present, 0, rngs(2))
    assert (weights > 0).sum(0).tolist() == [15, 7]
    torch.testing.assert_close(weights.sum(0), torch.ones(2))
    assert not subsets[:, 1, 2].any()
    assert subsets.any(-1).all()


@pytest.mark.parametrize("sample", [FULL, THREE], ids=["four", "three"])
def test_the_full_set_can_weigh_more(sample):
    subsets, weights = draw_subsets(MATRIX, sample, 0, rngs(1), full_weight=4)
    full = (subsets[:, 0] == sample).all(-1) & (weights[:, 0] > 0)
    others = ~full & (weights[:, 0] > 0)
    assert full.sum() == 1
    torch.testing.assert_close(weights[full, 0] / weights[others, 0], torch.full((int(others.sum()),), 4.0))
    torch.testing.assert_close(weights.sum(0), torch.ones(1))


@pytest.mark.parametrize("count", [1, 3, 15, 20])
def test_sampled_subsets_do_not_repeat_and_are_possible(count):
    subsets, weights = draw_subsets(MATRIX, THREE, count, rngs(1))
    kept = [tuple(row.tolist()) for row, weight in zip(subsets[:, 0], weights[:, 0], strict=True) if weight]
    assert len(kept) == len(set(kept)) == min(count, 7)
    assert all(not row[2] for row in kept)
    assert weights.sum().item() == pytest.approx(1)


def test_a_draw_does_not_depend_on_who_shares_the_batch():
    together, _ = draw_subsets(MATRIX, torch.cat((FULL, FULL)), 2, rngs(2))
    alone, _ = draw_subsets(MATRIX, FULL, 2, rngs(2)[1:])
    assert torch.equal(together[:, 1:], alone)


def test_every_proper_subset_is_drawn_for_the_transfer():
    drawn = set()
    for seed in range(300):
        subset, valid = draw_proper_subset(MATRIX, FULL, rngs(1, seed))
        assert valid.all()
        drawn.add(tuple(subset[0].tolist()))
    assert len(drawn) == 14
    assert (True,) * 4 not in drawn


def test_one_modality_has_no_proper_subset():
    present = torch.tensor([[False, False, True, False], [True, True, False, True]])
    subset, valid = draw_proper_subset(MATRIX, present, rngs(2))
    assert valid.tolist() == [False, True]
    assert not (subset[1] & ~present[1]).any()
    assert subset[1].sum() < 3


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize(("sample", "share"), [(FULL, 4 / 18), (THREE, 4 / 10)], ids=["four", "three"])
def test_the_full_set_weighs_as_much_where_some_are_drawn(count, sample, share):
    drawn, rows = 2000, np.random.default_rng(0)
    subsets, weights = draw_subsets(MATRIX, sample.expand(drawn, -1), count, [rows] * drawn, full_weight=4)
    full = (subsets == sample[0]).all(-1)
    assert (weights * full).sum(0).mean().item() == pytest.approx(share, abs=0.03)
    assert weights.sum(0).mean().item() == pytest.approx(1, abs=0.03)
