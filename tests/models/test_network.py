"""The model: one modality at a time, left out rather than zero-filled, fused in any order."""

import itertools

import pytest
import torch
from pydantic import ValidationError

from napari_rdl.brats import MODALITIES, SUBSETS
from napari_rdl.models import NetworkConfig, fuse_features
from napari_rdl.models.patches import fold, unfold
from napari_rdl.models.rdl.layers import ModalityNorm
from napari_rdl.models.rdl.model import RobustNet


def _network(**changes):
    torch.manual_seed(0)
    network = RobustNet(NetworkConfig(**{"channels": (4, 8), "groups": 2, **changes})).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


@pytest.fixture(params=["mean", "gated", "deep_sets"])
def fusion(request):
    return request.param


@pytest.mark.parametrize("shape", [(8, 8, 8), (7, 9, 11)])
@pytest.mark.parametrize("channels", [(4, 8), (4, 8, 8)])
def test_shapes_of_everything_that_the_backbone_says(shape, channels, fusion):
    network = _network(channels=channels, fusion=fusion)
    output = network.encode(torch.randn(2, 1, *shape), torch.tensor([0, 3]))
    assert output.logits.shape == (2, 4, *shape)
    assert (output.gate is None) == (fusion == "mean")
    assert (output.embedding is None) == (fusion != "deep_sets")
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
    assert torch.isfinite(network.read((second.terms() * present[..., None, None, None, None]).sum(1))).all()


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_fusion_is_the_stated_formula_for_every_subset(subset, fusion):
    network = _network(fusion=fusion, patch=2).double()
    images = torch.randn(2, 4, 8, 8, 8, dtype=torch.float64)
    chosen = [MODALITIES.index(name) for name in subset]
    outputs = [network.encode(images[:, m : m + 1], torch.tensor([m, m])) for m in chosen]
    weights = [torch.ones(1) if fusion == "mean" else output.gate.exp() for output in outputs]
    folded = sum(w * output.logits for w, output in zip(weights, outputs, strict=True)) / sum(weights)
    if fusion == "deep_sets":
        psi = network.deep_sets
        summed = sum(output.embedding for output in outputs).movedim(1, -1)
        folded = folded + psi.last(psi.hidden(summed.relu()).relu()).movedim(-1, 1)
    # PyTorch's own unfolding in two dimensions, for the places of each x.
    expected = torch.empty(2, 4, 8, 8, 8, dtype=torch.float64)
    places = folded.reshape(2, 4, 2, 4, 4, 4, 4)
    for x in range(2):
        for plane in range(4):
            expected[:, :, 2 * plane + x] = torch.nn.functional.pixel_shuffle(
                places[:, :, x, :, plane].flatten(1, 2), 2
            )
    total = sum(network.terms(images[:, m : m + 1], torch.tensor([m, m])).double() for m in chosen)
    torch.testing.assert_close(network.read(total), expected, rtol=1e-4, atol=1e-5)


def test_a_readout_after_the_sum_begins_as_the_gated_mean():
    torch.manual_seed(0)
    network = RobustNet(NetworkConfig(channels=(4, 8), groups=2, fusion="deep_sets"))
    total = network.terms(torch.randn(1, 1, 8, 8, 8), torch.tensor([1]))
    torch.testing.assert_close(network.read(total), total[:, :4] / total[:, 4:5])


def test_phi_is_each_modalitys_own():
    """Two 1x1x1 convolutions, as the library makes them."""
    network = _network(fusion="deep_sets")
    output = network.encode(torch.randn(2, 1, 8, 8, 8), torch.tensor([3, 1]))
    psi = network.deep_sets
    features = network.encoder(
        network.channel_encoders(torch.zeros(2, 1, 8, 8, 8), torch.tensor([3, 1])), torch.tensor([3, 1])
    )
    decoded = network.decoder(features, torch.tensor([3, 1]))
    logits, gate = network.head(decoded), 3 * torch.tanh(network.gate(decoded) / 3)
    found = psi.embed(decoded, logits, gate, torch.tensor([3, 1]))
    for sample, m in enumerate([3, 1]):
        x = torch.cat((decoded, logits / 3, gate / 3), 1)[sample : sample + 1]
        x = torch.nn.functional.conv3d(x, psi.first[m][..., None, None, None], psi.first_bias[m])
        x = torch.nn.functional.conv3d(x.relu(), psi.second[m][..., None, None, None], psi.second_bias[m])
        torch.testing.assert_close(found[sample : sample + 1], x, rtol=1e-4, atol=1e-5)
    assert output.embedding.shape == found.shape


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_folding_and_unfolding_lose_nothing(patch):
    volume = torch.arange(2 * 3 * 8 * 4 * 12.0).reshape(2, 3, 8, 4, 12)
    folded = fold(volume, patch)
    assert folded.shape == (2, 3 * patch**3, 8 // patch, 4 // patch, 12 // patch)
    assert torch.equal(unfold(folded, patch), volume)
    assert torch.equal(
        folded[0, :, 0, 0, 0].sort().values, volume[0, :, :patch, :patch, :patch].flatten().sort().values
    )


def test_normalisation_of_a_batch_on_a_gpu_is_the_librarys():
    torch.manual_seed(0)
    norm = ModalityNorm(6, 3, 2)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x, modality = torch.randn(3, 6, 4, 5, 3) + 0.5, torch.tensor([1, 0, 1])
    torch.testing.assert_close(norm._in_two_passes(x, modality), norm(x, modality), rtol=1e-4, atol=1e-5)


def test_a_subset_that_leaves_a_modality_out_is_not_reached_by_its_nan():
    features = torch.randn(1, 4, 5, 2, 2, 2)
    features[0, 2] = torch.nan
    subsets = torch.tensor([[True, True, False, False], [True, True, True, False]])
    fused = fuse_features(features, subsets)
    torch.testing.assert_close(fused[0, 0], features[0, :2].mean(0))
    assert fused[1].isnan().all()


def test_features_fuse_as_a_mean():
    features = torch.randn(1, 4, 5, 2, 2, 2)
    subsets = torch.tensor([[True, True, False, False], [True, True, True, True]])
    fused = fuse_features(features, subsets)
    torch.testing.assert_close(fused[0, 0], features[0, :2].mean(0))
    torch.testing.assert_close(fused[1, 0], features[0].mean(0))


def test_an_empty_subset_is_refused():
    with pytest.raises(ValueError, match="at least one modality"):
        fuse_features(torch.zeros(1, 4, 4, 2, 2, 2), torch.zeros(1, 4, dtype=torch.bool))


def test_a_gated_network_begins_as_the_mean():
    torch.manual_seed(0)
    network = RobustNet(NetworkConfig(channels=(4, 8), groups=2, fusion="gated"))
    output = network(torch.randn(1, 4, 8, 8, 8), torch.ones(1, 4, dtype=torch.bool))
    assert not output.gate.any()


def test_gradients_reach_every_parameter(fusion):
    network = _network(fusion=fusion)
    output = network(torch.randn(1, 4, 8, 8, 8), torch.ones(1, 4, dtype=torch.bool))
    network.read(output.terms().sum(1)).square().mean().backward()
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
        ({"fusion": "max"}, "'mean', 'gated' or 'deep_sets'"),
    ],
)
def test_impossible_architectures_are_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        NetworkConfig(**changes)
