"""`napari-rdl bench methods`: what a patch costs the comparison methods, beside ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
    precision: Annotated[
        Literal["auto", "float32", "bf16", "fp16"],
        typer.Option(help="float32, bf16, fp16, or auto: what the device multiplies quickest."),
    ] = "float32",
    patient: Annotated[
        Path | None, typer.Option(help="A patient's folder: it is segmented once with each, instead.")
    ] = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Time one patch of each method's network, all in one run.

    From the images of all modalities, and of one, to logits; and what one more subset costs then. Fresh
    weights (but ours), sizes as published. With --patient, from a patient's images to labels,
    with the sliding windows of each method's public test script.
    """
    if patient is not None:
        _of_patient(patient, names, threads, device, precision, model, as_json)
        return
    with stdout_for_results(), progress_bar("Methods") as progress:
        from napari_rdl.bench.methods import measure_methods
        from napari_rdl.models import load_model
        from napari_rdl.models.registry import METHODS

        times = measure_methods(
            names or METHODS,
            edge=edge,
            rounds=rounds,
            device=device,
            precision=precision,
            threads=threads,
            model=load_model(model),
            progress=progress,
        )
    if as_json:
        write_json(times.model_dump(mode="json"))
    else:
        _show(times)


def _of_patient(
    patient: Path,
    names: list[str] | None,
    threads: int,
    device: str,
    precision: str,
    model: str | None,
    as_json: bool,
) -> None:
    with stdout_for_results(), progress_bar("Methods") as progress:
        from napari_rdl.bench.methods_patient import measure_patient
        from napari_rdl.case import load_case
        from napari_rdl.models import load_model
        from napari_rdl.models.importing import PUBLISHED

        times = measure_patient(
            load_case(patient),
            names or PUBLISHED,
            load_model(model),
            device=device,
            precision=precision,
            threads=threads,
            progress=progress,
        )
    if as_json:
        write_json(times.model_dump(mode="json"))
        return
    from rich.console import Console
    from rich.table import Table

    title = f"{times.patient}, {times.device}, {times.precision}, {times.threads} threads"
    table = Table("method", "windows", "all modalities", "a further subset", "of ours", title=title)
    for row in times.rows:
        table.add_row(
            row.method,
            f"{row.windows} of {row.edge}³, {row.overlap:.0%} overlap",
            f"{row.seconds:.1f} s",
            f"{row.more_seconds:.1f} s",
            f"{row.ratio:.2f}",
        )
    Console(file=sys.stdout).print(table)


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
        title=f"{times.edge}³ voxels, {times.device}, {times.precision}, {times.threads} threads, "
        f"medians of {times.rounds}",
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
