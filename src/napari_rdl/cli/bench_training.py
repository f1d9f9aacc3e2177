"""`napari-rdl bench train`: how fast a training goes, and what waits for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.cli.console import progress_bar, stdout_for_results, write, write_json
from napari_rdl.cli.options import Json
from napari_rdl.cli.train import named_data

if TYPE_CHECKING:
    from napari_rdl.bench.training import StepTimes


def train(
    recipe: Annotated[str | None, typer.Option(help="A recipe's name, or a TOML file.")] = "shipped",
    data: Annotated[list[str] | None, typer.Option(help="As in `napari-rdl train`.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, such as optimizer.batch=8.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps that are timed.")] = 5,
    as_json: Json = False,
) -> None:
    """Measure the steps of a training, part by part.

    Waiting for crops, the network, its losses, the gradients, the optimiser: medians over the first steps
    of a run of which nothing is kept.
    """
    with stdout_for_results(), progress_bar("Training steps") as progress:
        from napari_rdl.bench.training import measure_training
        from napari_rdl.training.recipe import load_recipe

        named = named_data(data or ["phantom:2"], ["phantom:1:held-out"])
        times = measure_training(load_recipe(recipe, changes or (), **named), steps, progress=progress)
    if as_json:
        write_json(times.model_dump(mode="json"))
    else:
        _show(times)


def _show(times: StepTimes) -> None:
    crop = " x ".join(map(str, times.crop))
    write(
        f"{times.batch} crop(s) of {crop} a step; {times.device}, {times.precision}, {times.threads} threads"
    )
    write(
        f"  step {times.seconds:8.3f} s   {times.crops_per_second:.2f} crops/s, "
        f"peak {times.memory_mb:.0f} MB, {times.tflop:.3g} TFLOP"
    )
    for name, seconds in times.parts.items():
        write(f"  {name:<10} {seconds:8.3f} s   {seconds / times.seconds:4.0%}")
    write(f"  waits for data {times.waiting_share:.0%} of the time")
