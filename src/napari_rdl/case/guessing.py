"""What an image whose name explains nothing may be, by its contrast; a guess, to be confirmed.

The facts are those of `napari_rdl.case.contrast`: white matter is brighter than cortex on T1 and T1c and
darker on T2 and FLAIR; contrast agent only brightens; fluid is bright on T2 and dark on FLAIR.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_rdl.brats import MODALITIES
from napari_rdl.case.coarse import CoarseCase, coarse_case
from napari_rdl.case.contrast import layer_contrast, tail_balance
from napari_rdl.case.geometry import Native, resample_array
from napari_rdl.case.nifti import read_image
from napari_rdl.case.patient import Case
from napari_rdl.errors import CaseError

_ENHANCED = 0.5
"""How much heavier the bright tail of an image less T1 must be for contrast agent, in robust deviations."""

_THE_ONE = "?"


@dataclass(frozen=True)
class Unexplained:
    """An image of a patient's folder whose name says no modality.

    Attributes
    ----------
    path : Path
    guess : str or None
        The modality that its contrast fits, among those that the patient lacks; None where it fits none.
    """

    path: Path
    guess: str | None


def guess_unexplained(case: Case, paths: Iterable[Path] | None = None) -> tuple[Unexplained, ...]:
    """Return a guess for every image that no name explains; nothing where the patient lacks no modality.

    Takes about a second for each image.

    Parameters
    ----------
    case : Case
    paths : iterable of Path, optional
        `case.unexplained` if left out.
    """
    missing = [name for name in MODALITIES if name not in case.images]
    found: list[Unexplained] = []
    for path in case.unexplained if paths is None else paths:
        if missing:
            guess = _guess(case, path, missing)
            taken = {one.guess for one in found}
            found.append(Unexplained(path, guess if guess not in taken else None))
    return tuple(found)


def _guess(case: Case, path: Path, missing: list[str]) -> str | None:
    try:
        image, affine, header, _ = read_image(path)
    except CaseError:
        return None
    native = Native.from_header(image.shape, affine, header)
    array = native.from_native(image)
    if case.grid.difference(native.grid) is not None:
        array = resample_array(array, native.grid, case.grid, order=1)
    coarse = coarse_case(replace(case, images={**case.images, _THE_ONE: array}, originals={}))
    if coarse is None:
        return None
    fits = _family(coarse)
    guess = fits if fits in MODALITIES else None
    return guess if guess in missing else None


def _family(coarse: CoarseCase) -> str | None:
    """Return what the image looks like, given the patient's others."""
    contrast = layer_contrast(coarse, _THE_ONE)
    if contrast is None:
        return None
    if contrast < 0:
        if "T1" in coarse.images:
            return "T1c" if tail_balance(coarse, _THE_ONE, "T1") > _ENHANCED else "T1"
        if "T1c" in coarse.images:
            return "T1" if tail_balance(coarse, "T1c", _THE_ONE) > _ENHANCED else "T1c"
        return "T1"
    if "T2" in coarse.images:
        return "FLAIR" if tail_balance(coarse, "T2", _THE_ONE) > 0 else "T2"
    if "FLAIR" in coarse.images:
        return "T2" if tail_balance(coarse, _THE_ONE, "FLAIR") > 0 else "FLAIR"
    # Alone, fluid decides: the bright end of T2, the dark end of FLAIR.
    low, middle, high = np.percentile(coarse.images[_THE_ONE][coarse.inner[_THE_ONE]], (2, 50, 98))
    return "T2" if high + low > 2 * middle else "FLAIR"
