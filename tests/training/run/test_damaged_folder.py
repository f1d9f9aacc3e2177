"""A run folder that was damaged or edited is refused in a sentence and stays as it is."""

import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_rdl.errors import CheckpointError, ConfigError
from napari_rdl.training.run.session import resume_training
from napari_rdl.training.step.state import STATE_KEY


def spoil_about(key, value):
    def spoil(about, tensors):
        *parts, last = key.split(".")
        place = about
        for part in parts:
            place = place[part]
        place[last] = value

    return spoil


def drop_about(key):
    return lambda about, tensors: about.pop(key)


def drop_tensor(beginning):
    def spoil(about, tensors):
        del tensors[next(name for name in tensors if name.startswith(beginning))]

    return spoil


def put_tensor(name, value):
    return lambda about, tensors: tensors.update({name: value})


@pytest.mark.parametrize(
    "spoil",
    [
        *map(drop_about, ("config", "position", "param_groups", "optimizer_scalars", "scaler", "random")),
        spoil_about("position", []),
        spoil_about("position.step", -3),
        spoil_about("position.step", "x"),
        spoil_about("position.crops", [1]),
        spoil_about("position.seconds", "long"),
        spoil_about("random.python", [3, [1, 2], None]),
        spoil_about("random.python", 3),
        spoil_about("random.numpy", ["MT19937", [1], 0, 0, 0.0]),
        spoil_about("random.numpy", ["none", [], 0, 0, 0.0]),
        spoil_about("param_groups", [{}]),
        spoil_about("param_groups", 3),
        spoil_about("optimizer_scalars", {"x": {}}),
        drop_tensor("model/"),
        drop_tensor("random/torch"),
        put_tensor("model/stranger", torch.zeros(1)),
        put_tensor("random/torch", torch.zeros(3)),
        put_tensor("optimizer/x", torch.zeros(1)),
        put_tensor("optimizer/x/y", torch.zeros(1)),
    ],
)
def test_a_state_that_is_none_is_refused_in_a_sentence(halfway, tmp_path, spoil):
    out = tmp_path / "spoilt"
    shutil.copytree(halfway, out)
    state = out / "state.safetensors"
    with safe_open(state, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()[STATE_KEY])
    spoil(about, tensors)
    save_file(tensors, state, {STATE_KEY: json.dumps(about)})
    before = state.read_bytes()
    with pytest.raises(CheckpointError, match=r"state\.safetensors") as caught:
        resume_training(out)
    assert "\n" not in str(caught.value)
    assert state.read_bytes() == before


@pytest.mark.parametrize("name", ["config.json", "split.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"[" * 100_000, b"9" * 5_000, b"[]", b"null", b'{"data": 3}'],
    ids=lambda content: repr(content[:12]),
)
def test_a_run_folder_that_is_none_is_refused_in_a_sentence(halfway, tmp_path, name, content):
    out = tmp_path / "spoilt"
    shutil.copytree(halfway, out)
    (out / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        resume_training(out)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
