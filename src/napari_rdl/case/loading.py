"""Making a Case from a patient's files, on one grid."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import (
    DEFAULT_CONVENTION,
    LABEL_CONVENTIONS,
    MASK_ALIASES,
    MODALITIES,
    modality_of_token,
)
from napari_rdl.case.finding import CaseFiles, find_case_files
from napari_rdl.case.geometry import Native, resample_array
from napari_rdl.case.intensity import background_value
from napari_rdl.case.naming import convention_named, convention_of_names, modality_of_file
from napari_rdl.case.nifti import read_image, stem_of
from napari_rdl.case.patient import Case
from napari_rdl.errors import CaseError, GridsDifferError, Remedy
from napari_rdl.files import plain_name

logger = logging.getLogger(__name__)

_REFERENCE_ORDER = ("T1c", "T1", "FLAIR", "T2")

_MAX_MASK_VALUES = 6


def load_case(
    source: str | Path | Mapping[str, str | Path],
    *,
    name: str | None = None,
    labels: str | None = None,
    modalities: Iterable[str] | None = None,
    resample: bool = False,
) -> Case:
    """Read a patient's modalities onto one RAS+ grid.

    Parameters
    ----------
    source : str, Path or Mapping
        A patient's folder, one modality's file, or a map modality -> file (spellings such as
        ``t1ce`` are understood; ``seg`` names the mask).
    name : str, optional
        The patient's name; else the folder's.
    labels : str, optional
        Label convention (``brats2018``, ``brats2023``, ``brats2024``, ``brats2013``), where the
        names do not say it.
    modalities : iterable of str, optional
        Read only these.
    resample : bool
        Bring modalities on different grids onto one: the finest, in doubt the first of
        T1c, T1, FLAIR, T2; and an expert's mask onto that, by nearest neighbour. Without it, different grids
        are refused. A model still sees each modality
        on its own grid (`Case.own`); the common one is where images and results are shown.

    Raises
    ------
    CaseError
        If files are missing or unusable; the sentence says what to do.
    GridsDifferError
        If the modalities lie on different grids and `resample` is off.
    """
    found = _files_of(source, labels)
    wanted = _wanted(found, modalities)
    arrays: dict[str, NDArray[np.float32]] = {}
    natives: dict[str, Native] = {}
    notes = list(found.notes)
    with ThreadPoolExecutor(min(len(wanted), os.cpu_count() or 1)) as threads:
        # In their order: of several that are damaged, the first is told.
        for modality, read_one in zip(
            wanted, threads.map(lambda name: _read_one(name, found.images[name]), wanted), strict=True
        ):
            arrays[modality], natives[modality], mended = read_one
            notes += mended
    read = dict(arrays)
    reference, moved = _one_grid(arrays, natives, found.images, resample)
    if moved:
        notes.append(f"{', '.join(moved)} resampled onto the grid of {reference}.")
    for note in notes:
        logger.info(note)
    return Case(
        name=plain_name(name or found.name),
        images=arrays,
        grid=natives[reference].grid,
        native=natives[reference],
        files={modality: found.images[modality] for modality in wanted},
        mask_file=found.mask,
        convention=found.convention or LABEL_CONVENTIONS[DEFAULT_CONVENTION],
        notes=tuple(notes),
        resampled=bool(moved),
        convention_known=found.convention is not None,
        originals={modality: (read[modality], natives[modality].grid) for modality in moved},
        fit_mask=resample,
        unexplained=found.unexplained,
    )


def _read_one(modality: str, path: Path) -> tuple[NDArray[np.float32], Native, tuple[str, ...]]:
    image, affine, header, mended = read_image(path, stored=True)
    _refuse_mask(path, modality, image)
    native = Native.from_header(image.shape, affine, header)
    return native.from_native(image, np.float32), native, mended


def _files_of(source: str | Path | Mapping[str, str | Path], labels: str | None) -> CaseFiles:
    if isinstance(source, Mapping):
        return _files_of_map(source, labels)
    path = Path(source)
    if str(source) == "":
        raise CaseError("The patient's name is empty: give its folder.")
    if _is_file(path):
        modality = modality_of_file(path)
        if modality is None:
            raise CaseError(
                f"The name of {path} does not say its modality: give it as T1={path.name} or the like."
            )
        return _files_of_map({modality: path}, labels)
    return find_case_files(path, labels=labels)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaseError(f"{path} cannot be read ({reason}): check the name.") from error


def _files_of_map(source: Mapping[str, str | Path], labels: str | None) -> CaseFiles:
    images: dict[str, Path] = {}
    mask = None
    for key, value in source.items():
        if key.lower() in MASK_ALIASES:
            mask = Path(value)
            continue
        modality = modality_of_token(key)
        if modality is None:
            raise CaseError(f"{key!r} (given for {value}) is no modality: use {', '.join(MODALITIES)}.")
        if modality in images:
            raise CaseError(
                f"Two files were given for {modality} ({images[modality]} and {value}): give one."
            )
        images[modality] = Path(value)
    if not images:
        raise CaseError(f"No modality was given: name at least one of {', '.join(MODALITIES)}.")
    images = {modality: images[modality] for modality in MODALITIES if modality in images}
    paths = list(images.values())
    folders = {path.resolve().parent for path in paths}
    home = folders.pop()
    return CaseFiles(
        name=stem_of(paths[0]) if folders or not home.name else home.name,
        images=images,
        mask=mask,
        convention=convention_named(labels) or convention_of_names(paths, mask),
        folder=None if folders else home,
    )


def _wanted(found: CaseFiles, modalities: Iterable[str] | None) -> tuple[str, ...]:
    if modalities is None:
        return tuple(found.images)
    asked = {modality_of_token(modality) or modality for modality in modalities}
    missing = sorted(asked - set(found.images))
    if missing or not asked:
        raise CaseError(
            f"{found.name} has no {', '.join(missing) or 'modality that was asked for'}: "
            f"choose among {', '.join(found.images)}."
        )
    return tuple(modality for modality in found.images if modality in asked)


def _refuse_mask(path: Path, modality: str, image: NDArray) -> None:
    # A stride first: an MR image shows more than a few values at once, and a full look costs a second.
    sample = image.ravel(order="K")[:: max(1, image.size // 100_000)]
    if np.unique(sample).size > _MAX_MASK_VALUES:
        return
    values = np.unique(image)
    if values.size <= _MAX_MASK_VALUES and np.array_equal(values, np.round(values)):
        raise CaseError(
            f"{path} was given as {modality} but holds only the values "
            f"{', '.join(f'{value:g}' for value in values)}: it looks like a mask, so give the image itself."
        )


def _one_grid(
    arrays: dict[str, NDArray[np.float32]],
    natives: Mapping[str, Native],
    files: Mapping[str, Path],
    allowed: bool,
) -> tuple[str, list[str]]:
    first = next(iter(arrays))
    differences = {
        modality: natives[first].grid.difference(natives[modality].grid) for modality in list(arrays)[1:]
    }
    if not any(differences.values()):
        return first, []
    if not allowed:
        said = "; ".join(f"{files[key].name} has {words}" for key, words in differences.items() if words)
        raise GridsDifferError(
            f"The modalities lie on different grids: against {files[first]}, {said}",
            Remedy.RESAMPLE,
        )
    reference = min(
        arrays,
        # Voxel volumes within some percent of each other count as equal.
        key=lambda key: (round(np.log(natives[key].grid.voxel_ml) * 20), _REFERENCE_ORDER.index(key)),
    )
    target = natives[reference].grid
    moved = [key for key in arrays if target.difference(natives[key].grid)]
    for key in moved:
        background, _ = background_value(arrays[key])
        arrays[key] = resample_array(arrays[key], natives[key].grid, target, order=1, background=background)
    return reference, moved
