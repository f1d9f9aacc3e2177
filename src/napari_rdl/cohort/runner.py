"""Work on many patients, one after the other, that can be interrupted, resumed and shared.

Each patient's results are files of their own in ``patients/``, written whole or not at all. The record, a
JSON file, comes last and says what it was made from; where it is there and still holds, the patient is done.
A patient that fails leaves the reason in its place and the others go on. Several processes, as torchrun or
SLURM starts them, take every n-th patient each.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import file_sha256, find_case_files
from napari_rdl.cohort.patients import Patient
from napari_rdl.errors import Cancelled, NapariRdlError, OutputError
from napari_rdl.files import read_bytes, sweep, write_json, write_text

logger = logging.getLogger(__name__)

PATIENTS = "patients"
"""The folder that holds each patient's files."""

Record = TypeVar("Record", bound=BaseModel)


class PatientWork(Protocol[Record]):
    """What is done with each patient."""

    doing: str
    """As a progress bar has it, such as ``Studying``."""
    kind: type[Record]
    """What is kept of a patient."""

    def stamp(self, patient: Patient) -> Mapping[str, str]:
        """Return the fields of the record that say what it is made from; `key` is among them."""

    def make(self, patient: Patient, stamp: Mapping[str, str], stem: Path, cancelled: IsCancelled) -> Record:
        """Do the work; further files are written as `stem` with an ending of their own.

        Raises
        ------
        NapariRdlError
            Why the patient cannot be done.
        """

    def is_whole(self, stem: Path) -> bool:
        """Return whether the further files of a record are there."""


@dataclass(frozen=True)
class Outcome(Generic[Record]):
    """What became of all patients: name -> record, or name -> the reason why there is none."""

    records: dict[str, Record]
    failed: dict[str, str]


class _Failure(BaseModel):
    """What stands in a record's place."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: str
    failed: str


def run_patients(
    patients: Sequence[Patient],
    work: PatientWork[Record],
    out: Path,
    *,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> Outcome[Record] | None:
    """Do the work of every patient whose record is not there, or no longer holds.

    Parameters
    ----------
    patients : sequence of Patient
    work : PatientWork
    out : Path
        The records lie in its folder ``patients``.
    progress, cancelled : callable
        Called before each patient.

    Returns
    -------
    Outcome or None
        Of all patients; None in all but the first of several processes.

    Raises
    ------
    OutputError
        If `out` cannot be written: the next patient's record could not be either.
    Cancelled
        If `cancelled` answered True; patients that are done are kept.
    """
    rank, count = processes()
    mine = patients[rank::count]
    # Where all is done nothing is written, and what a killed run left would stay.
    sweep(out / PATIENTS)
    for done, patient in enumerate(mine):
        if cancelled():
            raise Cancelled
        progress(done, len(mine), f"{work.doing} {patient.name}")
        _do(patient, work, out, cancelled)
    progress(len(mine), len(mine), "Done")
    wait_for_all(count)
    return None if rank else _gather(patients, work, out)


def record_path(folder: Path, stem: str) -> Path:
    """Return the file of a patient's record."""
    return folder / PATIENTS / f"{stem}.json"


def inputs_of(patient: Patient, labels: str | None) -> list[Any]:
    """Return name and hash of each of a patient's files, the mask's last: what a stamp is made from.

    Raises
    ------
    CaseError
        If they cannot be found or read.
    """
    assert patient.folder is not None
    files = find_case_files(patient.folder, labels=labels)
    content = [(modality, path.name, file_sha256(path)) for modality, path in files.images.items()]
    if files.mask is not None:
        content.append(("mask", files.mask.name, file_sha256(files.mask)))
    return content


def digest(content: Any) -> str:
    """Return a hash of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def processes() -> tuple[int, int]:
    """Return this process's number and how many there are, as torchrun or SLURM says."""
    for rank, size in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        if rank in os.environ and size in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def wait_for_all(count: int) -> None:
    """Wait until every process has done its share."""
    if count == 1 or "MASTER_ADDR" not in os.environ:
        return
    import torch.distributed as dist

    # A patient takes minutes on a CPU, so the usual half hour may not do.
    dist.init_process_group("gloo", timeout=timedelta(days=7))
    dist.barrier()
    dist.destroy_process_group()


def _do(patient: Patient, work: PatientWork[Record], out: Path, cancelled: IsCancelled) -> None:
    """Leave a patient's files, or the reason why there are none."""
    path = record_path(out, patient.file_stem)
    stamp = work.stamp(patient)
    if _known(path, work, stamp) is not None:
        return
    try:
        record = work.make(patient, stamp, path.with_name(patient.file_stem), cancelled)
    except (OutputError, Cancelled):
        raise
    except NapariRdlError as error:
        reason = str(error)
    except Exception as error:
        # Hours of other patients' work must not be lost to one that nobody foresaw.
        logger.exception("%s failed", patient.name)
        reason = f"{type(error).__name__}: {error}"
    else:
        # Last, since it says that the others are there.
        write_text(path, record.model_dump_json(indent=1))
        return
    logger.info("%s is left out: %s", patient.name, reason)
    write_json(path, {"key": stamp["key"], "patient": patient.name, "failed": reason}, indent=1)


def _known(path: Path, work: PatientWork[Record], stamp: Mapping[str, str]) -> Record | None:
    """Return a patient's record if it is there, whole, and made from the same."""
    try:
        record = work.kind.model_validate_json(read_bytes(path, 2**28))
    except (OSError, ValidationError):
        # What failed is tried again: its files may have been mended.
        return None
    same = all(getattr(record, name) == value for name, value in stamp.items())
    return record if same and work.is_whole(path.with_name(path.name.removesuffix(".json"))) else None


def _gather(patients: Sequence[Patient], work: PatientWork[Record], out: Path) -> Outcome[Record]:
    records: dict[str, Record] = {}
    failed: dict[str, str] = {}
    for patient in patients:
        path, stamp = record_path(out, patient.file_stem), work.stamp(patient)
        record = _known(path, work, stamp)
        if record is None:
            failed[patient.name] = _reason(path, stamp["key"])
        else:
            records[patient.name] = record
    return Outcome(records, failed)


def _reason(path: Path, key: str) -> str:
    """Return why a patient has no record."""
    try:
        failure = _Failure.model_validate_json(read_bytes(path))
        if failure.key == key:
            return failure.failed
    except (OSError, ValidationError):
        pass
    return "The process that had it ended early; run it again."
