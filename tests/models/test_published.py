"""The published methods' networks: their counts, what they look at, and their steps by arithmetic."""

import itertools

import nibabel as nib
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from napari_rdl.models import METHODS, ModelCard, Place, build_network
from napari_rdl.models.gmd.config import GMDConfig
from napari_rdl.models.m3ae.config import M3AEConfig
from napari_rdl.models.mmformer.config import MMFormerConfig
from napari_rdl.models.orientation import from_axes, to_axes
from napari_rdl.models.regions import class_scores
from napari_rdl.models.rfnet.config import RFNetConfig
from napari_rdl.models.rfnet.model import ModalityWeights

from ..published import TINY, tiny


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (RFNetConfig(), 8_984_960),
        (MMFormerConfig(), 35_861_840),
        (MMFormerConfig(grid=8), 36_654_416),
        (M3AEConfig(), 40_416_505),
        (GMDConfig(), 3_245_235),
    ],
)
def test_numbers_to_train_are_the_published(config, count):
    with torch.device("meta"):
        network = build_network(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("method", TINY)
def test_a_card_keeps_its_architecture(method):
    config = TINY[method]
    card = ModelCard(name="x", method=method, network=config, spacing=(1, 1, 1))
    assert ModelCard.model_validate_json(card.model_dump_json()).network == config
    assert METHODS[method].architecture is type(config)


@pytest.mark.parametrize("method", ["rfnet", "mmformer", "m3ae"])
def test_subsets_differ_and_the_axes_do_not_matter_twice(method):
    network = tiny(method)
    size = network.config.stride
    torch.manual_seed(1)
    images = {name: torch.randn(1, 1, size, size, size) for name in network.config.modalities}
    with torch.no_grad():
        full = network.logits(images)
        part = network.logits({name: images[name] for name in ("T1", "FLAIR")})
        again = network.logits({name: images[name] for name in ("FLAIR", "T1")})
    channels = 3 if method == "m3ae" else 4
    assert full.shape == (1, channels, size, size, size)
    assert torch.equal(part, again)
    assert (full - part).abs().max() > 1e-3
    # Turned images for a network whose axes run the other way: turned answers.
    turned = type(network)(network.config.model_copy(update={"axes": "LPS"})).eval()
    turned.load_state_dict(network.state_dict())
    with torch.no_grad():
        there = turned.logits({name: image.flip(2, 3) for name, image in images.items()})
    assert torch.allclose(there.flip(2, 3), full, atol=1e-5)


def test_gmd_sums_what_each_modality_says_to_their_mean():
    network = tiny("gmd")
    torch.manual_seed(1)
    image, names = torch.randn(2, 1, 16, 16, 16), torch.tensor([0, 3])
    with torch.no_grad():
        both = network.terms(image, names)
        alone = [network.terms(image[i : i + 1], names[i : i + 1]) for i in range(2)]
        scores = network.read(both.sum(0, keepdim=True))
    assert torch.allclose(both, torch.cat(alone), atol=1e-3)
    mean = (alone[0] + alone[1])[:, :3] / 2
    assert torch.allclose(scores, class_scores(mean, network.config.regions), atol=1e-3)


def test_class_scores_name_the_innermost_region_that_is_there():
    regions = ("ET", "TC", "WT")
    signs = torch.tensor(list(itertools.product((-1.5, 0.5), repeat=3)))
    for said, best in zip(signs, class_scores(signs, regions).argmax(1), strict=True):
        enhancing, core, whole = (bool(value > 0) for value in said)
        assert best == (3 if enhancing else 1 if core else 2 if whole else 0)
    # A logit that is larger never speaks against its class, and scores multiply with the logits.
    assert torch.equal(class_scores(2 * signs, regions), 2 * class_scores(signs, regions))


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SPL", "IRA"])
def test_axes_are_nibabels(axes):
    volume = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(axes)
    )
    ours = to_axes(torch.from_numpy(volume)[None], axes)
    assert np.array_equal(ours[0].numpy(), nib.orientations.apply_orientation(volume, turn))
    assert np.array_equal(from_axes(ours, axes)[0].numpy(), volume)


def test_axes_that_are_none_are_refused():
    with pytest.raises(ValidationError, match="names no three axes"):
        RFNetConfig(axes="RLS")
    with pytest.raises(ValidationError, match="each once"):
        RFNetConfig(inputs=("T1", "T1", "T2", "FLAIR"))


def test_a_region_is_weighed_by_its_mean_and_its_share():
    torch.manual_seed(0)
    weigh = ModalityWeights(2, 3)
    features, prior = torch.rand(1, 2, 3, 4, 4, 4), torch.rand(1, 1, 4, 4, 4)
    share = prior.numpy().mean() + 1e-7
    means = features.numpy().reshape(6, -1).mean(1) / share
    first, last = (layer.weight.detach().numpy()[:, :, 0, 0, 0] for layer in (weigh.first, weigh.last))
    hidden = first @ np.append(means, share) + weigh.first.bias.detach().numpy()
    score = last @ np.where(hidden > 0, hidden, 0.2 * hidden) + weigh.last.bias.detach().numpy()
    expected = np.tensordot(1 / (1 + np.exp(-score)), features.numpy()[0], 1)
    assert np.allclose(weigh(features, prior).detach().numpy()[0], expected, atol=1e-5)


def test_m3ae_puts_the_learnt_image_where_the_tile_lies():
    network = tiny("m3ae")
    config = network.config.model_copy(update={"axes": "LPS"})
    network.config = config
    there = torch.zeros(1, 4, 8, 8, 8)
    seen = []
    network.enter[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with torch.no_grad():
        network.logits({"T1": there[:, :1]}, Place((2, 3, 4), (20, 20, 20)))
    # 20 - 2 - 8 and 20 - 3 - 8 from the other side, no further than the images (16 voxels) reach.
    expected = network.substitute[0, 1:, 8:16, 8:16, 4:12]
    assert torch.equal(seen[0][0, 1:], expected)
    assert not seen[0][0, 0].any()


def test_what_only_training_asks_is_of_each_modality_and_level():
    for method, levels in (("rfnet", 4), ("mmformer", 4)):
        network = tiny(method)
        size = network.config.stride
        images = torch.randn(1, 4, size, size, size)
        present = torch.tensor([[True, False, True, False]])
        with torch.no_grad():
            logits, said = network(images, present, auxiliary=torch.ones_like(present))
            without, none = network(images, present)
        assert torch.allclose(logits, without, atol=1e-5)
        assert (len(said.separate), len(said.deep), len(none.separate)) == (4, levels, 0)
        for one in (*said.separate, *said.deep):
            assert one.shape == logits.shape
            assert torch.allclose(one.sum(1), torch.ones_like(one[:, 0]), atol=1e-4)
