"""Checkpoints: the same bytes for the same model, and one sentence for whatever is wrong."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_rdl.errors import CheckpointError, OutputError
from napari_rdl.models import bundled_model_path, load_model, model_bytes, read_card, save_model
from napari_rdl.models.card import CARD_KEY
from napari_rdl.models.rdl.model import RobustNet


def test_a_checkpoint_comes_back_as_it_was(tiny_model, tmp_path):
    path = save_model(tmp_path / "deep" / "copy.safetensors", tiny_model.network, tiny_model.card)
    again = load_model(path)
    assert again.card == tiny_model.card
    assert again.sha256 == tiny_model.sha256
    assert path.read_bytes() == model_bytes(tiny_model.network, tiny_model.card)
    for name, value in tiny_model.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])
    assert not again.network.training
    assert [other.name for other in path.parent.iterdir()] == ["copy.safetensors"]


def test_the_bundled_weights_load_and_say_what_they_are():
    model = load_model()
    assert model.path == bundled_model_path()
    assert "synthetic" in model.card.trained_on.lower()
    assert "Research" in model.card.intended_use
    assert model.path.stat().st_size <= 16e6


def _rewritten(tiny_checkpoint, tmp_path, *, card=None, drop=None, add=None, reshape=None, poison=None):
    tensors = load_file(tiny_checkpoint)
    if drop:
        del tensors[drop]
    if add:
        tensors[add] = torch.zeros(1)
    if reshape:
        tensors[reshape] = torch.zeros(2, 2)
    if poison:
        tensors[poison][0] = torch.nan
    metadata = {CARD_KEY: read_card(tiny_checkpoint).model_dump_json() if card is None else card}
    path = tmp_path / "altered.safetensors"
    save_file(tensors, path, metadata=metadata if card != "" else None)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"drop": "head.bias"}, "lacks 1 tensors, such as 'head.bias'"),
        ({"add": "tail.bias"}, "1 tensors too many, such as 'tail.bias'"),
        ({"reshape": "head.bias"}, r"'head.bias' with shape \(2, 2\)"),
        ({"poison": "head.bias"}, "not finite in 'head.bias'"),
        ({"card": ""}, "without a napari-rdl model card"),
        ({"card": "{"}, "does not fit this version"),
        ({"card": json.dumps({"name": "x"})}, "at network"),
    ],
)
def test_altered_checkpoints_are_refused(tiny_checkpoint, tmp_path, changes, words):
    path = _rewritten(tiny_checkpoint, tmp_path, **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def test_another_architecture_is_refused(tiny_checkpoint, tmp_path):
    card = read_card(tiny_checkpoint)
    other = card.model_copy(update={"network": card.network.model_copy(update={"channels": (8, 8)})})
    path = _rewritten(tiny_checkpoint, tmp_path, card=other.model_dump_json())
    with pytest.raises(CheckpointError, match="architecture"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"no tensors at all", b"\x80\x04pickle", b"\xff" * 64])
def test_what_is_no_safetensors_file_is_refused(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as a safetensors file"):
        load_model(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"There is no checkpoint at .*\(.*shipped.*\)"):
        load_model(tmp_path / "nowhere.safetensors")


def test_a_folder_that_cannot_be_written_leaves_nothing(tiny_model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose a folder"):
        save_model(tmp_path / "file" / "model.safetensors", tiny_model.network, tiny_model.card)


def test_saving_does_not_disturb_the_network(tiny_config):
    network = RobustNet(tiny_config)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    from napari_rdl.models import ModelCard

    model_bytes(network, ModelCard(name="x", network=tiny_config, spacing=(1, 1, 1)))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


DEEP = "[" * 100_000
LONG = "9" * 5_000


@pytest.mark.parametrize(
    "change",
    [
        *({"spacing": [1, 1, value]} for value in (0, -2, 1e9, 1e-9, "NaN", "x", None)),
        {"spacing": [1, 1]},
        *({"channels": [16, value]} for value in (800_000, -16, 0, 1.5)),
        {"channels": [16] * 9},
        {"channels": []},
        {"gate_bound": 1e300},
        {"groups": 0},
        {"encoder_blocks": 10**9},
        {"modalities": [f"m{number}" for number in range(30)]},
        {"modalities": ["\x1b[2J"]},
        {"classes": ["x"] * 10_000},
        {"method": "../x"},
        {"tile": 10**7},
        {"tile": 0},
        {"name": "x" * 10_000},
        {"steps": -1},
    ],
    ids=str,
)
def test_a_cards_numbers_have_bounds(tiny_checkpoint, tmp_path, change):
    card = json.loads(read_card(tiny_checkpoint).model_dump_json())
    for key, value in change.items():
        (card if key in card else card["network"])[key] = value
    path = _rewritten(tiny_checkpoint, tmp_path, card=json.dumps(card))
    with pytest.raises(CheckpointError, match="does not fit this version") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "card",
    [
        DEEP,
        '{"x":' * 100_000,
        LONG,
        f'{{"steps": {LONG}}}',
        '{"spacing": [NaN, 1, 1]}',
        "[]",
        "null",
        "3",
        "\x00",
    ],
    ids=["deep list", "deep object", "long number", "long steps", "NaN", "list", "null", "number", "NUL"],
)
def test_what_is_no_card_is_refused(tiny_checkpoint, tmp_path, card):
    path = _rewritten(tiny_checkpoint, tmp_path, card=card)
    with pytest.raises(CheckpointError, match="does not fit this version"):
        load_model(path)


@pytest.mark.parametrize("spacing", ["NaN", "Infinity", "-Infinity"])
def test_a_spacing_that_is_no_number_is_refused(tiny_checkpoint, tmp_path, spacing):
    card = json.loads(read_card(tiny_checkpoint).model_dump_json())
    text = json.dumps({**card, "spacing": [1, 1, 77]}).replace("77", spacing)
    with pytest.raises(CheckpointError, match="at spacing"):
        load_model(_rewritten(tiny_checkpoint, tmp_path, card=text))


def test_tensors_of_whole_numbers_are_refused(tiny_checkpoint, tmp_path):
    tensors = load_file(tiny_checkpoint)
    tensors["head.bias"] = tensors["head.bias"].to(torch.int32)
    path = tmp_path / "whole.safetensors"
    save_file(tensors, path, metadata={CARD_KEY: read_card(tiny_checkpoint).model_dump_json()})
    with pytest.raises(CheckpointError, match=r"'head\.bias' as I32"):
        load_model(path)


CLAIM = """
import resource, sys
from napari_rdl.errors import CheckpointError
from napari_rdl.models import load_model

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_model(sys.argv[1])
before = peak()
try:
    load_model(sys.argv[2])
except CheckpointError as error:
    print((peak() - before) / 1024, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted otherwise")
def test_a_claim_that_the_file_does_not_hold_costs_no_memory(tiny_checkpoint, warm_python, tmp_path):
    card = json.loads(read_card(tiny_checkpoint).model_dump_json())
    card["network"] |= {"channels": [4096] * 8, "groups": 8}
    path = _rewritten(tiny_checkpoint, tmp_path, card=json.dumps(card))
    words = [warm_python, "-c", CLAIM, str(tiny_checkpoint), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    megabytes, _, said = done.stdout.partition(" ")
    assert "architecture" in said
    assert float(megabytes) < 100, "the claim is of tens of gigabytes"
