"""`napari-rdl bench steps`, `bench roofline` and `bench growth`: where time and memory go."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_rdl.cli.bench_figures import Results, deliver, patient_of
from napari_rdl.cli.bench_window import PatientFolder
from napari_rdl.cli.console import progress_bar, say, stdout_for_results
from napari_rdl.cli.display import reason_for_no_window
from napari_rdl.cli.options import Json

Repeats = Annotated[int, typer.Option(min=1, help="Rounds; medians over them are told.")]


def steps(
    case: PatientFolder = None, repeats: Repeats = 3, out: Results = None, as_json: Json = False
) -> None:
    """Take `predict` apart, from the command to the result, and napari until a widget can be used."""
    reason = reason_for_no_window()
    if reason is not None:
        say(f"napari is not measured: {reason}.")
    with stdout_for_results(), progress_bar("Steps") as progress:
        from napari_rdl.bench.steps import measure_steps

        found = measure_steps(patient_of(case, progress), repeats, window=reason is None, progress=progress)
    deliver(found, out, as_json)


def roofline(
    case: PatientFolder = None, repeats: Repeats = 3, out: Results = None, as_json: Json = False
) -> None:
    """Measure which share of the processor's peak encoding reaches, and where the rest goes."""
    with stdout_for_results(), progress_bar("Roofline") as progress:
        from napari_rdl.bench.roofline import measure_roofline

        found = measure_roofline(patient_of(case, progress), repeats, progress=progress)
    deliver(found, out, as_json)


def growth(out: Results = None, as_json: Json = False) -> None:
    """Measure how time and memory grow with modalities, subsets, voxels and patients."""
    with stdout_for_results(), progress_bar("Growth") as progress:
        from napari_rdl.bench.growth import measure_growth

        found = measure_growth(progress=progress)
    deliver(found, out, as_json)
