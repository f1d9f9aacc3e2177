"""Two processes on one machine (gloo) against one process with the same global batch."""

import subprocess
import sys

import torch
from safetensors.torch import load_file

from napari_rdl.training.run.session import run_training

TOLERANCE = {"rtol": 1e-3, "atol": 1e-6}
"""Of gradients in float32: the order of sums differs."""


def test_two_processes_give_the_gradients_of_one(tiny_training, brats_folder, tmp_path):
    """Of the four patients one lacks T2, so the processes' batches use different parameters."""
    changes = ("optimizer.batch=4", "optimizer.max_steps=1", f"data.validation={str(brats_folder)!r}")
    run_training(tiny_training(*changes), tmp_path / "one")
    config = tiny_training(*changes, "hardware.devices=2")
    (tmp_path / "config.json").write_text(config.model_dump_json())
    program = tmp_path / "two.py"
    program.write_text(
        "import json, sys\n"
        "from napari_rdl.training.recipe import validate_config\n"
        "from napari_rdl.training.run.session import run_training\n"
        "run_training(validate_config(json.load(open(sys.argv[1])), 'test'), sys.argv[2])\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*launcher, str(program), str(tmp_path / "config.json"), str(tmp_path / "two")], check=True
    )
    one, two = (load_file(tmp_path / name / "state.safetensors") for name in ("one", "two"))
    # After the first step Adam's first moment is a tenth of the gradient.
    moments = [name for name in one if name.endswith("/exp_avg")]
    assert len(moments) > 20
    for name in moments:
        torch.testing.assert_close(two[name], one[name], **TOLERANCE)
    assert any(one[name].abs().max() > 1e-4 for name in moments)
