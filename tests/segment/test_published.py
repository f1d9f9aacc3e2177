"""The published methods segment a patient in all fifteen subsets, with the preparation of their cards."""

import numpy as np
import pytest
import torch

from napari_rdl.brats import SUBSETS
from napari_rdl.case import brain_mask, load_case
from napari_rdl.case.intensity import normalize, prepared
from napari_rdl.errors import CheckpointError
from napari_rdl.models import JointNetwork, ModelCard, load_model, save_model
from napari_rdl.models.card import Normalization
from napari_rdl.segment import SegmentSettings, encode

from ..published import TINY, tiny

PREPARATION = {
    "rfnet": "zscore-outside",
    "mmformer": "zscore-outside",
    "m3ae": "minmax-percentiles",
    "gmd": "minmax",
}


def save(folder, method, **said):
    network = tiny(method)
    card = ModelCard(
        name=method,
        method=method,
        network=network.config,
        spacing=(2.0, 2.0, 2.0),
        tile=32,
        normalization=PREPARATION[method],
        **said,
    )
    return load_model(save_model(folder / f"{method}.safetensors", network, card))


@pytest.mark.parametrize("method", TINY)
def test_all_fifteen_subsets_are_answered(method, brats_folder, tmp_path):
    case, model = load_case(brats_folder), save(tmp_path, method)
    found = encode(case, model, settings=SegmentSettings(device="cpu"))
    labels = {segmentation.modalities: segmentation.labels for segmentation in found.combine_all()}
    assert labels.keys() == set(SUBSETS)
    assert all(one.shape == case.grid.shape and one.max() <= 3 for one in labels.values())
    assert not np.array_equal(labels["T1",], labels["T1", "T1c", "T2", "FLAIR"])
    assert np.array_equal(found.label_slice(["T1c"], 2, 10), labels["T1c",][:, :, 10])
    # Only ours and GMD's encode once.
    assert isinstance(model.network, JointNetwork) == (method != "gmd")


@pytest.mark.parametrize("method", ["rfnet", "gmd"])
def test_a_subset_that_was_not_trained_is_refused(method, brats_folder, tmp_path):
    """Whether it would need a pass of its own or not."""
    model = save(tmp_path, method, trained_subsets=("T1c", "T1c+FLAIR"))
    found = encode(load_case(brats_folder), model, settings=SegmentSettings(device="cpu"))
    assert found.labels(["T1c"]).shape
    assert not found.at_once(["T2"])
    for ask in (
        lambda: found.labels(["T2"]),
        lambda: found.label_slice(["T2"], 2, 10),
        lambda: found.probabilities(["T2"]),
        lambda: list(found.combine_all()),
        lambda: list(found.labels_by_slab()),
    ):
        with pytest.raises(CheckpointError, match=r"never trained on .*: it knows T1c, T1c\+FLAIR\."):
            ask()


def test_outside_the_brain_a_network_sees_what_its_card_says(brats_folder, tmp_path):
    model = save(tmp_path, "rfnet")
    seen = []
    model.network.encoders[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    case = load_case(brats_folder)
    encode(case, model, settings=SegmentSettings(device="cpu")).labels(["FLAIR"])
    image = case.images["FLAIR"]
    inside = image[brain_mask(image)]
    corner = torch.stack([one.flatten()[0] for one in seen])
    assert corner.numpy() == pytest.approx(-inside.mean() / inside.std(), rel=1e-4)


@pytest.mark.parametrize("background", [0.0, -3.0])
def test_preparation_is_the_published_arithmetic(background):
    rng = np.random.default_rng(0)
    image = rng.normal(100, 20, (6, 7, 8)).astype(np.float32)
    mask = np.zeros(image.shape, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    image[~mask] = background
    inside = image[mask]
    low, high = np.percentile(inside, (1, 99))
    expected = {
        "zscore-brain": np.where(mask, normalize(image, mask), 0),
        "zscore-outside": (image - inside.mean()) / inside.std(),
        "minmax": (image - image.min()) / (image.max() - image.min()),
        "minmax-percentiles": (image.clip(low, high) - low) / (high - low),
    }
    assert expected.keys() == set(Normalization.__args__)
    for how, wanted in expected.items():
        values, outside = prepared(image, mask, how)
        assert np.allclose(values + np.float32(outside), wanted, atol=1e-5), how
        assert not values[~mask].any()


def test_an_image_of_one_value_is_nothing_and_an_unknown_way_is_refused():
    image = np.full((4, 4, 4), 7, np.float32)
    for how in Normalization.__args__:
        values, outside = prepared(image, np.ones(image.shape, bool), how)
        assert not values.any()
        assert outside == 0
    with pytest.raises(ValueError, match="no way to prepare"):
        prepared(image + np.arange(4, dtype=np.float32), np.ones(image.shape, bool), "other")
