"""From a folder's file names to the files of one patient; no image is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari_rdl.brats import MODALITIES, LabelConvention
from napari_rdl.case.naming import (
    convention_named,
    convention_of_names,
    is_expert_mask,
    is_mask_name,
    modality_of_file,
    modality_of_name,
)
from napari_rdl.case.nifti import is_nifti_name, stem_of
from napari_rdl.errors import CaseError, Remedy
from napari_rdl.files import is_folder

# Readers ask about every folder that is dropped: a look must stay cheap in a folder of anything.
_MAX_ENTRIES = 4000
_MAX_SUBFOLDERS = 24
_DEPTH = 2
_PATIENTS_DEPTH = 5
_MAX_UNEXPLAINED = 8

_PLAIN_FOLDERS = frozenset(
    {"anat", "image", "images", "img", "mr", "mri", "nifti", "nii", "scans", "structural"}
)


@dataclass(frozen=True)
class CaseFiles:
    """One patient's files, as found by their names.

    Attributes
    ----------
    name : str
        The patient's name: the folder's.
    images : Mapping[str, Path]
        Modality -> file, in the fixed order of the modalities.
    mask : Path or None
        The expert's mask.
    convention : LabelConvention or None
        What the mask's values mean, where the names or the user say so.
    folder : Path or None
    notes : tuple of str
        What was seen and left aside.
    unexplained : tuple of Path
        Images beside those of the patient whose names say no modality.
    """

    name: str
    images: Mapping[str, Path]
    mask: Path | None
    convention: LabelConvention | None
    folder: Path | None
    notes: tuple[str, ...] = ()
    unexplained: tuple[Path, ...] = ()


def find_case_files(folder: str | Path, *, labels: str | None = None) -> CaseFiles:
    """Find one patient's modalities and mask in a folder by their names.

    Files lie in the folder or in its sub-folders; BraTS 2018-2024 names and the usual variants
    are known (``T1Gd``, ``t2W``, ``fla``, upper case, modality-named sub-folders).

    Parameters
    ----------
    folder : str or Path
    labels : str, optional
        Name of the label convention, where the names do not say it or say it wrongly.

    Raises
    ------
    CaseError
        If the folder does not exist, holds no modality, or two files for one modality.
    """
    folder = Path(folder)
    chosen = convention_named(labels)
    if not is_folder(folder):
        raise CaseError(
            f"{folder} is no folder: check the name, or give files as T1=a.nii.gz FLAIR=b.nii.gz."
        )
    try:
        files = _files_of_patient(folder)
    except OSError as error:
        raise CaseError(f"{folder} cannot be read: {error.strerror or error}.") from error
    images: dict[str, list[Path]] = {}
    masks: list[Path] = []
    unexplained: list[Path] = []
    for path in files:
        if is_mask_name(path):
            masks.append(path)
        elif modality := modality_of_file(path, folder):
            images.setdefault(modality, []).append(path)
        else:
            unexplained.append(path)
    if not images:
        raise _nothing_found(folder, files)
    for modality in MODALITIES:
        if len(images.get(modality, ())) > 1:
            raise CaseError(
                f"{folder} has more than one file for {modality} ({_names(images[modality])})",
                Remedy.ONE_FILE,
                modality=modality,
            )
    found = {modality: images[modality][0] for modality in MODALITIES if modality in images}
    mask, notes = _choose_mask(masks, found.values())
    convention = chosen or convention_of_names(found.values(), mask)
    return CaseFiles(
        _case_name(folder, found.values()),
        found,
        mask,
        convention,
        folder,
        notes,
        tuple(unexplained[:_MAX_UNEXPLAINED]),
    )


def is_patient_folder(path: str | Path) -> bool:
    """Tell from names alone whether a folder is one patient's; never raises, always quick."""
    try:
        folder = Path(path)
        if not folder.is_dir():
            return False
        direct = _images_in(folder, folder)
        if direct:
            return True
        nested = [path for path in _nested_files(folder) if not is_mask_name(path)]
        pairs = [(path, modality_of_file(path, folder)) for path in nested]
        homes = [path.parent for path, modality in pairs if modality]
        seen = [modality for _, modality in pairs if modality]
        if not seen or len(seen) != len(set(seen)):
            return False
        # One sub-folder that holds them all is itself the patient, unless its name is a plain one.
        home = homes[0]
        return len(seen) == 1 or len(set(homes)) > 1 or home.name.lower() in _PLAIN_FOLDERS
    except (OSError, ValueError):
        return False


