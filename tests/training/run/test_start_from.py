"""Runs that begin with the weights of a checkpoint."""

import pytest
import torch

from napari_rdl.models import load_model
from napari_rdl.training.run.session import resume_training, run_training
from tests.training.run.conftest import assert_same, stop_after


@pytest.mark.parametrize("fusion", ["mean", "gated"])
def test_a_run_begins_with_the_weights_of_a_checkpoint(tiny_training, tiny_checkpoint, tmp_path, fusion):
    """A vanishing learning rate shows what the run began with; an absent gate begins as the mean."""
    run_training(
        tiny_training(
            f"start_from={str(tiny_checkpoint)!r}",
            f"network.fusion={fusion}",
            "optimizer.lr=1e-12",
            "optimizer.max_steps=1",
        ),
        tmp_path / "run",
    )
    trained = load_model(tmp_path / "run" / "last.safetensors")
    given = load_model(tiny_checkpoint).network.state_dict()
    found = trained.network.state_dict()
    for name, value in given.items():
        torch.testing.assert_close(found[name], value, atol=1e-9, rtol=0)
    assert {name.partition(".")[0] for name in found.keys() - given.keys()} == (
        {"gate"} if fusion == "gated" else set()
    )
    assert "tiny.safetensors" in trained.card.trained_on
    assert trained.card.recipe["start_from"] == "tiny.safetensors"


def test_fine_tuning_is_killed_and_resumed_without_its_first_checkpoint(
    tiny_training, tiny_checkpoint, tmp_path
):
    first = tmp_path / "first.safetensors"
    first.write_bytes(tiny_checkpoint.read_bytes())
    config = tiny_training(f"start_from={str(first)!r}")
    run_training(config, tmp_path / "straight")
    assert not run_training(config, tmp_path / "stopped", **stop_after(3)).finished
    first.unlink()
    assert resume_training(tmp_path / "stopped").finished
    assert_same(tmp_path / "straight", tmp_path / "stopped")
