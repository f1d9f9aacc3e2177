"""`napari-rdl bench viewer` and `bench soak`: a window driven as a user would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.cli.bench_figures import Results, deliver, patient_of
from napari_rdl.cli.console import progress_bar, stdout_for_results
from napari_rdl.cli.display import reason_for_no_window
from napari_rdl.cli.options import Json
from napari_rdl.errors import ConfigError

PatientFolder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[CASE]", help="A patient's folder; the sample patient by default.", show_default=False
    ),
]


def viewer(
    case: PatientFolder = None,
    repeats: Annotated[int, typer.Option(min=2, help="Flips of each kind, and frames in 3D.")] = 20,
    out: Results = None,
    as_json: Json = False,
) -> None:
    """Measure speed as it is felt: opening, the first labels, flips, side by side, 3D, and memory."""
    _refuse_without_window()
    with stdout_for_results(), progress_bar("Viewer") as progress:
        from napari_rdl.bench.felt import measure_in_window

        found = measure_in_window(patient_of(case, progress), repeats, progress=progress)
    deliver(found, out, as_json)


def soak(
    case: PatientFolder = None,
    flips: Annotated[int, typer.Option(min=1, help="In all, shared among the patients.")] = 200,
    patients: Annotated[int, typer.Option(min=2, help="Opened one after the other.")] = 20,
    runs: Annotated[int, typer.Option(min=0, help="Trainings that go on and are watched.")] = 2,
    out: Results = None,
    as_json: Json = False,
) -> None:
    """Work through many patients in one window, and count memory, file handles and threads."""
    _refuse_without_window()
    with stdout_for_results(), progress_bar("Soak") as progress:
        from napari_rdl.bench.felt import measure_soak

        found = measure_soak(case, flips=flips, patients=patients, runs=runs, progress=progress)
    deliver(found, out, as_json)


def _refuse_without_window() -> None:
    reason = reason_for_no_window()
    if reason is not None:
        raise ConfigError(f"No window can be opened: {reason}.")
