"""What the benchmarks have in common at the shell: where their figures go, and pages of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.callbacks import Progress
from napari_rdl.cli.console import write, write_json

if TYPE_CHECKING:
    from napari_rdl.bench.figures import Figures

Results = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Also write the figures as JSON, from which `bench pages` makes the pages.",
        show_default=False,
    ),
]


def patient_of(case: Path | None, progress: Progress) -> Path:
    """Return the folder given, or the sample patient's, made if it is not there."""
    from napari_rdl.phantom import sample_patient_folder

    return case if case is not None else sample_patient_folder(progress)


def deliver(figures: Figures, out: Path | None, as_json: bool) -> None:
    """Show figures, and write them where that was asked for."""
    if out is not None:
        figures.write(out)
    if as_json:
        write_json(figures.model_dump(mode="json"))
        return
    from rich.console import Console
    from rich.table import Table

    from napari_rdl.bench.pages import cells_of

    table = Table("what", "median", "95th percentile", "at most", "", title=f"{figures.kind}: {figures.on}")
    for row in figures.rows:
        table.add_row(*cells_of(row))
    Console(file=sys.stdout).print(table)
    for note in figures.notes:
        write(note)


def pages(
    folder: Annotated[Path, typer.Argument(metavar="[DOCS]", help="The folder of the documentation.")] = Path(
        "docs"
    ),
) -> None:
    """Make the pages on speed and on reliability from the figures that are kept beside them.

    Figures lie in DOCS/figures, one JSON file a command; the rows of the page on reliability in
    DOCS/reliability.csv, and the drawn damage in DOCS/faults.csv.
    """
    from napari_rdl.bench.pages import write_pages

    for path in write_pages(folder):
        write(path)
