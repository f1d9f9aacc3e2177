"""L_Dice against plain float64 arithmetic."""

import numpy as np
import pytest
import torch

from napari_rdl.brats import CLASSES
from napari_rdl.training.losses.dice import EPSILON, dice_loss, region_dice_loss


def one_hot(labels, classes=4):
    return torch.nn.functional.one_hot(labels, classes).movedim(-1, 1).double()


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(2, 4, 50)))
    return logits.softmax(1), one_hot(torch.from_numpy(rng.integers(0, 4, (2, 50))))


def by_hand(p, y):
    losses = []
    for sample_p, sample_y in zip(p.numpy(), y.numpy(), strict=True):
        ratios = [
            sum(a * b for a, b in zip(row_p, row_y, strict=True))
            / (sum(a * a for a in row_p) + sum(b * b for b in row_y) + EPSILON)
            for row_p, row_y in zip(sample_p, sample_y, strict=True)
        ]
        losses.append(1 - 2 / len(ratios) * sum(ratios))
    return losses


def test_equation_4(pair):
    assert dice_loss(*pair).tolist() == pytest.approx(by_hand(*pair), abs=1e-12)


def test_perfect_prediction_costs_nothing(pair):
    _, target = pair
    assert dice_loss(target, target).abs().max() < 1e-5


def test_regions_are_the_unions(pair):
    p, y = pair
    unions = [[1, 2, 3], [1, 3], [3]]
    joined = [torch.stack([part[:, rows].sum(1) for rows in unions], 1) for part in (p, y)]
    torch.testing.assert_close(region_dice_loss(p, y, CLASSES), torch.tensor(by_hand(*joined)))


def test_regions_follow_the_names_of_the_classes(pair):
    p, y = pair
    order = [2, 0, 3, 1]
    names = tuple(CLASSES[index] for index in order)
    torch.testing.assert_close(
        region_dice_loss(p[:, order], y[:, order], names), region_dice_loss(p, y, CLASSES)
    )


@pytest.mark.parametrize("loss", [dice_loss, region_dice_loss])
def test_gradient(loss, pair):
    p, y = pair
    start = p.log()[:, :, :6].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z.softmax(1), y[:, :, :6]), start)


def test_a_class_that_is_absent_has_a_finite_gradient():
    logits = torch.zeros(1, 4, 8, requires_grad=True)
    target = one_hot(torch.zeros(1, 8, dtype=torch.int64)).float()
    dice_loss(logits.softmax(1), target).sum().backward()
    assert torch.isfinite(logits.grad).all()


def healthy(voxels=50):
    return one_hot(torch.zeros(1, voxels, dtype=torch.int64))


def test_false_tumour_in_a_healthy_crop_costs_its_share():
    truth, found = healthy(), healthy()
    found[0, :, :10] = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64)[:, None]  # oedema: WT alone
    assert region_dice_loss(found, truth, CLASSES, 10).item() == pytest.approx(0.5 / 3, abs=1e-6)
    assert region_dice_loss(truth, truth, CLASSES, 10).item() == pytest.approx(0, abs=1e-6)
    assert region_dice_loss(found, truth, CLASSES).item() == pytest.approx(1)


def test_regions_that_are_there_cost_the_same(pair):
    p, y = pair
    torch.testing.assert_close(region_dice_loss(p, y, CLASSES, 10), region_dice_loss(p, y, CLASSES))


def test_an_absent_region_pushes_false_tumour_down():
    z = torch.zeros(1, 4, 50, dtype=torch.float64, requires_grad=True)
    (without,) = torch.autograd.grad(region_dice_loss(z.softmax(1), healthy()).sum(), z)
    (gradient,) = torch.autograd.grad(region_dice_loss(z.softmax(1), healthy(), CLASSES, 10).sum(), z)
    assert without.abs().max() == 0
    assert (gradient[:, 0] < 0).all()
    assert (gradient[:, 3] > 0).all()
    assert torch.autograd.gradcheck(lambda z: region_dice_loss(z.softmax(1), healthy(), CLASSES, 10), z)
