"""The worst failures as pictures, of synthetic patients, whose images may be shown.

    python training/shipped-weights/worst_failures.py phantom:6:held-out:30000100 --out docs/images

Every patient with a tumour is segmented from all fifteen subsets; those with the least mean Dice of the full
set are drawn, as ``failure-1.png`` and on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from napari_rdl.brats import REGIONS
from napari_rdl.cli.app import run_script
from napari_rdl.cohort.patients import is_synthetic, patients_of
from napari_rdl.cohort.picture import draw_patient
from napari_rdl.compare import Reference, study_subsets
from napari_rdl.files import write_bytes
from napari_rdl.models import load_model
from napari_rdl.segment import SegmentSettings, encode


def main(
    patients: Annotated[str, typer.Argument(help="phantom:N, with :held-out and a first seed.")],
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    count: Annotated[int, typer.Option(min=1, help="How many are drawn.")] = 2,
    model: Annotated[str | None, typer.Option(help="A checkpoint; the shipped weights by default.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Draw the worst failures."""
    if not is_synthetic(patients):
        raise typer.BadParameter("Images of real patients are not shown: give phantom:N.")
    loaded, settings = load_model(model), SegmentSettings(device=device)
    found: list[tuple[float, str, bytes]] = []
    for patient in patients_of(patients, "test"):
        case, truth = patient.read_with_truth()
        if not truth.any():
            continue  # a speck in a healthy brain scores 0 by the empty-mask rule; that is another failure
        reference = Reference(truth, case.grid, "mask")
        study = study_subsets(encode(case, loaded, settings=settings), reference)
        scores = study.row(case.modalities).scores
        dice = float(np.mean([scores[region].dice for region in REGIONS]))
        typer.echo(f"{case.name}: {dice:.3f}", err=True)
        found.append((dice, case.name, draw_patient(case, study)))
    for number, (dice, name, picture) in enumerate(sorted(found)[:count], start=1):
        path = write_bytes(out / f"failure-{number}.png", picture)
        typer.echo(f"{path}: {name}, mean Dice of the full set {dice:.3f}")


if __name__ == "__main__":
    run_script(main)