def find_patients(folder: str | Path) -> list[Path]:
    """Return the patients' folders below a folder, in natural order (2 before 10).

    Raises
    ------
    CaseError
        If the folder cannot be read.
    """
    folder = Path(folder)
    try:
        return list(_patients_below(folder, _PATIENTS_DEPTH))
    except OSError as error:
        raise CaseError(f"{folder} cannot be read: {error.strerror or error}.") from error


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Return a sorting key that puts ``patient2`` before ``patient10``."""
    parts = re.split(r"(\d+)", str(path).lower())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    entries = []
    with os.scandir(folder) as scan:
        for entry in scan:
            entries.append(entry)
            if len(entries) >= _MAX_ENTRIES:
                break
    return sorted(entries, key=lambda entry: natural_key(Path(entry.name)))


def _nifti_files(folder: Path) -> list[Path]:
    names = {entry.name for entry in _entries(folder) if is_nifti_name(entry.name) and _is(entry.is_file)}
    # A pair is one image, and goes by its header.
    names -= {re.sub(r"\.hdr", ".img", name, flags=re.IGNORECASE) for name in names if ".hdr" in name.lower()}
    return sorted((folder / name for name in names), key=natural_key)


def _subfolders(folder: Path) -> list[Path]:
    return [
        folder / entry.name
        for entry in _entries(folder)
        if not entry.name.startswith(".") and _is(entry.is_dir) and not _leads_back(folder, entry)
    ]


def _is(asked: Callable[[], bool]) -> bool:
    """Ask the file system; what cannot be looked at, such as a link to itself, is nothing."""
    try:
        return asked()
    except OSError:
        return False


def _leads_back(folder: Path, entry: os.DirEntry[str]) -> bool:
    """Tell whether a link leads to the folder that it lies in, or to one above it."""
    if not entry.is_symlink():
        return False
    target, here = os.path.realpath(entry.path), os.path.realpath(folder)
    return here == target or here.startswith(target.rstrip(os.sep) + os.sep)


def _nested_files(folder: Path, depth: int = _DEPTH) -> list[Path]:
    children = _subfolders(folder)
    if len(children) > _MAX_SUBFOLDERS:
        return []
    files: list[Path] = []
    for child in children:
        # One that may not be read is no reason to refuse the others.
        with suppress(PermissionError):
            files += _nifti_files(child)
            if depth > 1:
                files += _nested_files(child, depth - 1)
    return files


def _images_in(folder: Path, root: Path) -> list[Path]:
    return [path for path in _nifti_files(folder) if not is_mask_name(path) and modality_of_file(path, root)]


def _files_of_patient(folder: Path) -> list[Path]:
    direct = _nifti_files(folder)
    if any(not is_mask_name(path) and modality_of_file(path, folder) for path in direct):
        return direct
    return direct + _nested_files(folder)


def _patients_below(folder: Path, depth: int) -> Iterator[Path]:
    for child in _subfolders(folder):
        try:
            if is_patient_folder(child):
                yield child
            elif depth > 1:
                yield from _patients_below(child, depth - 1)
        except PermissionError:
            continue


def _choose_mask(masks: list[Path], images: Iterable[Path]) -> tuple[Path | None, tuple[str, ...]]:
    experts = [path for path in masks if is_expert_mask(path)]
    if len(experts) > 1:
        # BraTS2021_00006_t1 goes with BraTS2021_00006_seg, not with labels_copy_seg.
        cases = {re.sub(r"[^A-Za-z0-9]+[A-Za-z0-9]+$", "", stem_of(path)) for path in images} - {""}
        namesakes = [path for path in experts if path.name.startswith(tuple(cases))]
        if len(namesakes) != 1:
            return None, (f"Several files could be the expert's mask ({_names(experts)}); none is used.",)
        return namesakes[0], ()
    return (experts[0] if experts else None), ()


def _case_name(folder: Path, images: Iterable[Path]) -> str:
    homes = {path.parent for path in images}
    home = homes.pop()
    if homes or home == folder or home.name.lower() in _PLAIN_FOLDERS or modality_of_name(home.name):
        return folder.resolve().name or "patient"
    return home.name


def _names(paths: Iterable[Path]) -> str:
    return " and ".join(path.name for path in paths)


def _nothing_found(folder: Path, files: list[Path]) -> CaseError:
    if files:
        shown = ", ".join(path.name for path in files[:4]) + (", ..." if len(files) > 4 else "")
        return CaseError(f"No modality was recognised in {folder} ({shown})", Remedy.NAME_FILES)
    if any(entry.name.lower().endswith((".dcm", ".ima")) for entry in _entries(folder)):
        return CaseError(
            f"{folder} holds DICOM files and no NIfTI: "
            "convert them with dcm2niix, co-register and strip the skull first."
        )
    return CaseError(
        f"No NIfTI file was found in {folder}: give the folder of the patient's .nii or .nii.gz files."
    )
