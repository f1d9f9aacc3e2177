"""Tiles: cut, batched and blended as MONAI does it; terms on their coarser grid fit together."""

import pytest
import torch
from monai.inferers import sliding_window_inference

from napari_rdl.models import NetworkConfig
from napari_rdl.models.patches import fold, unfold
from napari_rdl.models.rdl.model import RobustNet
from napari_rdl.segment.tiles import Tiling, encode_tiles, tile_shape

CPU = torch.device("cpu")


def _network(**changes):
    torch.manual_seed(0)
    return RobustNet(NetworkConfig(**{"channels": (4, 8), "groups": 2, "fusion": "gated"} | changes)).eval()


def _image(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(16, 16, 16), (30, 17, 23), (9, 40, 12)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_tiles_blend_as_monai_blends_them(shape, overlap):
    network, image = _network(), _image(shape)
    with torch.inference_mode():
        expected = sliding_window_inference(
            image[None, None],
            roi_size=tile_shape(shape, 16, 2),
            sw_batch_size=1,
            predictor=lambda tile: network.terms(tile, torch.tensor([2])),
            overlap=overlap,
            mode="gaussian",
        )[0]
    found = encode_tiles(network, {"T2": image}, Tiling(16, overlap, "float32", CPU), lambda name: None)
    # A product that is added at once is rounded once, MONAI's twice.
    torch.testing.assert_close(found["T2"], expected, rtol=1e-6, atol=1e-6)


def test_batches_of_several_modalities_say_what_single_tiles_say():
    network = _network(patch=2, fusion="deep_sets", embedding=5)
    images = {"T1": _image((40, 20, 24)), "FLAIR": _image((28, 32, 20), 1)}
    told = []
    together = encode_tiles(network, images, Tiling(16, 0.25, "float32", CPU, batch=3), told.append)
    for name, image in images.items():
        alone = encode_tiles(network, {name: image}, Tiling(16, 0.25, "float32", CPU), lambda name: None)
        torch.testing.assert_close(together[name], alone[name], rtol=1e-4, atol=1e-5)
        count = Tiling(16, 0.25, "float32", CPU).count(tuple(image.shape), network.config.stride)
        assert told.count(name) == count


@pytest.mark.parametrize("shape", [(40, 20, 24), (6, 10, 22)])
def test_what_is_asked_for_is_what_all_tiles_say_there(shape, monkeypatch):
    """Elsewhere nothing is computed: what lies there is what the memory held."""
    network, image = _network(patch=2, fusion="deep_sets", embedding=5).eval(), _image(shape)
    tiling = Tiling(16, 0.25, "float32", CPU)
    every = encode_tiles(network, {"T1": image}, tiling, lambda name: None)["T1"]
    where = _image(every.shape[1:], 3) > 0.5
    monkeypatch.setattr(torch, "empty", lambda shape, **more: torch.full(shape, torch.nan, **more))
    asked = encode_tiles(network, {"T1": image}, tiling, lambda name: None, where={"T1": where})["T1"]
    torch.testing.assert_close(asked.movedim(0, -1)[where], every.movedim(0, -1)[where])
    assert asked.movedim(0, -1)[~where].isnan().all()


def test_terms_of_a_patch_lie_where_their_voxels_lie():
    """A network that folds the image and says it again: unfolded, the blended terms are the image."""
    network = _network(patch=2)
    network.terms = lambda image, modality, where: fold(image, 2)
    image = _image((20, 24, 36))
    terms = encode_tiles(network, {"T1": image}, Tiling(16, 0.25, "float32", CPU), lambda name: None)["T1"]
    assert terms.shape == (8, 10, 12, 18)
    torch.testing.assert_close(unfold(terms[None], 2)[0, 0], image)


def test_a_volume_smaller_than_its_tile_comes_back_in_its_own_shape():
    network = _network(patch=2, channels=(4, 8, 8))
    terms = encode_tiles(
        network, {"T1": _image((6, 10, 22))}, Tiling(64, 0.25, "float32", CPU), lambda name: None
    )
    assert terms["T1"].shape == (4 * 8 + 1, 3, 5, 11)
