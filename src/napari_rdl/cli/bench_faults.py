"""`napari-rdl bench faults`: whether damaged files end in a sentence, or are read right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.cli.console import progress_bar, stdout_for_results, write, write_json
from napari_rdl.cli.options import Json


def faults(
    cases: Annotated[int, typer.Option(min=1, help="Damaged files of each kind.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each case as a row.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Damage files of every kind that is opened, and open them.

    Each has to be refused in one plain sentence, or what is read of it has to be right; nothing may be
    written, and nothing may take long. Files are made and damaged in a temporary folder.
    """
    with stdout_for_results(), progress_bar("Faults") as progress:
        from napari_rdl.bench.faults import measure_faults
        from napari_rdl.errors import NapariRdlError
        from napari_rdl.files import write_text

        report = measure_faults(cases, seed, progress=progress)
        if csv is not None:
            write_text(csv, report.as_csv())
    if as_json:
        write_json(report.model_dump(mode="json"))
    else:
        write(report.as_markdown())
    if report.broken:
        first = report.broken[0]
        raise NapariRdlError(
            f"{len(report.broken)} of {len(report.cases)} cases ended otherwise than in a sentence, the "
            f"first with {first.door}, case {first.number} ({first.damage}): {first.said}."
        )
