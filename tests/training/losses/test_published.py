"""The losses of the comparison methods, against MONAI's and against arithmetic."""

import numpy as np
import pytest
import torch
from monai.losses import DiceLoss

from napari_rdl.training.losses.divergence import holder_divergence, soft_label_divergence
from napari_rdl.training.losses.published import (
    overlap_loss,
    region_overlap_loss,
    region_targets,
    weighted_cross_entropy,
)


@pytest.fixture
def said():
    torch.manual_seed(0)
    labels = torch.randint(4, (2, 3, 4, 5))
    target = torch.nn.functional.one_hot(labels, 4).permute(0, 4, 1, 2, 3).float()
    return torch.randn(2, 4, 3, 4, 5), labels, target


def test_overlap_is_monais_over_the_batch(said):
    logits, _, target = said
    theirs = DiceLoss(batch=True, smooth_nr=0, smooth_dr=1e-7)(logits.softmax(1), target)
    torch.testing.assert_close(overlap_loss(logits.softmax(1), target), theirs)


@pytest.mark.parametrize("squared", [False, True])
def test_region_overlap_is_monais_over_the_batch(said, squared):
    logits, labels, _ = said
    regions = region_targets(labels, ("ET", "TC", "WT"))
    assert torch.equal(regions[:, 0], (labels == 3).float())
    assert torch.equal(regions[:, 2], (labels > 0).float())
    theirs = DiceLoss(sigmoid=True, batch=True, squared_pred=squared, smooth_nr=1, smooth_dr=1)
    ours = region_overlap_loss(logits[:, :3], regions, squared=squared)
    torch.testing.assert_close(ours, theirs(logits[:, :3], regions))


def test_cross_entropy_weighs_each_class_by_all_others(said):
    logits, labels, target = said
    p = logits.softmax(1).numpy()
    total = 0.0
    for n, place in enumerate(labels.numpy()):
        share = np.bincount(place.ravel(), minlength=4) / place.size
        for at in np.ndindex(place.shape):
            total -= (1 - share[place[at]]) * np.log(max(p[(n, place[at], *at)], 0.005))
    assert weighted_cross_entropy(logits.softmax(1), target).item() == pytest.approx(total / labels.numel())


@pytest.mark.parametrize(
    "kind", ["kl", "total_variation", "squared_hellinger", "jensen_shannon", "neyman_chi2"]
)
def test_against_the_labels_softmax_a_divergence_is_least_at_it(kind):
    target = torch.tensor([0.0, 1.0, 0.0, 0.0]).reshape(1, 4, 1)
    at = soft_label_divergence(kind, target, target, 1.1)
    assert at.item() == pytest.approx(0, abs=1e-6)
    assert target.softmax(1)[0, :, 0].tolist() == pytest.approx([0.1749, 0.4754, 0.1749, 0.1749], abs=1e-4)
    assert soft_label_divergence(kind, 5 * target, target, 1.1) > 0.05


def test_hoelder_stays_near_one_against_the_labels_softmax():
    target = torch.tensor([0.0, 1.0, 0.0, 0.0]).reshape(1, 4, 1)
    places = torch.linspace(0, 20, 401)
    values = torch.cat([soft_label_divergence("holder", z * target, target, 1.1) for z in places])
    best = places[values.argmin()]
    assert best.item() == pytest.approx(10, abs=0.5)  # beta / alpha
    torch.testing.assert_close(
        soft_label_divergence("holder", target, target, 1.1)[0],
        holder_divergence(target.log_softmax(1), target.log_softmax(1), 1.1)[0],
    )
