"""The model: one modality at a time, left out rather than zero-filled, fused in any order."""

import itertools

import pytest
import torch
from pydantic import ValidationError

from napari_rdl.brats import MODALITIES, SUBSETS
from napari_rdl.models import NetworkConfig, RobustNet, combine, fuse_features, weigh


def _network(**changes):
    torch.manual_seed(0)
    network = RobustNet(NetworkConfig(**{"channels": (4, 8), "groups": 2, **changes})).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


@pytest.fixture(params=["mean", "gated"])
def fusion(request):
    return request.param


@pytest.mark.parametrize("shape", [(8, 8, 8), (7, 9, 11)])
@pytest.mark.parametrize("channels", [(4, 8), (4, 8, 8)])
def test_shapes_of_everything_that_the_backbone_says(shape, channels, fusion):
    network = _network(channels=channels, fusion=fusion)
    output = network.encode(torch.randn(2, 1, *shape), torch.tensor([0, 3]))
    assert output.logits.shape == (2, 4, *shape)
    assert (output.gate is None) == (fusion == "mean")
    if output.gate is not None:
        assert output.gate.shape == (2, 1, *shape)
        assert output.gate.abs().max() <= network.config.gate_bound
    assert [level.shape[1] for level in output.features] == list(channels)
    assert output.features[1].shape[2:] == tuple(-(-size // 2) for size in shape)


@pytest.mark.parametrize("norm", ["shared", "per_modality"])
def test_folding_into_the_batch_changes_nothing(norm):
    network = _network(norm=norm)
    images = torch.randn(2, 4, 8, 8, 8)
    folded = network(images, torch.ones(2, 4, dtype=torch.bool))
    for batch, modality in itertools.product(range(2), range(4)):
        alone = network.encode(images[batch, modality][None, None], torch.tensor([modality]))
        torch.testing.assert_close(folded.logits[batch, modality], alone.logits[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["shared", "per_modality"])
def test_only_the_channel_encoder_and_the_norm_know_the_modality(norm):
    network = _network(norm=norm)
    with torch.no_grad():
        for stem in network.channel_encoders.stems.values():
            stem.load_state_dict(network.channel_encoders.stems["T1"].state_dict())
    image = torch.randn(1, 1, 8, 8, 8)
    one, other = (network.encode(image, torch.tensor([m])).logits for m in (0, 1))
    assert torch.equal(one, other) == (norm == "shared")


def test_absent_modalities_are_not_computed_and_do_not_matter(fusion):
    network = _network(fusion=fusion)
    images = torch.randn(2, 4, 8, 8, 8)
    present = torch.tensor([[True, False, True, False], [False, True, True, True]])
    poisoned = images.masked_fill(~present[..., None, None, None], torch.nan)
    first, second = network(images, present), network(poisoned, present)
    assert torch.equal(first.logits, second.logits)
    assert torch.isfinite(second.logits).all()
    assert not second.logits[~present].any()
    fused = combine(second.logits, second.gate, present[None])
    assert torch.isfinite(fused).all()


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_fusion_is_the_stated_mean_for_every_subset(subset, fusion):
    torch.manual_seed(1)
    logits = torch.randn(2, 4, 4, 3, 3, 3, dtype=torch.float64)
    gate = torch.randn(2, 4, 1, 3, 3, 3, dtype=torch.float64) if fusion == "gated" else None
    member = torch.tensor([[name in subset for name in MODALITIES]])
    fused = combine(logits, gate, member)[0]
    chosen = [MODALITIES.index(name) for name in subset]
    if gate is None:
        expected = sum(logits[:, m] for m in chosen) / len(chosen)
    else:
        expected = sum(gate[:, m].exp() * logits[:, m] for m in chosen) / sum(
            gate[:, m].exp() for m in chosen
        )
    torch.testing.assert_close(fused, expected)
    # What `segment` sums has the same most probable class, for the divisor is common and positive.
    summed = sum(weigh(logits[:, m], None if gate is None else gate[:, m]) for m in chosen)
    assert torch.equal(summed.argmax(1), fused.argmax(1))


def test_fusion_ignores_the_order_of_the_modalities(fusion):
    logits = torch.randn(1, 4, 4, 2, 2, 2, dtype=torch.float64)
    gate = torch.randn(1, 4, 1, 2, 2, 2, dtype=torch.float64) if fusion == "gated" else None
    everything = torch.ones(1, 4, dtype=torch.bool)
    turned = [2, 0, 3, 1]
    torch.testing.assert_close(
        combine(logits, gate, everything),
        combine(logits[:, turned], None if gate is None else gate[:, turned], everything),
    )


def test_each_patient_of_a_batch_may_have_its_own_subset():
    logits = torch.randn(2, 4, 4, 2, 2, 2)
    subsets = torch.tensor([[[True, False, False, False], [False, False, True, True]]])
    fused = combine(logits, None, subsets)
    torch.testing.assert_close(fused[0, 0], logits[0, 0])
    torch.testing.assert_close(fused[0, 1], logits[1, 2:].mean(0))


def test_features_fuse_as_a_mean():
    features = torch.randn(1, 4, 5, 2, 2, 2)
    subsets = torch.tensor([[True, True, False, False], [True, True, True, True]])
    fused = fuse_features(features, subsets)
    torch.testing.assert_close(fused[0, 0], features[0, :2].mean(0))
    torch.testing.assert_close(fused[1, 0], features[0].mean(0))


def test_an_empty_subset_is_refused():
    with pytest.raises(ValueError, match="at least one modality"):
        combine(torch.zeros(1, 4, 4, 2, 2, 2), None, torch.zeros(1, 4, dtype=torch.bool))


def test_a_gated_network_begins_as_the_mean():
    torch.manual_seed(0)
    network = RobustNet(NetworkConfig(channels=(4, 8), groups=2, fusion="gated"))
    output = network(torch.randn(1, 4, 8, 8, 8), torch.ones(1, 4, dtype=torch.bool))
    assert not output.gate.any()


def test_gradients_reach_every_parameter(fusion):
    network = _network(fusion=fusion)
    output = network(torch.randn(1, 4, 8, 8, 8), torch.ones(1, 4, dtype=torch.bool))
    combine(output.logits, output.gate, torch.ones(1, 4, dtype=torch.bool)).square().mean().backward()
    without = [
        name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()
    ]
    assert without == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": (4, 6), "groups": 4}, "divide every channel count"),
        ({"modalities": ("T1", "T1")}, "must not repeat"),
        ({"depth": 3}, "Extra inputs"),
        ({"fusion": "max"}, "'mean' or 'gated'"),
    ],
)
def test_impossible_architectures_are_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        NetworkConfig(**changes)
