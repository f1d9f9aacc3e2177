"""The record beside each result: what it was made from, with what, and how."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from napari_rdl.case.patient import Case
from napari_rdl.case.record import Record
from napari_rdl.errors import CaseError, first_fault
from napari_rdl.files import plain_name, read_bytes

_PACKAGES = ("napari-rdl", "torch", "monai", "nibabel", "numpy", "scipy")


def current_versions() -> dict[str, str]:
    """Return the versions that a result depends on, without importing the packages."""
    return dict(_versions())


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package.replace("-", "_")] = version(package)
        except PackageNotFoundError:
            versions[package.replace("-", "_")] = "not installed"
    return versions


class WeightsRecord(BaseModel):
    """Which weights were used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(title="Name", description="The model's name, from its card.")
    sha256: str = Field(title="SHA-256", description="Hash of the checkpoint file.")
    path: str | None = Field(
        default=None, title="Path", description="The checkpoint; empty for the bundled one."
    )


class InputRecord(BaseModel):
    """Which image one modality was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(
        default=None,
        title="Path",
        description="The file; empty for an image that was given as an array or a layer.",
    )
    sha256: str = Field(
        title="SHA-256",
        description="Hash of the file, or of the array's RAS+ single-precision bytes where there is no file.",
    )


class Provenance(Record):
    """How one label file was made; enough to make it again."""

    case: str = Field(title="Case", description="The patient's name; no path.")
    modalities: tuple[str, ...] = Field(title="Modalities", description="The subset that was combined.")
    inputs: dict[str, InputRecord] = Field(title="Inputs", description="Modality -> the image it was.")
    weights: WeightsRecord = Field(title="Weights", description="The model.")
    device: str = Field(title="Device", description="Where it ran in the end.")
    precision: str = Field(title="Precision", description="Arithmetic that it ran in.")
    settings: dict[str, Any] = Field(default_factory=dict, title="Settings", description="As asked for.")
    steps: tuple[str, ...] = Field(
        default=(), title="Steps", description="What was changed on the way because memory ran out."
    )
    labels: str = Field(title="Labels", description="Label convention of the file's values.")
    resample: bool = Field(
        False, title="Resampled", description="Whether modalities were brought onto one grid."
    )
    native_grid: str = Field(
        default="file",
        title="Native grid",
        description="'file': the labels lie on an input file's grid; 'layer': on a layer's own.",
    )
    expected: dict[str, Any] | None = Field(
        default=None,
        title="Expected",
        description="What the model's card says of this subset's results: Dice, false tumour, and on what "
        "that rests.",
    )
    output: str | None = Field(
        default=None, title="Output", description="The label file that this record belongs to."
    )
    versions: dict[str, str] = Field(
        default_factory=current_versions, title="Versions", description="Python and the packages that matter."
    )

    @field_validator("case")
    @classmethod
    def _case_is_a_name(cls, case: str) -> str:
        if case != plain_name(case):
            raise ValueError(f"{case!r} is no name of a patient")
        return case

    @classmethod
    def read(cls, path: str | Path) -> Provenance:
        """Read a record.

        Raises
        ------
        CaseError
            If the file is absent or is no such record.
        """
        try:
            return cls.model_validate_json(read_bytes(path))
        except OSError as error:
            raise CaseError(
                f"{path} cannot be read ({error.strerror}): give the JSON file that lies beside a result."
            ) from error
        except ValidationError as error:
            where, what = first_fault(error)
            raise CaseError(
                f"{path} is no record of a run ({where or 'the whole file'}: {what}): "
                "give the JSON file that lies beside a result."
            ) from error


class ExportRecord(Record):
    """The record beside a table, a picture or a page: of whom, against what, with which weights."""

    kind: Literal["comparison", "summary"] = Field(title="Kind", description="What the file is.")
    case: str = Field(title="Case", description="The patient's name; no path.")
    output: str = Field(title="Output", description="The file that this record belongs to.")
    modalities: tuple[str, ...] = Field((), title="Modalities", description="What the patient has.")
    reference: str | None = Field(None, title="Reference", description="What was compared with.")
    weights: WeightsRecord | None = Field(
        None, title="Weights", description="The model; none where a finished study was looked at."
    )
    versions: dict[str, str] = Field(
        default_factory=current_versions, title="Versions", description="Python and the packages that matter."
    )


def input_records(case: Case, modalities: Iterable[str] | None = None) -> dict[str, InputRecord]:
    """Return what the record says of a case's images: their files and hashes.

    Raises
    ------
    CaseError
        If a file has gone since it was read.
    """
    records = {}
    for modality in modalities if modalities is not None else case.modalities:
        path = case.files.get(modality)
        if path is None:
            digest = hashlib.sha256(case.images[modality].tobytes()).hexdigest()
            records[modality] = InputRecord(sha256=digest)
        else:
            records[modality] = InputRecord(path=text_of(path.absolute()), sha256=file_sha256(path))
    return records


def text_of(path: Path) -> str:
    """Return a path as text; bytes of a name that are none are written out."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def file_sha256(path: str | Path) -> str:
    """Return a file's SHA-256 in hexadecimal.

    Raises
    ------
    CaseError
        If the file cannot be read.
    """
    path = Path(path)
    try:
        status = path.stat()
        return _sha256(path.absolute(), status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise CaseError(f"{path} cannot be read ({error.strerror or error}): put it back.") from error


@lru_cache(maxsize=256)
def _sha256(path: Path, modified: int, size: int) -> str:
    # Time and size stand among the arguments so that a changed file is read anew; fifteen subsets of
    # one patient hash each input once.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
