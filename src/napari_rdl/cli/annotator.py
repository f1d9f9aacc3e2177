"""`napari-rdl bench annotator`: what strokes are worth, measured with a simulated annotator."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.cli.console import progress_bar, stdout_for_results, write_json
from napari_rdl.cli.options import Device, Json, Model
from napari_rdl.errors import ConfigError

if TYPE_CHECKING:
    from napari_rdl.bench import AnnotatorReport


def annotator(
    data: Annotated[
        list[str], typer.Argument(metavar="DATA...", help="Folders of patients with masks, or phantom:N.")
    ],
    model: Model = None,
    modalities: Annotated[
        str, typer.Option(metavar="T1,FLAIR", help="What the start is made from, and all that tools see.")
    ] = "T1",
    count: Annotated[
        int | None,
        typer.Option(
            "--count", min=1, metavar="N", help="The first N patients of each DATA; all by default."
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write each patient's figures as CSV.", show_default=False),
    ] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Let a simulated annotator correct a poor start with strokes.

    Each stroke goes into the largest error. Dice after 0, 1, 3, 5 and 10 strokes, for a brush, a random
    walker on intensities, and refinement from scribbles.
    """
    with stdout_for_results(), progress_bar("Annotator") as progress:
        from napari_rdl.bench import measure_annotator
        from napari_rdl.brats import parse_subset
        from napari_rdl.cohort.patients import patients_of
        from napari_rdl.files import write_text
        from napari_rdl.models import load_model
        from napari_rdl.segment import SegmentSettings

        loaded = load_model(model)
        try:
            subset = parse_subset(modalities, loaded.card.network.modalities)
        except ValueError as error:
            raise ConfigError(f"--modalities: {error}") from None
        patients = [patient for source in data for patient in patients_of(source)[:count]]
        report = measure_annotator(
            patients, loaded, subset, SegmentSettings(device=device), progress=progress
        )
        if csv is not None:
            write_text(csv, report.as_csv())
    if as_json:
        write_json(report.model_dump(mode="json"))
    else:
        _show(report)


def _show(report: AnnotatorReport) -> None:
    from rich.console import Console
    from rich.table import Table

    count = len({row.patient for row in report.rows})
    patients = f"{count} patient{'' if count == 1 else 's'}"
    table = Table(
        "tool",
        "strokes",
        "WT",
        "TC",
        "ET",
        "shown slice",
        "volume",
        title=f"{report.model} from {report.subset}: mean Dice of {patients}",
    )
    last = None
    for mean in report.means():
        if last is not None and mean.tool != last:
            table.add_section()
        table.add_row(
            "" if mean.tool == last else mean.tool,
            str(mean.strokes),
            *(f"{value:.3f}" for value in (mean.wt, mean.tc, mean.et)),
            *("" if value is None else f"{value:.2f} s" for value in (mean.slice_seconds, mean.seconds)),
        )
        last = mean.tool
    Console(file=sys.stdout).print(table)
