"""What lies beside a label file and says what its values mean: whose labels, in which convention, by whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.brats import LABEL_CONVENTIONS, LabelConvention
from napari_rdl.case.nifti import stem_of
from napari_rdl.case.record import Record
from napari_rdl.files import parse_json, plain_name, read_bytes


class Correction(Record):
    """The record beside labels that a human corrected."""

    kind: Literal["correction"] = Field(
        "correction", title="Kind", description="That a human had the last word."
    )
    case: str = Field(title="Case", description="The patient's name; no path.")
    labels: str = Field(title="Labels", description="Label convention of the file's values.")
    output: str = Field(title="Output", description="The label file that this record belongs to.")
    versions: dict[str, str] = Field(title="Versions", description="Python and the packages that matter.")


class _Beside(BaseModel):
    """What the records of predictions and of corrections have in common."""

    model_config = ConfigDict(extra="ignore", strict=True)

    case: str
    labels: str
    output: str | None = None
    kind: str = "prediction"


@dataclass(frozen=True)
class LabelRecord:
    """What a record says of the label file beside it.

    Attributes
    ----------
    case : str
        The patient's name.
    convention : LabelConvention
        What the file's values mean.
    corrected : bool
        Whether a human had the last word.
    """

    case: str
    convention: LabelConvention
    corrected: bool


def record_path(path: Path) -> Path:
    """Return where the record of a label file lies."""
    return path.with_name(f"{stem_of(path)}.json")


def record_of(path: Path) -> LabelRecord | None:
    """Return what the record beside a label file says, or None where there is none of this program's."""
    try:
        beside = _Beside.model_validate(parse_json(read_bytes(record_path(path))))
    except (OSError, ValueError):
        return None
    convention = LABEL_CONVENTIONS.get(beside.labels)
    if convention is None or beside.output not in (None, path.name):
        return None
    return LabelRecord(plain_name(beside.case), convention, beside.kind == "correction")
