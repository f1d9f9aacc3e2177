"""A journal of corrections: a file that grows with each step, so that a crash costs a second at most.

The opening of the file is written whole or not at all; records are appended and brought to the disk by a
thread of their own. `journal_file` knows how they look.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from pathlib import Path
from typing import Any

from napari_rdl.correct.edits import Step
from napari_rdl.correct.history import History
from napari_rdl.correct.journal_file import REDO, STEP, UNDO, Found, Identity, opening, record, saved_record
from napari_rdl.errors import JournalError, OutputError
from napari_rdl.files import write_bytes
from napari_rdl.holder import Hold

logger = logging.getLogger(__name__)

COMPACT_ABOVE = 2**20
"""Bytes from which on a journal is written anew once more than half of it is no longer needed."""
_JOIN_SECONDS = 5.0


class Journal:
    """Keeps a history's changes in a file; where that fails, work goes on and `problem` says why.

    Parameters
    ----------
    path : Path
    identity : Identity
    history : History
        Becomes its keeper.
    hold : Hold, optional
        The caller's own on the file; without one the journal takes it for as long as it is open.
    continued : str
        The name of the saved correction that the history starts from, if it does.

    Raises
    ------
    JournalError
        If another window or process writes this file.
    """

    def __init__(
        self,
        path: Path,
        identity: Identity,
        history: History,
        hold: Hold | None = None,
        continued: str = "",
    ) -> None:
        self.path = Path(path)
        self._own_hold = _held(self.path) if hold is None else None
        self.problem: str | None = None
        self._identity = identity
        self._history = history
        self._continued = continued
        self._saved: tuple[int, float] | None = None
        self._queue: queue.Queue[bytes | threading.Event | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._size = 0
        history.keeper = self

    @classmethod
    def begin(
        cls,
        path: Path,
        identity: Identity,
        history: History,
        hold: Hold | None = None,
        continued: str = "",
    ) -> Journal:
        """Begin a new journal; one that lies there already is kept beside it as ``.before``."""
        journal = cls(path, identity, history, hold, continued)
        put_aside(journal.path)
        journal._rewrite()
        return journal

    @classmethod
    def go_on(cls, path: Path, found: Found, identity: Identity, hold: Hold | None = None) -> Journal:
        """Go on with a journal that was read; what was damaged behind its end is dropped."""
        journal = cls(path, identity, found.history, hold, found.continued)
        if found.saved_at is not None:
            journal._saved = (found.saved, found.saved_at)
        journal._rewrite()
        return journal

    # --- What a history tells

    def step(self, step: Step) -> None:
        """Write a new step."""
        if self._saved is not None and self._history.position <= self._saved[0]:
            self._saved = None  # What was saved cannot be come back to.
        self._append(record(STEP, step.to_bytes()))

    def undo(self) -> None:
        """Write that the last step was taken back."""
        self._append(record(UNDO))

    def redo(self) -> None:
        """Write that a step was made again."""
        self._append(record(REDO))

    def saved(self) -> None:
        """Write that the labels as they stand were saved."""
        self._saved = (self._history.position, time.time())
        self._append(saved_record(*self._saved))

    # --- The file

    def flush(self, timeout: float = _JOIN_SECONDS) -> bool:
        """Wait until all is on the disk; True if it is."""
        if self._thread is None:
            return self.problem is None
        done, until = threading.Event(), time.monotonic() + timeout
        self._queue.put(done)
        # Whoever writes may fail with this in its hands.
        while not done.wait(0.05) and self.problem is None and time.monotonic() < until:
            pass
        return done.is_set() and self.problem is None

    def close(self) -> None:
        """Write what is left and let the file go."""
        if self._history.keeper is self:
            self._history.keeper = None
        self._stop()
        if self._own_hold is not None:
            self._own_hold.release()

    def move(self, path: Path) -> None:
        """Write the whole history to another place and go on there.

        Raises
        ------
        OutputError
                If that place does not do either; the journal stays where it was.
        JournalError
            If another window or process writes that file.
        """
        hold = _held(Path(path))
        try:
            write_bytes(path, self._content())
        except OutputError:
            hold.release()
            raise
        self._stop()
        if self._own_hold is not None:
            self._own_hold.release()
        self._own_hold = hold
        self.path = Path(path)
        self.problem = None
        self._start()

    def _append(self, written: bytes) -> None:
        if self.problem is not None:
            return  # Written whole once there is a place for it.
        self._size += len(written)
        if self._size > COMPACT_ABOVE and self._size > 2 * self._needed():
            self._stop()
            self._rewrite()
        else:
            self._queue.put(written)

    def _needed(self) -> int:
        return sum(step.size for step in self._history.steps) + self._base_size

    def _rewrite(self) -> None:
        try:
            write_bytes(self.path, self._content())
        except OutputError as error:
            self.problem = str(error)
            return
        self._start()

    def _content(self) -> bytes:
        start = opening(self._identity, self._history.base, continued=self._continued)
        parts = [start, *(record(STEP, step.to_bytes()) for step in self._history.steps)]
        parts += [record(UNDO)] * (len(self._history.steps) - self._history.position)
        if self._saved is not None:
            parts.append(saved_record(*self._saved))
        self._base_size = len(start)
        content = b"".join(parts)
        self._size = len(content)
        return content

    def _start(self) -> None:
        self._queue = queue.Queue()
        # A daemon: a window that closes without `close` must not wait for it.
        self._thread = threading.Thread(target=self._write, args=(self._queue,), daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(_JOIN_SECONDS)
            self._thread = None

    def _write(self, records: queue.Queue[bytes | threading.Event | None]) -> None:
        try:
            with open(self.path, "r+b", buffering=0) as file:
                file.seek(0, os.SEEK_END)
                self._write_to(file, records)
        except OSError as error:
            self.problem = f"{self.path} cannot be written ({error.strerror or error})"
            logger.warning("The journal stopped: %s", self.problem)
            while True:
                item = records.get()
                if item is None:
                    return
                if isinstance(item, threading.Event):
                    item.set()

    @staticmethod
    def _write_to(file: Any, records: queue.Queue[bytes | threading.Event | None]) -> None:
        while True:
            items = [records.get()]
            while not records.empty():
                items.append(records.get())
            content = memoryview(b"".join(item for item in items if isinstance(item, bytes)))
            while content:
                content = content[file.write(content) :]
            os.fsync(file.fileno())
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()
            if None in items:
                return


def put_aside(path: Path) -> None:
    """Keep the journal that lies there, if one does, beside its place as ``.before``."""
    try:
        if path.exists():
            path.replace(path.with_suffix(".before"))
    except OSError as error:
        logger.warning("%s cannot be put aside (%s)", path, error)


def _held(path: Path) -> Hold:
    """Return a hold on a journal that is ours, or on none where no mark can be made."""
    hold = Hold(path)
    try:
        holder = hold.take()
    except OutputError as error:
        logger.warning("%s", error)
        return hold
    if holder is not None:
        raise JournalError(f"The journal {path} is being written by {holder.words()}: wait for its end.")
    return hold
