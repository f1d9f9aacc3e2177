"""`napari-rdl bench methods`: what a patch costs the comparison methods, beside ours."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.cli.console import progress_bar, stdout_for_results, write_json
from napari_rdl.cli.options import Json, Model

if TYPE_CHECKING:
    from napari_rdl.bench.methods import MethodTimes


def methods(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="METHOD...", help="All comparison methods by default.")
    ] = None,
    edge: Annotated[int, typer.Option(min=8, help="Edge of the cube in voxels.")] = 80,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; medians over them are told.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the processor.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Time one patch of each method's network, all in one run.

    From the images of all modalities, and of one, to logits; and what one more subset costs then. Fresh
    weights (but ours), sizes as published, float32.
    """
    with stdout_for_results(), progress_bar("Methods") as progress:
        from napari_rdl.bench.methods import measure_methods
        from napari_rdl.models import load_model
        from napari_rdl.models.registry import METHODS

        times = measure_methods(
            names or METHODS,
            edge=edge,
            rounds=rounds,
            device=device,
            threads=threads,
            model=load_model(model),
            progress=progress,
        )
    if as_json:
        write_json(times.model_dump(mode="json"))
    else:
        _show(times)


def _show(times: MethodTimes) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "method",
        "parameters",
        "all modalities",
        "one",
        "a further subset",
        "of ours",
        title=f"{times.edge}³ voxels, {times.device}, {times.threads} threads, medians of {times.rounds}",
    )
    for row in times.rows:
        seconds = (row.all_seconds, row.one_seconds, row.more_seconds)
        table.add_row(
            row.method,
            f"{row.parameters:,}",
            *(f"{value:.3f} s" for value in seconds),
            f"{row.ratio:.2f}",
        )
    Console(file=sys.stdout).print(table)
