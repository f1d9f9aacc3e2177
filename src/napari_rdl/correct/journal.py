"""A journal of corrections: a file that grows with each step, so that a crash costs a second at most.

The file is a header and records, each ``length (4 bytes) | CRC-32 (4 bytes) | kind (1 byte) | content``,
numbers little-endian, the sum over kind and content. Header and base labels are written whole or not at all;
records are appended and brought to the disk by a thread of their own. Whatever is cut off or damaged ends the
journal there: what stands before it is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import queue
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import platformdirs

from napari_rdl.correct.edits import Step
from napari_rdl.correct.history import History
from napari_rdl.errors import JournalError, OutputError
from napari_rdl.files import plain_name, write_bytes

if TYPE_CHECKING:
    from napari_rdl.case import Case

logger = logging.getLogger(__name__)

MAGIC = b"napari-rdl journal\n"
VERSION = 1
COMPACT_ABOVE = 2**20
"""Bytes from which on a journal is written anew once more than half of it is no longer needed."""
_VERSION = struct.Struct("<H")
_RECORD = struct.Struct("<II")
_IDENTITY, _BASE, _STEP, _UNDO, _REDO, _SAVED = b"IBSURW"
_JOIN_SECONDS = 5.0


@dataclass(frozen=True)
class Identity:
    """Whose corrections a journal holds.

    Attributes
    ----------
    name : str
        The patient's.
    shape : tuple of int
    affine : str
        Hash of the grid's affine.
    images : Mapping[str, str]
        Modality -> hash of its image.
    """

    name: str
    shape: tuple[int, ...]
    affine: str
    images: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, case: Case) -> Identity:
        """Return a patient's; reads its files, so call it off the GUI's thread.

        Raises
        ------
        CaseError
            If a file has gone.
        """
        from napari_rdl.case.provenance import input_records

        affine = hashlib.sha256(np.round(case.grid.affine, 4).astype("<f8").tobytes()).hexdigest()
        images = {name: record.sha256 for name, record in input_records(case).items()}
        return cls(case.name, tuple(map(int, case.grid.shape)), affine, images)

    def why_not(self, other: Identity) -> str | None:
        """Return why a journal of `other` is not this patient's, as a clause, or None if it is."""
        if other.name != self.name:
            return f"it belongs to the patient {other.name}"
        if other.shape != self.shape or other.affine != self.affine:
            return "it was made on another grid"
        changed = [
            name for name in self.images if other.images.get(name, self.images[name]) != self.images[name]
        ]
        if changed:
            return f"{' and '.join(changed)} changed since"
        return None

    @property
    def file_name(self) -> str:
        """Where its journal lies: the same however its images change."""
        key = json.dumps([self.name, self.shape, self.affine]).encode()
        return f"{plain_name(self.name)[:80]}-{hashlib.sha256(key).hexdigest()[:12]}.journal"


def journal_path(identity: Identity, folder: Path | None = None) -> Path:
    """Return a patient's journal, in the user's data folder unless another one is given."""
    folder = folder or platformdirs.user_data_path("napari-rdl") / "corrections"
    return folder / identity.file_name


@dataclass(frozen=True)
class Found:
    """What a journal holds.

    Attributes
    ----------
    identity : Identity
    history : History
        Replayed.
    saved : int
        How many steps stood when the labels were last saved; 0 where they never were.
    saved_at : float or None
        When that was.
    end : int
        Bytes of the file that could be read.
    lost : int
        Bytes behind them that could not.
    """

    identity: Identity
    history: History
    saved: int
    saved_at: float | None
    end: int
    lost: int

    @property
    def unsaved(self) -> bool:
        """Whether something was not saved."""
        return self.history.position != self.saved

    @property
    def began(self) -> float | None:
        """When the first step that was not saved was made."""
        steps = self.history.steps[min(self.saved, self.history.position) : self.history.position]
        return steps[0].time if steps else None


