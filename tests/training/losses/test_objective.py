"""The loss over many subsets in one pass, against a plain sum of the same losses by autograd."""

import pytest
import torch
from torch.nn.functional import one_hot

from napari_rdl.brats import CLASSES
from napari_rdl.models import NetworkConfig
from napari_rdl.models.patches import fold
from napari_rdl.models.rdl.model import RobustNet
from napari_rdl.training.config import LossConfig
from napari_rdl.training.data.subsets import draw_proper_subset, draw_subsets, subset_matrix
from napari_rdl.training.losses import Objective, dice_loss, label_divergence, region_dice_loss
from napari_rdl.training.losses.divergence import teacher_divergence
from napari_rdl.training.losses.total import _places, _SupervisedSubsets

MATRIX = subset_matrix(("T1", "T1c", "T2", "FLAIR"))
PRESENT = torch.tensor([[True] * 4, [True, True, False, True]])


def plain(network, terms, labels, present, subsets, weights, config):
    """Return the same loss as a plain sum over subsets and samples, by autograd."""
    target = one_hot(labels.flatten(1), 4).movedim(-1, 1).to(terms.dtype)

    def logits_of(subset):
        total = (terms * subset[..., None, None, None, None]).sum(1)
        return network.read(total).flatten(2)

    teacher = logits_of(present).log_softmax(1).detach()
    losses = []
    for subset in subsets:
        fused = logits_of(subset)
        p = fused.softmax(1)
        if config.target == "full":
            voxels = teacher_divergence(config.kind, fused.log_softmax(1), teacher, config.alpha)
        else:
            voxels = label_divergence(config.kind, fused, labels.flatten(1), target, config.alpha)
        losses.append(
            config.dice * dice_loss(p, target)
            + config.divergence * voxels.mean(1)
            + config.region_dice * region_dice_loss(p, target, CLASSES, config.absent_voxels)
        )
    total = sum((loss * weight).sum() for loss, weight in zip(losses, weights, strict=True))
    for sample in range(len(labels)):
        drawn = [index for index in range(len(subsets)) if weights[index, sample] > 0]
        member = {index: set(subsets[index, sample].nonzero()[:, 0].tolist()) for index in drawn}
        pairs = [(i, j) for i in drawn for j in drawn if member[j] < member[i]]
        for i, j in pairs:
            excess = losses[i][sample] - losses[j][sample].detach()
            total = total + config.monotone * excess.clamp(min=0) / len(pairs)
    return total / len(labels)


@pytest.mark.parametrize("fusion", ["mean", "gated", "deep_sets"])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize(
    "config",
    [
        LossConfig(region_dice=0.5),
        LossConfig(region_dice=0.5, absent_voxels=5.0, monotone=2.0),
        LossConfig(kind="jensen_shannon", dice=0.3),
        LossConfig(target="full", divergence=2.0),
        LossConfig(divergence=0.0),
        LossConfig(dice=0.0),
    ],
    ids=["all", "absent", "js", "teacher", "dice", "holder"],
)
def test_equals_the_plain_sum(config, count, patch, fusion):
    import numpy as np

    torch.manual_seed(0)
    network = RobustNet(NetworkConfig(channels=(4, 8), groups=2, patch=patch, fusion=fusion, embedding=5))
    network = network.double()
    for parameter in network.readers():
        torch.nn.init.normal_(parameter)
    width = 4 * patch**3 + 1 + (5 if fusion == "deep_sets" else 0)
    terms = torch.randn(2, 4, width, 2, 3, 2, dtype=torch.float64)
    terms[:, :, 4 * patch**3].abs_().add_(0.5)  # the weights
    terms[1, 2] = 0  # absent
    terms.requires_grad_()
    labels = torch.randint(0, 4, (2, 2 * patch, 3 * patch, 2 * patch))
    labels[0].clamp_(max=2)  # no enhancing tumour
    rngs = [np.random.default_rng(index) for index in range(2)]
    subsets, weights = draw_subsets(MATRIX, PRESENT, count, rngs)
    leaves = (terms, *network.readers())

    expected = plain(network, terms, labels, PRESENT, subsets, weights, config)
    expected_gradients = torch.autograd.grad(expected, leaves)
    network = network.float()
    readers = network.readers()
    terms = terms.detach().float().requires_grad_()
    total, _ = _SupervisedSubsets.apply(
        terms, fold(labels[:, None], patch), PRESENT, subsets, weights, config, network, *readers
    )
    gradients = torch.autograd.grad(3 * total, (terms, *readers))

    torch.testing.assert_close(total.double(), expected, rtol=1e-4, atol=1e-5)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found.double(), 3 * wanted, rtol=2e-3, atol=1e-5)
    assert not gradients[0][1, 2].any()  # the absent modality learns nothing


