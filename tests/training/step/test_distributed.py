"""Two processes on one machine (gloo) against one process with the same global batch."""

import os
import subprocess

import torch
from safetensors.torch import load_file

from napari_rdl.training.run.session import run_training

TOLERANCE = {"rtol": 1e-3, "atol": 1e-6}
"""Of gradients in float32: the order of sums differs."""


def test_two_processes_give_the_gradients_of_one(tiny_training, brats_folder, warm_python, tmp_path):
    """Of the four patients one lacks T2, so the processes' batches use different parameters."""
    changes = ("optimizer.batch=4", "optimizer.max_steps=1", f"data.validation={str(brats_folder)!r}")
    run_training(tiny_training(*changes), tmp_path / "one")
    config = tiny_training(*changes, "hardware.devices=2")
    (tmp_path / "config.json").write_text(config.model_dump_json())
    program = (
        "import json, logging, sys; logging.basicConfig(level=logging.INFO);"
        "from napari_rdl.training.recipe import validate_config;"
        "from napari_rdl.training.run.session import run_training;"
        "run_training(validate_config(json.load(open(sys.argv[1])), 'test'), sys.argv[2])"
    )
    words = [warm_python, "-c", program, str(tmp_path / "config.json"), str(tmp_path / "two")]
    # What torchrun tells the processes that it starts.
    group = {
        "TORCHELASTIC_RUN_ID": "none",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(27000 + os.getpid() % 2000),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "0",
    }
    processes = [
        subprocess.Popen(
            words,
            env={**os.environ, **group, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    first, second = (process.communicate(timeout=250)[1] for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert "Finished at step 1." in first
    assert "Finished at step 1." not in second
    one, two = (load_file(tmp_path / name / "state.safetensors") for name in ("one", "two"))
    # After the first step Adam's first moment is a tenth of the gradient.
    moments = [name for name in one if name.endswith("/exp_avg")]
    assert len(moments) > 20
    for name in moments:
        torch.testing.assert_close(two[name], one[name], **TOLERANCE)
    assert any(one[name].abs().max() > 1e-4 for name in moments)
