"""Two processes (gloo) against one at the same global batch: gradients and throughput.

    python training/measure_distributed.py --recipe brats2018 --set data.crop=[32,32,32] --out result.json

The same step of the same run is taken by one process and by two that share its batch. Gradients are read
from Adam's first moment, which after one step is a tenth of them. Throughput is the median over the steps
after that, worth something on an idle machine alone (``--steps 0`` leaves it out); each process computes on
one thread.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from safetensors.torch import load_file

from napari_rdl.cli.app import run_script
from napari_rdl.training.recipe import load_recipe, validate_config
from napari_rdl.training.run.session import run_training


def main(
    recipe: Annotated[str, typer.Option(help="Recipe: a name or a TOML file.")] = "brats2018",
    data: Annotated[str, typer.Option(help="Folder of patients, split file, or phantom:N.")] = "phantom:4",
    changes: Annotated[list[str] | None, typer.Option("--set", help="A setting of the recipe.")] = None,
    batch: Annotated[int, typer.Option(help="Crops of a step over all processes; even.")] = 4,
    steps: Annotated[
        int, typer.Option(min=0, help="Steps that are timed, after one that is not; 0 times none.")
    ] = 6,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    config: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Compare and time one process and two."""
    if config is not None:
        # Started by ourselves, once in each process.
        loaded = validate_config(json.loads(config.read_text("utf-8")), str(config))
        run_training(loaded, config.parent / "run")
        return
    common = [
        *(changes or ()),
        *("data.workers=0", "hardware.device=cpu", "hardware.threads=1", f"optimizer.batch={batch}"),
        *("validation.every=1000000", "validation.patients=1", "run.log_every=1"),
    ]
    result: dict[str, Any] = {
        "command": " ".join(["python", *sys.argv]),
        "batch": batch,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    with tempfile.TemporaryDirectory() as folder:
        for processes in (1, 2):
            for part, count in (("gradients", 1), *((("speed", steps + 1),) if steps else ())):
                here = Path(folder) / f"{part}-{processes}"
                here.mkdir()
                settings = [*common, f"hardware.devices={processes}", f"optimizer.max_steps={count}"]
                start(load_recipe(recipe, settings, data__source=data).model_dump_json(), here, processes)
            if steps:
                speed = crops_per_second(Path(folder) / f"speed-{processes}" / "run")
                result[f"crops_per_s_{processes}"] = speed
        states = [
            load_file(Path(folder) / f"gradients-{count}" / "run" / "state.safetensors") for count in (1, 2)
        ]
    result |= compare(*states)
    if steps:
        result["speed_up"] = result["crops_per_s_2"] / result["crops_per_s_1"]
    text = json.dumps(result, indent=1)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", "utf-8")
    typer.echo(text)


def start(config: str, folder: Path, processes: int) -> None:
    """Run a configuration to its end in `processes` processes."""
    path = folder / "config.json"
    path.write_text(config, "utf-8")
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    subprocess.run([*launcher, __file__, "--config", str(path)], check=True)


def crops_per_second(run: Path) -> float:
    """Return the median speed after the first step."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return float(np.median([line["samples_per_s"] for line in lines if "samples_per_s" in line][1:]))


def compare(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return how far the gradients of all parameters are apart."""
    names = sorted(name for name in one if name.endswith("/exp_avg"))
    difference = torch.cat([(one[name] - two[name]).flatten() for name in names])
    reference = torch.cat([one[name].flatten() for name in names])
    return {
        "parameters": len(reference),
        "relative_difference": float(difference.norm() / reference.norm()),
        "largest_difference": float(difference.abs().max() / reference.abs().max()),
        "within_rtol_1e-3_atol_1e-6": bool(
            all(torch.allclose(two[name], one[name], rtol=1e-3, atol=1e-6) for name in names)
        ),
    }


if __name__ == "__main__":
    run_script(main)
