"""A worklist's file: what is kept of each patient, in plain JSON.

Paths in the file are relative to it, so that its folder may be moved.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_rdl.cohort.patients import folder_patients
from napari_rdl.errors import ConfigError, Remedy, first_fault
from napari_rdl.files import parse_json, read_bytes, write_text

FORMAT = "napari-rdl worklist"

VERSION = 1

_MOST_BYTES = 2**26


class State(StrEnum):
    """How far a patient is."""

    TO_DO = "to do"
    IN_WORK = "in work"
    DONE = "done"
    NEEDS_REVIEW = "needs review"


class Entry(BaseModel):
    """One patient of a worklist."""

    # What a newer version writes more of a patient is kept, not lost.
    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(min_length=1, title="Name", description="The patient's, once in a list.")
    folder: str = Field(min_length=1, title="Folder", description="The patient's, relative to the list.")
    state: State = Field(State.TO_DO, title="State", description="How far the patient is.")
    note: str = Field("", title="Note", description="Whatever somebody wants to say.")
    doubt: float | None = Field(
        None,
        ge=0,
        title="Doubt",
        description="How unsure the model is: mean entropy in and round the tumour.",
    )
    labels: str | None = Field(
        None, title="Labels", description="Corrected or accepted labels, relative to the list."
    )
    accepted: bool = Field(False, title="Accepted", description="Whether they are the prediction as it was.")
    annotator: str = Field("", title="Annotator", description="Who changed this entry last.")
    changed: str = Field("", title="Changed", description="When, in UTC.")


class WorklistFile(BaseModel):
    """All that a worklist's file says."""

    model_config = ConfigDict(extra="allow", frozen=True)

    format: Literal["napari-rdl worklist"]
    version: int
    patients: tuple[Entry, ...]


def new_worklist(
    folders: Iterable[str | Path], path: str | Path, *, known: Iterable[Entry] = ()
) -> tuple[Entry, ...]:
    """Write a worklist of all patients below some folders, and return its entries.

    Parameters
    ----------
    folders : iterable of str or Path
    path : str or Path
        The list's file.
    known : iterable of Entry
        Entries of a list that is there already: they stay, and patients that it does not have come behind.

    Raises
    ------
    ConfigError
        If a folder is not there or has no patients, or if two patients have one name.
    OutputError
        If the list cannot be written.
    """
    path = Path(path).absolute()
    entries = {entry.name: entry for entry in known}
    for folder in folders:
        for patient in folder_patients(folder):
            assert patient.folder is not None
            where = relative_to(patient.folder, path.parent)
            there = entries.get(patient.name)
            if there is not None and there.folder != where:
                raise ConfigError(
                    f"Two patients are called {patient.name}, in {there.folder} and {where}: put them into "
                    "lists of their own."
                )
            if there is None:
                entries[patient.name] = Entry(name=patient.name, folder=where)
    return write_worklist_file(path, entries.values())


def is_worklist(path: str | Path) -> bool:
    """Return whether a file is a worklist, whole or damaged; anything else is not, nor what is not there."""
    try:
        content = parse_json(read_bytes(path, _MOST_BYTES))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def read_worklist_file(path: Path) -> WorklistFile:
    """Read and check a worklist's file.

    Raises
    ------
    ConfigError
        If it cannot be read, or is no worklist or one of another version.
    """
    try:
        content = parse_json(read_bytes(path, _MOST_BYTES))
    except OSError as error:
        raise ConfigError(f"The worklist {path} cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise ConfigError(f"The worklist {path} is damaged: it is no JSON ({error}).") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ConfigError(f"{path} is no worklist", Remedy.MAKE_WORKLIST)
    if content.get("version") != VERSION:
        raise ConfigError(
            f"The worklist {path} is of version {content.get('version')}, and this program reads version "
            f"{VERSION}: open it with the program that wrote it."
        )
    try:
        found = WorklistFile.model_validate(content)
    except ValidationError as error:
        where, what = first_fault(error)
        raise ConfigError(f"The worklist {path} does not fit at {where}: {what}.") from None
    names = [entry.name for entry in found.patients]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"The worklist {path} has the patient {twice} twice.")
    return found


def write_worklist_file(path: Path, entries: Iterable[Entry], **rest: Any) -> tuple[Entry, ...]:
    """Write a worklist, with what a newer version says more of it, and return its entries.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = WorklistFile(format=FORMAT, version=VERSION, patients=tuple(entries), **rest)
    write_text(path, content.model_dump_json(indent=2) + "\n")
    return content.patients


def relative_to(path: Path, folder: Path) -> str:
    """Return where a path is, seen from a folder; whole where that lies on another drive."""
    path = Path(os.path.abspath(path))
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
