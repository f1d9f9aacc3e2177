"""A picture of the worst failure: of all patients of an evaluation, the one whose tumour is found least.

    python training/shipped-weights/worst.py phantom:12:held-out --evaluation held-out --out worst.png

DATA and EVALUATION are those of ``napari-rdl evaluate``. Above are the images, below the truth, what all
modalities together say, and what is said without each of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.brats import subset_name
from napari_rdl.cohort.patients import patients_of
from napari_rdl.cohort.picture import draw_patient
from napari_rdl.compare import Reference, study_subsets
from napari_rdl.files import write_bytes
from napari_rdl.models import load_model
from napari_rdl.segment import encode


def main(
    data: Annotated[str, typer.Argument(help="Folder of patients, split file, or phantom:N.")],
    evaluation: Annotated[Path, typer.Option(help="Folder that `napari-rdl evaluate` wrote for them.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
    model: Annotated[str | None, typer.Option(help="A checkpoint; the shipped weights by default.")] = None,
) -> None:
    """Draw the patient with the lowest Dice of the whole tumour, all modalities together."""
    dice = {}
    for path in (evaluation / "patients").glob("*.json"):
        content = json.loads(path.read_text("utf-8"))
        full = max(content["scores"], key=lambda subset: subset.count("+"))
        dice[content["patient"]] = content["scores"][full]["WT"]["dice"]
    patients = {patient.name: patient for patient in patients_of(data, "test")}
    for worst in sorted(dice, key=lambda name: dice[name]):
        case, truth = patients[worst].read_with_truth()
        # A speck in a healthy brain scores 0 by the empty-mask rule; that is another failure.
        if truth.any():
            break
    study = study_subsets(encode(case, load_model(model)), Reference(truth, case.grid, "truth"))
    write_bytes(out, draw_patient(case, study))
    typer.echo(f"{worst}: {subset_name(study.modalities)} finds the whole tumour with Dice {dice[worst]:.3f}")


if __name__ == "__main__":
    typer.run(main)