class Journal:
    """Keeps a history's changes in a file; where that fails, work goes on and `problem` says why.

    Parameters
    ----------
    path : Path
    identity : Identity
    history : History
        Becomes its keeper.
    """

    def __init__(self, path: Path, identity: Identity, history: History) -> None:
        self.path = Path(path)
        self.problem: str | None = None
        self._identity = identity
        self._history = history
        self._saved: tuple[int, float] | None = None
        self._queue: queue.Queue[bytes | threading.Event | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._size = 0
        history.keeper = self

    @classmethod
    def begin(cls, path: Path, identity: Identity, history: History) -> Journal:
        """Begin a new journal; one that lies there already is kept beside it as ``.before``."""
        journal = cls(path, identity, history)
        try:
            if journal.path.exists():
                os.replace(journal.path, journal.path.with_suffix(".before"))
        except OSError as error:
            logger.warning("%s cannot be put aside (%s)", path, error)
        journal._rewrite()
        return journal

    @classmethod
    def go_on(cls, path: Path, found: Found, identity: Identity) -> Journal:
        """Go on with a journal that was read; what was damaged behind its end is dropped."""
        journal = cls(path, identity, found.history)
        if found.saved_at is not None:
            journal._saved = (found.saved, found.saved_at)
        journal._rewrite()
        return journal

    # --- What a history tells

    def step(self, step: Step) -> None:
        """Write a new step."""
        if self._saved is not None and self._history.position <= self._saved[0]:
            self._saved = None  # What was saved cannot be come back to.
        self._append(_STEP, step.to_bytes())

    def undo(self) -> None:
        """Write that the last step was taken back."""
        self._append(_UNDO)

    def redo(self) -> None:
        """Write that a step was made again."""
        self._append(_REDO)

    def saved(self) -> None:
        """Write that the labels as they stand were saved."""
        self._saved = (self._history.position, time.time())
        self._append(_SAVED, _saved_content(*self._saved))

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

    def move(self, path: Path) -> None:
        """Write the whole history to another place and go on there.

        Raises
        ------
        OutputError
            If that place does not do either; the journal stays where it was.
        """
        write_bytes(path, self._content())
        self._stop()
        self.path = Path(path)
        self.problem = None
        self._start()

    def _append(self, kind: int, content: bytes = b"") -> None:
        if self.problem is not None:
            return  # Written whole once there is a place for it.
        record = _record(kind, content)
        self._size += len(record)
        if self._size > COMPACT_ABOVE and self._size > 2 * self._needed():
            self._stop()
            self._rewrite()
        else:
            self._queue.put(record)

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
        identity = {**asdict(self._identity), "started": time.time()}
        base = _record(_BASE, zlib.compress(self._history.base.tobytes(), 1))
        parts = [MAGIC, _VERSION.pack(VERSION), _record(_IDENTITY, json.dumps(identity).encode()), base]
        parts += [_record(_STEP, step.to_bytes()) for step in self._history.steps]
        parts += [_record(_UNDO)] * (len(self._history.steps) - self._history.position)
        if self._saved is not None:
            parts.append(_record(_SAVED, _saved_content(*self._saved)))
        self._base_size = len(base)
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


def read_journal(path: Path, identity: Identity | None = None) -> Found:
    """Read a journal and replay it, up to whatever is damaged.

    Parameters
    ----------
    path : Path
    identity : Identity, optional
        Whose journal it has to be.

    Raises
    ------
    JournalError
        If it cannot be read, is of another version, or is not this patient's.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise JournalError(f"The journal {path} cannot be read ({error.strerror or error}).") from error
    head = len(MAGIC) + _VERSION.size
    if len(content) < head or not content.startswith(MAGIC):
        raise JournalError(f"{path} is no journal of corrections, or its beginning is damaged.")
    (version,) = _VERSION.unpack_from(content, len(MAGIC))
    if version != VERSION:
        raise JournalError(
            f"The journal {path} is of version {version}, and this program reads version {VERSION}: "
            "open it with the program that wrote it."
        )
    records = _records(content, head)
    owner = history = None
    end = head
    saved: tuple[int, float] | None = None
    for kind, part, after in records:
        try:
            if owner is None:
                owner = _identity(kind, part)
                if identity is not None and (reason := identity.why_not(owner)) is not None:
                    raise JournalError(f"The journal {path} cannot be taken up: {reason}.")
            elif history is None:
                history = History(_base(kind, part, owner))
            elif kind == _STEP:
                if saved is not None and history.position < saved[0]:
                    saved = None  # What was saved cannot be come back to.
                history.replay(Step.from_bytes(part))
            elif kind in (_UNDO, _REDO):
                if (history.undo() if kind == _UNDO else history.redo()) is None:
                    raise ValueError("nothing to take back")
            elif kind == _SAVED:
                saved = _SAVED_CONTENT.unpack(part)
            else:
                raise ValueError(f"a record of kind {kind}")
        except (ValueError, KeyError, TypeError, struct.error) as error:
            logger.warning("%s: damaged after %d bytes (%s)", path, end, error)
            break
        end = after
    if owner is None or history is None:
        raise JournalError(f"{path} is no journal of corrections, or its beginning is damaged.")
    position, at = saved if saved is not None else (0, None)
    return Found(owner, history, position, at, end, len(content) - end)


_SAVED_CONTENT = struct.Struct("<Id")


def _saved_content(position: int, at: float) -> bytes:
    return _SAVED_CONTENT.pack(position, at)


def _record(kind: int, content: bytes = b"") -> bytes:
    body = bytes([kind]) + content
    return _RECORD.pack(len(body), zlib.crc32(body)) + body


def _records(content: bytes, start: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield kind, content and end of each whole record."""
    while start + _RECORD.size <= len(content):
        length, checksum = _RECORD.unpack_from(content, start)
        body = content[start + _RECORD.size : start + _RECORD.size + length]
        if not length or len(body) < length or zlib.crc32(body) != checksum:
            return
        start += _RECORD.size + length
        yield body[0], body[1:], start


def _identity(kind: int, content: bytes) -> Identity:
    if kind != _IDENTITY:
        raise ValueError("no identity")
    known = json.loads(content)
    return Identity(known["name"], tuple(known["shape"]), known["affine"], dict(known["images"]))


def _base(kind: int, content: bytes, owner: Identity) -> np.ndarray:
    if kind != _BASE:
        raise ValueError("no base labels")
    unpacker = zlib.decompressobj()
    size = int(np.prod(owner.shape))
    try:
        voxels = unpacker.decompress(content, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return np.frombuffer(voxels, np.uint8).reshape(owner.shape)
