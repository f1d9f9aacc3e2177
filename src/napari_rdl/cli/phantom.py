"""`napari-rdl phantom`: synthetic patients as BraTS folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.cli.console import progress_bar, write
from napari_rdl.cli.options import Out
from napari_rdl.errors import ConfigError
from napari_rdl.files import refuse_unusable_folder

EACH = "each"
"""What --tumour calls all types, one after the other."""


def phantom(
    out: Out,
    count: Annotated[int, typer.Option(min=1, help="How many patients.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="The first patient's seed; the others count up from it.")
    ] = 0,
    spacing: Annotated[
        float, typer.Option(min=0.5, max=4.0, help="Voxel size in mm; 1 is BraTS size.")
    ] = 1.0,
    tumour: Annotated[
        str | None,
        typer.Option(help="A tumour type for all, or 'each' for the types in turn; drawn by default."),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also draw a contact sheet of patients and truth.")
    ] = None,
) -> None:
    """Write synthetic patients with truth.

    Each is a folder as in BraTS 2021.
    """
    from napari_rdl.phantom import TUMOUR_TYPES, make_phantom, save_sheet, write_phantom

    if tumour is not None and tumour not in (*TUMOUR_TYPES, EACH):
        raise ConfigError(f"--tumour {tumour}: use {', '.join(TUMOUR_TYPES)} or {EACH}.")
    refuse_unusable_folder(out)
    patients = []
    with progress_bar("Making patients") as progress:
        for index in range(count):
            progress(index, count, f"{index + 1} of {count}")
            kind = TUMOUR_TYPES[index % len(TUMOUR_TYPES)] if tumour == EACH else tumour
            patient = make_phantom(seed + index, spacing=spacing, tumour=kind)
            write(write_phantom(patient, out))
            if sheet is not None:
                patients.append(patient)
    if sheet is not None:
        write(save_sheet(patients, sheet, across=2 if len(patients) > 10 else 1))
