"""`napari-rdl bench tasks`: ten tasks of an annotator, at the desk and on napari's Labels layer alone."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from napari_rdl.cli.console import progress_bar, stdout_for_results, write_json
from napari_rdl.cli.options import Json
from napari_rdl.errors import ConfigError


def tasks(
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic patient.")] = 2,
    as_json: Json = False,
) -> None:
    """Count what ten tasks take, with Correct labels and with napari's Labels layer alone.

    Strokes and clicks are the least that lead to the same labels; seconds are those of the keystroke-level
    model for the hand, and the program's own, measured.
    """
    with stdout_for_results(), progress_bar("Tasks") as progress:
        from napari_rdl.bench.tasks import measure_tasks
        from napari_rdl.brats import CLASSES
        from napari_rdl.phantom import make_phantom

        phantom = make_phantom(seed)
        missing = [name for value, name in enumerate(CLASSES) if not (phantom.classes == value).any()]
        if missing:
            raise ConfigError(f"The synthetic patient {seed} has no {missing[0]}: give another --seed.")
        rows = measure_tasks(phantom.classes, (1.0, 1.0, 1.0), progress)
    if as_json:
        write_json({"seed": seed, "tasks": [row.model_dump() for row in rows]})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "strokes", "clicks", "seconds", "bare: strokes", "clicks", "seconds")
    for row in rows:
        table.add_row(
            row.task,
            *(str(count) for count in (row.strokes, row.clicks)),
            f"{row.seconds:.1f}",
            *(str(count) for count in (row.bare_strokes, row.bare_clicks)),
            f"{row.bare_seconds:.0f}",
        )
    Console(file=sys.stdout).print(table)
