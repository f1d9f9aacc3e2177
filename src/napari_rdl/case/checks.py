"""What looks wrong with a case, said before a run is spent on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from napari_rdl.brats import MODALITIES
from napari_rdl.case.alignment import find_misalignments
from napari_rdl.case.coarse import CoarseCase, coarse_case
from napari_rdl.case.contrast import local_correlations, misnamed, swapped_pair
from napari_rdl.case.geometry import rotation_degrees
from napari_rdl.case.guessing import guess_unexplained
from napari_rdl.case.intensity import background_value, brain_mask
from napari_rdl.case.patient import Case
from napari_rdl.errors import CaseError, Remedy
from napari_rdl.metrics import dice

Level = Literal["note", "warning", "error"]

_FEW_VALUES = 6
_EMPTY_BORDER = 0.5
_LARGEST_BRAIN_ML = 2200.0
_THICK_MM = 3.0
_FINEST_MM = 0.2
_COARSEST_MM = 10.0
_OBLIQUE_DEGREES = 5.0
_SAME_BRAIN = 0.85
_NORMALISED_DEVIATION = 10.0


@dataclass(frozen=True)
class Finding:
    """One thing about a case that its user should know.

    Attributes
    ----------
    level : {"note", "warning", "error"}
        ``note``: good to know; ``warning``: the result may be wrong; ``error``: it would be.
    message : str
        One sentence: what, and what to do.
    modality : str or None
        The modality that it is about, if it is one.
    remedy : Remedy or None
        What would mend it, where that is something that a program can offer.
    """

    level: Level
    message: str
    modality: str | None = None
    remedy: Remedy | None = None


def check_case(case: Case) -> list[Finding]:
    """Look for what makes results wrong: geometry, skull, alignment, contrast, masks, the notes.

    Takes about a second for a BraTS-size patient. Nothing is changed.

    Returns
    -------
    list of Finding
        Errors first, then warnings, then notes.
    """
    findings = [Finding("note", note) for note in case.notes]
    findings += _check_geometry(case)
    for modality in case.modalities:
        findings += _check_image(case, modality)
    findings += _check_truth(case)
    findings += _check_unexplained(case)
    # Alignment and contrast are judged on brains alone: not on a mask, nor on a head.
    if not any(finding.modality and finding.level != "note" for finding in findings):
        coarse = coarse_case(case)
        if coarse is not None:
            findings += _check_together(case, coarse)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: order[finding.level])


def _check_geometry(case: Case) -> Iterator[Finding]:
    spacing = case.grid.spacing
    said = " x ".join(f"{size:.3g}" for size in spacing)
    if min(spacing) < _FINEST_MM or max(spacing) > _COARSEST_MM:
        yield Finding(
            "warning", f"Voxels of {said} mm are unusual for a head: check the units in the files' headers."
        )
    elif max(spacing) > _THICK_MM:
        yield Finding(
            "warning",
            f"Voxels of {said} mm are thick: small parts of a tumour cannot be seen, so prefer thin slices.",
        )
    upright = np.diag([*spacing, 1.0])
    angle = rotation_degrees(case.grid.affine, upright)
    if angle > _OBLIQUE_DEGREES:
        yield Finding(
            "note",
            f"The images are oblique by {angle:.0f} degrees: slices are shown along the images' own axes.",
        )


def _check_image(case: Case, modality: str) -> Iterator[Finding]:
    image = case.images[modality]
    title = _title(case, modality)
    sample = image.ravel()[:: max(1, image.size // 100_000)]
    values = np.unique(sample)
    if values.size <= _FEW_VALUES and np.array_equal(values, np.round(values)):
        yield Finding(
            "error",
            f"{title} holds only a few whole numbers, like a mask: give the image itself.",
            modality,
        )
        return
    mask = brain_mask(image)
    background, share = background_value(image)
    skull = _skull(share, float(mask.sum()) * case.grid.voxel_ml)
    if skull is not None:
        yield Finding("warning", f"{title} {skull}", modality)
    brain = image[mask]
    negative = brain.size > 0 and min(background, float(brain.min())) < 0
    if negative and brain.std(dtype=np.float64) < _NORMALISED_DEVIATION:
        yield Finding(
            "note",
            f"{title} was normalised before (it has negative intensities): that does no harm.",
            modality,
        )


def _skull(empty_border: float, volume_ml: float) -> str | None:
    if empty_border < _EMPTY_BORDER:
        return (
            "is not empty around the brain: strip the skull first (HD-BET or SynthStrip), "
            "or give the uncropped image."
        )
    if volume_ml > _LARGEST_BRAIN_ML:
        return (
            f"shows {volume_ml / 1000:.1f} litres, more than a brain has: "
            "strip the skull first (HD-BET or SynthStrip)."
        )
    return None


def _check_truth(case: Case) -> Iterator[Finding]:
    if case.mask_file is None:
        return
    try:
        case.truth()
    except CaseError as error:
        yield Finding("warning" if case.convention_known else "note", str(error), remedy=error.remedy)


def _check_unexplained(case: Case) -> Iterator[Finding]:
    for found in guess_unexplained(case):
        looks = f"; by its contrast it looks like {found.guess}" if found.guess else ""
        yield Finding(
            "warning" if found.guess else "note",
            f"{found.path.name} is not used, since its name does not say which modality it is{looks}. "
            f"{case.name} has no {' and no '.join(name for name in MODALITIES if name not in case.images)}.",
        )


def _check_together(case: Case, coarse: CoarseCase) -> Iterator[Finding]:
    same = [pair for pair in combinations(case.modalities, 2) if _identical(case, *pair)]
    for first, second in same:
        yield Finding(
            "warning",
            f"{_title(case, first)} and {_title(case, second)} are the same image: "
            "one of them has the wrong file.",
            second,
        )
    if same:
        return
    astray = find_misalignments(coarse)
    for found in astray:
        yield Finding(
            "warning",
            f"{_title(case, found.modality)} shares the grid but looks {found.words}: "
            "co-register the images.",
            found.modality,
        )
    local = {} if astray else local_correlations(coarse)
    pair = swapped_pair(coarse, local)
    if pair is not None:
        yield Finding(
            "warning",
            f"{_title(case, pair[0])} and {_title(case, pair[1])} look exchanged: "
            "check which file is which modality.",
        )
    else:
        for modality, looks in misnamed(coarse, local):
            yield Finding(
                "warning",
                f"{_title(case, modality)} looks {looks}: check which modality the file is.",
                modality,
            )
    if not astray:
        yield from _check_brains(case, coarse)


def _check_brains(case: Case, coarse: CoarseCase) -> Iterator[Finding]:
    first, *others = coarse.brains
    for other in others:
        one, two = coarse.brains[first], coarse.brains[other]
        overlap = dice(one, two)
        if overlap < _SAME_BRAIN:
            yield Finding(
                "warning",
                f"{_title(case, other)} covers another part of the head than {first} "
                f"(the brains overlap with a Dice of {overlap:.2f}): check the skull stripping.",
                other,
            )


def _identical(case: Case, first: str, second: str) -> bool:
    return np.array_equal(case.images[first], case.images[second])


def _title(case: Case, modality: str) -> str:
    path = case.files.get(modality)
    return modality if path is None else f"{modality} ({path.name})"
