"""What CASE... means: one patient's files, a patient's folder, or a folder of patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_rdl.brats import MODALITIES, modality_of_token
from napari_rdl.errors import CaseError
from napari_rdl.files import is_folder, is_there


@dataclass(frozen=True)
class Source:
    """A patient to load.

    Attributes
    ----------
    files : Path or Mapping[str, Path]
        The patient's folder, or modality -> file.
    title : str
        How to call it before it is loaded.
    name : str, optional
        Its name, where it does not follow from the files.
    """

    files: Path | Mapping[str, Path]
    title: str
    name: str | None = None


def find_sources(words: Sequence[str] | None) -> list[Source]:
    """Read the words given as CASE.

    Parameters
    ----------
    words : sequence of str
        Folders, or ``MODALITY=FILE`` pairs that make one patient.

    Returns
    -------
    list of Source
        One per patient; a folder of patients gives all that are in it, in natural order.

    Raises
    ------
    CaseError
        If nothing is given, folders and pairs are mixed, a pair names no modality or one twice, a
        folder is not there or is a file, or two patients have the same name.
    """
    if not words:
        raise CaseError("Name a patient: its folder, or its files as T1=a.nii.gz T1c=b.nii.gz.")
    if "" in words:
        raise CaseError("The name of a patient is empty: give its folder, or its files as T1=a.nii.gz.")
    pairs = [word.partition("=") for word in words if "=" in word and not is_there(word)]
    if pairs and len(pairs) < len(words):
        folder = next(word for word in words if "=" not in word or is_there(word))
        raise CaseError(f"{folder}: give either folders or MODALITY=FILE pairs, not both.")
    if pairs:
        files = _files_of_pairs([(key, value) for key, _, value in pairs])
        return [Source(files, next(iter(files.values())).name)]
    return _distinct([source for word in words for source in _sources_of_folder(Path(word))])


def one_patient(word: str) -> Path | Mapping[str, Path]:
    """Return the files of what must be one patient, for `load_case`; see `find_sources`.

    Raises
    ------
    CaseError
        Also if it is a folder of several patients.
    """
    sources = find_sources([word])
    if len(sources) > 1:
        raise CaseError(f"{word} has {len(sources)} patients: give the folder of one of them.")
    return sources[0].files


def _files_of_pairs(pairs: Sequence[tuple[str, str]]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for key, value in pairs:
        modality = modality_of_token(key)
        if modality is None:
            raise CaseError(f"{key}={value}: {key!r} is no modality; use {', '.join(MODALITIES)}.")
        if modality in files:
            raise CaseError(
                f"{value}: {modality} was already given as {files[modality]}; give one file for each."
            )
        files[modality] = Path(value)
    return files


def _sources_of_folder(folder: Path) -> list[Source]:
    from napari_rdl.case import find_patients, is_patient_folder

    if not is_there(folder):
        raise CaseError(f"{folder} is not there; give a patient's folder or MODALITY=FILE pairs.")
    if not is_folder(folder):
        raise CaseError(f"{folder} is a file; say which modality it is, such as T1={folder}.")
    patients = [folder] if is_patient_folder(folder) else find_patients(folder)
    # A folder without patients goes on as one, so that reading it says what was looked for.
    return [Source(path, path.resolve().name) for path in patients or [folder]]


def _distinct(sources: list[Source]) -> list[Source]:
    homes: dict[str, Source] = {}
    for source in sources:
        other = homes.setdefault(source.title, source)
        if other is not source:
            raise CaseError(
                f"{source.files} and {other.files} have the same name and would be written to the same file; "
                "run them one after the other with different --out."
            )
    return sources