def test_a_sure_full_set_worse_than_its_parts_is_pulled():
    """Two modalities agree and are right; the hinge alone moves the weights only where the whole is worse."""
    config = LossConfig(dice=0.0, region_dice=0.0, monotone=1.0)
    network = RobustNet(NetworkConfig(channels=(4, 8), groups=2))
    subsets = torch.tensor([[[True, False, False, False]], [[True, True, False, False]]])
    weights, labels = torch.tensor([[1e-9], [1e-9]]), torch.zeros(1, 1, 1, 1, 1, dtype=torch.int64)
    present = torch.tensor([[True, True, False, False]])
    for second, pulled in ((-3.0, True), (3.0, False)):
        terms = torch.zeros(1, 4, 5, 1, 1, 1)
        terms[0, :2, 4] = 1
        terms[0, 0, 0], terms[0, 1, 0] = 1.0, second
        terms.requires_grad_()
        total, _ = _SupervisedSubsets.apply(terms, labels, present, subsets, weights, config, network)
        (gradient,) = torch.autograd.grad(total, terms)
        assert (gradient[0, 1, 0].abs() > 1e-3) == pulled


def make_objective(config, **network):
    torch.manual_seed(0)
    return Objective(RobustNet(NetworkConfig(channels=(4, 8), groups=2, **network)), config)


def make_batch(present=PRESENT):
    import numpy as np

    torch.manual_seed(1)
    count = len(present)
    rngs = [np.random.default_rng(index) for index in range(count)]
    images = torch.randn(count, 4, 4, 4, 4) * present[..., None, None, None]
    labels = torch.randint(0, 4, (count, 4, 4, 4))
    return (
        images,
        labels,
        present,
        *draw_subsets(MATRIX, present, 0, rngs),
        *draw_proper_subset(MATRIX, present, rngs),
    )


def test_one_forward_pass_serves_full_and_missing(monkeypatch):
    objective = make_objective(LossConfig())
    passes = []
    backbone = RobustNet._backbone
    monkeypatch.setattr(
        RobustNet, "_backbone", lambda self, *given: passes.append(given[1]) or backbone(self, *given)
    )
    objective(*make_batch())
    assert [sorted(modality.tolist()) for modality in passes] == [[0, 0, 1, 1, 2, 3, 3]]


def test_everything_that_is_trained_learns():
    objective = make_objective(LossConfig(region_dice=1.0), fusion="gated")
    objective(*make_batch()).total.backward()
    silent = [
        name for name, value in objective.named_parameters() if value.grad is None or not value.grad.any()
    ]
    # The gate's first layer of zeros passes no gradient on, but itself gets one.
    assert not [name for name in silent if "gate" not in name]
    assert any("transfer" in name for name, _ in objective.named_parameters())


def test_total_is_the_weighted_sum_of_the_logged_terms():
    config = LossConfig(dice=0.5, divergence=0.25, region_dice=2.0, mutual_information=3.0)
    loss = make_objective(config)(*make_batch())
    weights = torch.tensor([0.5, 0.25, 2.0, 3.0])
    torch.testing.assert_close(loss.total, (weights * loss.terms).sum())


def test_without_transfer_there_is_nothing_beside_the_network():
    objective = make_objective(LossConfig(mutual_information=0.0))
    assert not list(objective.transfer.parameters())
    assert objective(*make_batch()).terms[3] == 0


def test_a_batch_of_single_modalities_has_no_transfer():
    present = torch.tensor([[False, True, False, False]])
    loss = make_objective(LossConfig())(*make_batch(present))
    assert loss.terms[3] == 0
    assert torch.isfinite(loss.total)


def test_loss_is_the_mean_over_samples():
    objective = make_objective(LossConfig(region_dice=1.0))
    batch = make_batch()
    together = objective(*batch).total
    alone = [
        objective(*(part[:, [index]] if part.shape[:1] == (15,) else part[[index]] for part in batch)).total
        for index in range(2)
    ]
    torch.testing.assert_close(together, sum(alone) / 2)


@pytest.mark.parametrize("patch", [1, 2])
def test_drawn_voxels_stand_for_all_of_them(patch):
    """Every voxel of the brain, each equally often, has the loss of the brain; what lies outside has none."""
    config = LossConfig(mutual_information=0, dice=0, region_dice=0)
    objective = make_objective(config, fusion="deep_sets", patch=patch, embedding=3)
    images, labels, present, *rest = make_batch(torch.ones(2, 4, dtype=torch.bool))
    images = torch.nn.functional.interpolate(images, size=(8, 8, 8))
    labels = labels.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3)
    whole = objective(images, labels, present, *rest).total
    places = torch.arange(512 // patch**3).expand(2, -1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("napari_rdl.training.losses.total._places", lambda brain, count: places)
        objective.config = config.model_copy(update={"voxels": 5})
        torch.testing.assert_close(objective(images, labels, present, *rest).total, whole)


def test_voxels_are_drawn_in_the_brain():
    brain = torch.zeros(2, 4, 4, 4, dtype=torch.bool)
    brain[0, 1, 2, 3] = brain[1, 3] = True
    drawn = _places(brain, 50)
    assert drawn.shape == (2, 50)
    assert set(drawn[0].tolist()) == {1 * 16 + 2 * 4 + 3}
    assert set(drawn[1].tolist()) <= set(range(48, 64))
    assert len(set(drawn[1].tolist())) > 8


def test_the_variances_of_transfer_start_from_the_residuals():
    objective = make_objective(LossConfig())
    batch = make_batch()
    levels = objective.residuals(batch[0], batch[2], *batch[5:])
    for transfer, squared in zip(objective.transfer, levels, strict=True):
        transfer.start(squared)
        torch.testing.assert_close(transfer.variance(), squared.clamp(min=1e-6 + 1e-4), rtol=1e-4, atol=1e-6)
