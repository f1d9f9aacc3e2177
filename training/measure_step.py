"""Time, peak memory and FLOPs of one training step: fifteen subsets against one, with and without L_MI.

    python training/measure_step.py --recipe brats2018 --batch 1 --out training/results/step-cpu.json

Every variant runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from napari_rdl.cli.app import run_script
from napari_rdl.models import build_network
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.subsets import draw_proper_subset, draw_subsets, subset_matrix
from napari_rdl.training.losses import Objective
from napari_rdl.training.recipe import load_recipe


def main(
    recipe: Annotated[str, typer.Option(help="Recipe: a name or a TOML file.")] = "brats2018",
    batch: Annotated[int, typer.Option(help="Crops.")] = 1,
    steps: Annotated[int, typer.Option(help="Steps that are timed, after one that is not.")] = 5,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    subsets: Annotated[int, typer.Option(hidden=True)] = -1,
    transfer: Annotated[bool, typer.Option(hidden=True)] = True,
) -> None:
    """Measure the step of a recipe; its crop size is the recipe's."""
    config = load_recipe(recipe, ["data.source=phantom:1"])
    if subsets >= 0:
        typer.echo(json.dumps(measure(config, batch, steps, device, threads, subsets, transfer)))
        return
    results: dict[str, object] = {
        "command": " ".join(["python", *sys.argv]),
        "recipe": recipe,
        "crop": config.data.crop,
        "batch": batch,
        "device": torch.cuda.get_device_name()
        if device == "cuda"
        else f"{platform.machine()}, {threads} threads",
        "torch": torch.__version__,
        "gflop_per_step": flops_per_step(config, batch) / 1e9,
    }
    for with_transfer in (True, False):
        pair = {}
        for name, count in (("fifteen", 0), ("single", 1)):
            words = ["--recipe", recipe, "--batch", str(batch), "--steps", str(steps), "--device", device]
            words += ["--threads", str(threads), "--subsets", str(count)]
            words += ["--transfer" if with_transfer else "--no-transfer"]
            done = subprocess.run(
                [sys.executable, __file__, *words], check=True, capture_output=True, text=True
            )
            pair[name] = json.loads(done.stdout.splitlines()[-1])
        pair["ratio"] = pair["fifteen"]["seconds"] / pair["single"]["seconds"]
        # On a machine that does other work too, wall time says more of that work than of the step.
        pair["cpu_ratio"] = pair["fifteen"]["cpu_seconds"] / pair["single"]["cpu_seconds"]
        results["with L_MI" if with_transfer else "without L_MI"] = pair
    text = json.dumps(results, indent=1)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", "utf-8")
    typer.echo(text)


def measure(
    config: TrainingConfig, batch: int, steps: int, device: str, threads: int, subsets: int, transfer: bool
) -> dict[str, float]:
    """Return a step's median seconds by the clock and of CPU, and the peak memory, of the GPU if used."""
    torch.set_num_threads(threads)
    step = make_step(config, batch, config.data.crop, device, subsets, transfer)
    times, cpu_times = [], []
    for number in range(steps + 1):
        started, cpu_started = time.perf_counter(), time.process_time()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        if number:
            times.append(time.perf_counter() - started)
            cpu_times.append(time.process_time() - cpu_started)
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 1e6
    else:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "seconds": float(np.median(times)),
        "slowest": max(times),
        "cpu_seconds": float(np.median(cpu_times)),
        "peak_mb": peak,
    }


def make_step(
    config: TrainingConfig, batch: int, crop: Sequence[int], device: str, subsets: int, transfer: bool
) -> Callable[[], None]:
    """Return a function that takes one step on random crops."""
    loss = config.loss if transfer else config.loss.model_copy(update={"mutual_information": 0.0})
    torch.manual_seed(0)
    network: Any = build_network(config.network)
    objective = Objective(network, loss).to(device)
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-4)
    modalities = config.network.modalities
    images = torch.randn(batch, len(modalities), *crop, device=device)
    labels = torch.randint(0, len(config.network.classes), (batch, *crop), device=device)
    present = torch.ones(batch, len(modalities), dtype=torch.bool)
    rngs = [np.random.default_rng(number) for number in range(batch)]
    matrix = subset_matrix(modalities)
    drawn = (*draw_subsets(matrix, present, subsets, rngs), *draw_proper_subset(matrix, present, rngs))
    given = [tensor.to(device) for tensor in (present, *drawn)]

    def step() -> None:
        optimizer.zero_grad()
        objective(images, labels, *given).total.backward()
        optimizer.step()

    return step


def flops_per_step(config: TrainingConfig, batch: int) -> float:
    """Return the floating-point operations of a step: counted on a small crop, scaled by its voxels."""
    edge = 2 * config.network.stride
    step = make_step(config, 1, (edge,) * 3, "cpu", 0, True)
    with FlopCounterMode(display=False) as counter:
        step()
    return batch * counter.get_total_flops() * float(np.prod(config.data.crop)) / edge**3


if __name__ == "__main__":
    run_script(main)
