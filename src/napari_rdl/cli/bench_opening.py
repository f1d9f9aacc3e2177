"""`napari-rdl bench opening`: how long a patient takes to open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.cli.bench_figures import Results
from napari_rdl.cli.console import progress_bar, stdout_for_results, write, write_json
from napari_rdl.cli.options import Json


def opening(
    case: Annotated[
        str | None,
        typer.Argument(metavar="[CASE]", help="A patient's folder; the sample patient by default."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; medians over them are told.")] = 5,
    out: Results = None,
    as_json: Json = False,
) -> None:
    """Open a patient, and read the same files with nibabel alone, in turns."""
    with stdout_for_results(), progress_bar("Opening") as progress:
        from napari_rdl.bench.opening import measure_opening
        from napari_rdl.bench.report import OPENING_LIMIT
        from napari_rdl.phantom import sample_patient_folder

        folder = Path(case) if case else sample_patient_folder(progress)
        found = measure_opening(folder, repeats, progress)
        if out is not None:
            from napari_rdl.bench.report_figures import opening_figures

            opening_figures(found, folder.name, repeats).write(out)
    if as_json:
        write_json(found.model_dump(mode="json"))
        return
    write(
        f"  opening {found.images} images   {found.seconds:8.2f} s   "
        f"ratio {found.ratio:.2f} of nibabel's {found.nibabel_seconds:.2f} s (at most {OPENING_LIMIT:.2f}); "
        f"of processor time {found.cpu_ratio:.2f}"
    )
