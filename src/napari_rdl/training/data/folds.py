"""Folds of a folder of patients: seeded, disjoint, nearly equal, and where asked alike in enhancement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_rdl.brats import CLASSES
from napari_rdl.cohort.patients import Patient
from napari_rdl.errors import CaseError, Remedy


def folds(count: int, parts: int, seed: int) -> list[list[int]]:
    """Cut the numbers 0 ... count - 1 into `parts` seeded, disjoint, nearly equal folds."""
    order = np.random.default_rng([seed, 0]).permutation(count)
    return [sorted(int(index) for index in order[part::parts]) for part in range(parts)]


def stratified_folds(values: Sequence[float], parts: int, seed: int) -> list[list[int]]:
    """Cut patients into `parts` seeded folds that are alike in a value of theirs.

    Patients are sorted by the value and dealt out, `parts` neighbours at a time, one to each fold: every
    fold has its share of the low ones, such as tumours that do not enhance, and of the high ones.

    Parameters
    ----------
    values : sequence of float
        One for each patient.
    parts : int
        Number of folds.
    seed : int
        Decides between neighbours, and which folds get the patients that are left over.
    """
    rng = np.random.default_rng([seed, 1])
    ties = rng.permutation(len(values))
    order = np.lexsort((ties, np.asarray(values)))
    found: list[list[int]] = [[] for _ in range(parts)]
    for first in range(0, len(order), parts):
        dealt = order[first : first + parts]
        for fold, index in zip(rng.permutation(parts), dealt, strict=False):
            found[int(fold)].append(int(index))
    return [sorted(fold) for fold in found]


def enhancing_share(patient: Patient, labels: str | None = None) -> float:
    """Return the share of enhancing tumour in the whole tumour of a patient's mask; 0 without a tumour.

    Parameters
    ----------
    patient : Patient
        With files.
    labels : str, optional
        Label convention, where names do not say it.

    Raises
    ------
    CaseError
        If there is no mask, or it cannot be read.
    """
    from napari_rdl.case import find_case_files
    from napari_rdl.case.nifti import read_mask

    assert patient.folder is not None
    files = find_case_files(patient.folder, labels=labels)
    if files.mask is None:
        raise CaseError(f"{patient.folder} has no mask, by which folds could be made alike in enhancement.")
    if files.convention is None:
        raise CaseError(f"The names do not say what the values of {files.mask} mean", Remedy.NAME_LABELS)
    counts = np.bincount(read_mask(files.mask, files.convention)[0].ravel(), minlength=len(CLASSES))
    tumour = counts[1:].sum()
    return float(counts[CLASSES.index("ET")] / tumour) if tumour else 0.0
