"""A worklist that is open: patients to be corrected, how far each one is, and whose turn is next.

One window writes a worklist at a time; whoever opens it second reads it, sees who has it, and follows what
the other one writes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_rdl.cohort.patients import Patient
from napari_rdl.cohort.worklist_file import (
    Entry,
    State,
    read_worklist_file,
    relative_to,
    write_worklist_file,
)
from napari_rdl.errors import ConfigError, OutputError, first_fault
from napari_rdl.files import plain_name
from napari_rdl.holder import Hold, Holder


class Worklist:
    """A worklist that is open. Not safe for several threads.

    Attributes
    ----------
    path : Path
    entries : tuple of Entry
        In the order of the file.
    holder : Holder or None
        Who writes it instead; None where this one may.

    Parameters
    ----------
    path : Path
    user : str
        What others are told of who has the list, and what entries say of who changed them.

    Raises
    ------
    ConfigError
        If it cannot be read, or is no worklist or one of another version.
    """

    def __init__(self, path: str | Path, user: str = "", *, read_only: bool = False) -> None:
        self.path = Path(path).absolute()
        self.user = user
        self._hold = Hold(self.path, user)
        self._stamp: tuple[int, int] | None = None
        self._rest: dict[str, Any] = {}
        self.entries: tuple[Entry, ...] = ()
        self.holder: Holder | None = None
        self._looks_only = read_only
        self.refresh()
        if not read_only:
            self._take()

    # --- Who has it

    @property
    def read_only(self) -> bool:
        """Whether it can only be looked at."""
        return self._looks_only or self.holder is not None or not self._hold.held

    def refresh(self) -> bool:
        """Read the file again if it changed, and take the list if it became free; True if anything changed.

        Call it now and then: it also says that this one still has the list.

        Raises
        ------
        ConfigError
            If the file is gone, or is no worklist any more.
        """
        changed = self._read()
        if self._looks_only or self._stamp is None:
            return changed
        before = self.read_only
        if self._hold.held and not self._hold.renew():
            changed = True
        if not self._hold.held and self.holder is not None:
            self._take()
        return changed or self.read_only != before

    def close(self) -> None:
        """Let others write it."""
        self._hold.release()

    def __enter__(self) -> Worklist:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- What stands in it

    def entry(self, name: str) -> Entry:
        """Return a patient's entry.

        Raises
        ------
        ConfigError
            If the list has none.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise ConfigError(f"The worklist {self.path} has no patient {name!r}.")

    def folder_of(self, entry: Entry) -> Path:
        """Return where a patient's files lie."""
        return Path(os.path.normpath(self.path.parent / entry.folder))

    def labels_of(self, entry: Entry) -> Path | None:
        """Return where a patient's corrected or accepted labels lie, if there are any."""
        return Path(os.path.normpath(self.path.parent / entry.labels)) if entry.labels is not None else None

    def labels_for(self, entry: Entry) -> Path:
        """Return where a patient's labels go if nobody says otherwise."""
        known = self.labels_of(entry)
        folder = self.path.with_name(f"{self.path.stem}-labels")
        return known or folder / f"{plain_name(entry.name)}_seg_corrected.nii.gz"

    def count(self, state: State) -> int:
        """Return how many patients are in a state."""
        return sum(entry.state is state for entry in self.entries)

    def ordered(self, *, by_doubt: bool = False) -> tuple[Entry, ...]:
        """Return the entries, least sure first if so asked; those that were not measured come last."""
        if not by_doubt:
            return self.entries
        return tuple(sorted(self.entries, key=lambda entry: (entry.doubt is None, -(entry.doubt or 0))))

    def step(self, name: str | None, step: int = 1, *, by_doubt: bool = False) -> Entry | None:
        """Return the next patient that is not done, or with -1 the one before; None where there is none.

        Parameters
        ----------
        name : str, optional
            From whom on; the first one if left out.
        step : int
            1 or -1.
        by_doubt : bool
            In the order of doubt.
        """
        entries = self.ordered(by_doubt=by_doubt)
        names = [entry.name for entry in entries]
        start = names.index(name) if name in names else (-1 if step > 0 else len(names))
        ahead = entries[start + 1 :] if step > 0 else entries[:start][::-1] if start >= 0 else ()
        return next((entry for entry in ahead if entry.state is not State.DONE), None)

    def finished(self) -> tuple[Patient, ...]:
        """Return the done patients, each with its corrected labels in the place of a mask."""
        return tuple(
            Patient(plain_name(entry.name), folder=self.folder_of(entry), mask=labels)
            for entry in self.entries
            if entry.state is State.DONE and (labels := self.labels_of(entry)) is not None
        )

    # --- Changing it

    def change(self, name: str, **values: Any) -> Entry:
        """Change a patient's entry, and write the list.

        Parameters
        ----------
        name : str
        **values
            Fields of `Entry`; `labels` may be a path.

        Raises
        ------
        ConfigError
            If the list has no such patient, a value does not fit, or somebody else has the list.
        OutputError
            If it cannot be written; the entry stays what it was.
        """
        return self.change_all({name: values})[0]

    def change_all(self, values: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
        """Change entries, name -> fields, and write the list once; see `change`."""
        self.require_ours()
        changed = {}
        for name, fields in values.items():
            fields = dict(fields)
            if fields.get("labels") is not None:
                fields["labels"] = relative_to(Path(fields["labels"]), self.path.parent)
            said = {"annotator": self.user.strip(), "changed": datetime.now(UTC).isoformat("T", "seconds")}
            try:
                changed[name] = Entry.model_validate({**self.entry(name).model_dump(), **said, **fields})
            except ValidationError as error:
                where, what = first_fault(error)
                given = error.errors()[0]["input"]
                raise ConfigError(f"{name}, {where}: {what} (given: {given!r}).") from None
        self._write(tuple(changed.get(entry.name, entry) for entry in self.entries))
        return list(changed.values())

    def _write(self, entries: tuple[Entry, ...]) -> None:
        write_worklist_file(self.path, entries, **self._rest)
        self.entries = entries
        self._stamp = _stamp(self.path)

    def require_ours(self) -> None:
        """Make sure that this one may write the list.

        Raises
        ------
        ConfigError
            If somebody else has it, or it was opened for reading.
        """
        if not self._looks_only and self._hold.held and self._hold.renew():
            return
        who = f"{self.holder.words()} has it" if self.holder is not None else "it is open for reading"
        raise ConfigError(f"The worklist {self.path} cannot be changed: {who}.")

    def _take(self) -> None:
        try:
            self.holder = self._hold.take()
        except OutputError:
            self._looks_only = True
            return
        if self.holder is None:
            # What the one before wrote last.
            self._read()

    def _read(self) -> bool:
        stamp = _stamp(self.path)
        if stamp is not None and stamp == self._stamp:
            return False
        content = read_worklist_file(self.path)
        self.entries, self._stamp, self._rest = content.patients, stamp, dict(content.model_extra or {})
        return True


def finished_patients(path: str | Path) -> tuple[Patient, ...]:
    """Return the done patients of a worklist with their labels; it is only read.

    Raises
    ------
    ConfigError
        If it cannot be read, or nobody is done.
    """
    patients = Worklist(path, read_only=True).finished()
    if not patients:
        raise ConfigError(f"The worklist {path} has no patient that is done and has labels.")
    return patients


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
