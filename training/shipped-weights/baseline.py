"""The baseline to leave behind: a smoothed FLAIR above a threshold, its largest component, as whole tumour.

    python training/shipped-weights/baseline.py phantom:20:held-out
    python training/shipped-weights/baseline.py PATIENTS

Prints, for each patient and as means, Dice of the whole tumour with one threshold for all (z > 1.4 over the
brain's voxels) and with the best threshold of each patient, which only the truth can tell.
"""

from __future__ import annotations

from statistics import mean
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import ndimage

from napari_rdl.case import brain_mask, case_from_arrays, load_case, normalize
from napari_rdl.cli.app import run_script
from napari_rdl.cohort.patients import Patient, patients_of
from napari_rdl.metrics import dice
from napari_rdl.phantom import held_out_settings, make_phantom

SMOOTHING_MM = 1.0
FIXED = 1.4
THRESHOLDS = np.arange(0.6, 3.01, 0.1)


def main(data: Annotated[str, typer.Argument(help="Folder of patients, split file, or phantom:N.")]) -> None:
    """Score the baseline."""
    rows = []
    for patient in patients_of(data, "test"):
        flair, truth, spacing = read(patient)
        scores = [dice(largest_above(flair, threshold, spacing), truth) for threshold in THRESHOLDS]
        rows.append((dice(largest_above(flair, FIXED, spacing), truth), max(scores)))
        typer.echo(
            f"{patient.name}: {rows[-1][0]:.3f} at z > {FIXED}, {rows[-1][1]:.3f} at its best threshold"
        )
    typer.echo(f"mean of {len(rows)}: {mean(a for a, _ in rows):.3f}, {mean(b for _, b in rows):.3f}")


def read(patient: Patient) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[float, float, float]]:
    """Return FLAIR (X, Y, Z), the whole tumour's mask and the spacing in mm."""
    if patient.folder is None:
        assert patient.seed is not None
        phantom = make_phantom(patient.seed, settings=held_out_settings() if patient.held_out else None)
        case = case_from_arrays(phantom.images, phantom.affine, name=phantom.name)
        truth: NDArray[np.uint8] | None = phantom.classes
    else:
        case = load_case(patient.folder)
        truth = case.truth()
    if truth is None or "FLAIR" not in case.images:
        raise SystemExit(f"{patient.name} lacks a mask or FLAIR.")
    return case.images["FLAIR"], truth > 0, case.grid.spacing


def largest_above(
    flair: NDArray[np.float32], threshold: float, spacing: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Return the largest component of the smoothed z-score above a threshold."""
    brain = brain_mask(flair)
    smooth = ndimage.gaussian_filter(normalize(flair, brain), [SMOOTHING_MM / size for size in spacing])
    labels, count = ndimage.label((smooth > threshold) & brain)
    if not count:
        return np.zeros(flair.shape, bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    mask: NDArray[np.bool_] = labels == sizes.argmax()
    return mask


if __name__ == "__main__":
    run_script(main)
