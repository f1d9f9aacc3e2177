"""Methods: the card names one, and whoever has the card can build its network."""

import hashlib
import json

import pytest
from pydantic import ValidationError

from napari_rdl.errors import CheckpointError
from napari_rdl.models import (
    METHODS,
    ModelCard,
    NetworkConfig,
    build_network,
    bundled_model_path,
    bundled_model_with,
    bundled_models,
    bundled_name,
    load_model,
    model_path,
)
from napari_rdl.models.rdl.model import RobustNet


def test_a_card_without_a_method_is_of_the_papers_network(tiny_config):
    card = ModelCard.model_validate(
        {"name": "old", "network": tiny_config.model_dump(mode="json"), "spacing": (2, 2, 2)}
    )
    assert card.method == "rdl"
    assert card.network == tiny_config
    assert isinstance(build_network(card.network), RobustNet)


def test_a_card_keeps_all_of_its_methods_architecture(tiny_config):
    card = ModelCard(name="x", network=tiny_config, spacing=(2, 2, 2))
    again = ModelCard.model_validate_json(card.model_dump_json())
    assert again == card
    assert json.loads(card.model_dump_json())["network"]["channels"] == [4, 8]


def test_an_unknown_method_is_named():
    with pytest.raises(ValidationError, match="'other' is none of the methods rdl, rfnet"):
        ModelCard(name="x", method="other", network=NetworkConfig(), spacing=(2, 2, 2))


def test_bundled_weights_go_by_name(tmp_path, monkeypatch):
    assert bundled_models()[0] == "shipped"
    assert model_path() == model_path("shipped") == bundled_model_path("shipped")
    assert load_model("shipped").path == bundled_model_path()
    with pytest.raises(CheckpointError, match="No weights named 'nothing'"):
        bundled_model_path("nothing")
    # A file of the user's own goes before.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shipped").touch()
    assert str(model_path("shipped")) == "shipped"


def test_weights_of_synthetic_patients_alone_stay_available():
    assert "synthetic" in bundled_models()
    card = load_model("synthetic").card
    assert "no real scan was used" in card.trained_on
    assert card.training_patients == ()
    sizes = [bundled_model_path(name).stat().st_size for name in bundled_models()]
    assert sum(sizes) <= 16 * 2**20, "the package stays small"


def test_bundled_weights_are_known_by_their_bytes(tmp_path):
    path = bundled_model_path()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert bundled_model_with(digest) == path
    assert bundled_model_with("0" * 64) is None
    assert bundled_name(path) == "shipped"
    assert bundled_name(tmp_path / "shipped.safetensors") is None


def test_every_method_says_what_it_is():
    assert all(method.title and method.architecture().modalities for method in METHODS.values())
