"""The file of a journal of corrections: whose it is, its records, and reading them back.

The file is a header and records, each ``length (4 bytes) | CRC-32 (4 bytes) | kind (1 byte) | content``,
numbers little-endian, the sum over kind and content. Whatever is cut off or damaged ends the journal there:
what stands before it is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import platformdirs

from napari_rdl.correct.edits import Step
from napari_rdl.correct.history import History
from napari_rdl.errors import JournalError
from napari_rdl.files import plain_name

if TYPE_CHECKING:
    from napari_rdl.case import Case

logger = logging.getLogger(__name__)

MAGIC = b"napari-rdl journal\n"
VERSION = 1
_VERSION = struct.Struct("<H")
_RECORD = struct.Struct("<II")
_SAVED = struct.Struct("<Id")
IDENTITY, BASE, STEP, UNDO, REDO, SAVED = b"IBSURW"
"""The kinds of records."""


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
    continued : str
        The name of the saved correction that the steps start from; empty where it is a prediction.
    """

    identity: Identity
    history: History
    saved: int
    saved_at: float | None
    end: int
    lost: int
    continued: str = ""

    @property
    def unsaved(self) -> bool:
        """Whether something was not saved."""
        return self.history.position != self.saved

    @property
    def began(self) -> float | None:
        """When the first step that was not saved was made."""
        steps = self.history.steps[min(self.saved, self.history.position) : self.history.position]
        return steps[0].time if steps else None


def record(kind: int, content: bytes = b"") -> bytes:
    """Return a record as it stands in the file."""
    body = bytes([kind]) + content
    return _RECORD.pack(len(body), zlib.crc32(body)) + body


def saved_record(position: int, at: float) -> bytes:
    """Return the record that says how many steps stood when the labels were saved, and when that was."""
    return record(SAVED, _SAVED.pack(position, at))


def opening(identity: Identity, base: np.ndarray, started: float | None = None, continued: str = "") -> bytes:
    """Return what a journal begins with: header, whose it is, and the labels that the steps start from."""
    owner = {
        **asdict(identity),
        "started": time.time() if started is None else started,
        "continued": continued,
    }
    parts = [MAGIC, _VERSION.pack(VERSION), record(IDENTITY, json.dumps(owner).encode())]
    return b"".join([*parts, record(BASE, zlib.compress(base.tobytes(), 1))])


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
    continued = ""
    end = head
    saved: tuple[int, float] | None = None
    for kind, part, after in records:
        try:
            if owner is None:
                owner, continued = _owner(kind, part)
                if identity is not None and (reason := identity.why_not(owner)) is not None:
                    raise JournalError(f"The journal {path} cannot be taken up: {reason}.")
            elif history is None:
                history = History(_base(kind, part, owner))
            elif kind == STEP:
                if saved is not None and history.position < saved[0]:
                    saved = None  # What was saved cannot be come back to.
                history.replay(Step.from_bytes(part))
            elif kind in (UNDO, REDO):
                if (history.undo() if kind == UNDO else history.redo()) is None:
                    raise ValueError("nothing to take back")
            elif kind == SAVED:
                saved = _SAVED.unpack(part)
            else:
                raise ValueError(f"a record of kind {kind}")
        except (ValueError, KeyError, TypeError, struct.error) as error:
            logger.warning("%s: damaged after %d bytes (%s)", path, end, error)
            break
        end = after
    if owner is None or history is None:
        raise JournalError(f"{path} is no journal of corrections, or its beginning is damaged.")
    position, at = saved if saved is not None else (0, None)
    return Found(owner, history, position, at, end, len(content) - end, continued)


def _records(content: bytes, start: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield kind, content and end of each whole record."""
    while start + _RECORD.size <= len(content):
        length, checksum = _RECORD.unpack_from(content, start)
        body = content[start + _RECORD.size : start + _RECORD.size + length]
        if not length or len(body) < length or zlib.crc32(body) != checksum:
            return
        start += _RECORD.size + length
        yield body[0], body[1:], start


def _owner(kind: int, content: bytes) -> tuple[Identity, str]:
    """Return whose a journal is, and the name of the correction that it goes on with."""
    if kind != IDENTITY:
        raise ValueError("no identity")
    try:
        known = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    name, shape, affine, images = (known[key] for key in ("name", "shape", "affine", "images"))
    if not (isinstance(name, str) and isinstance(affine, str) and isinstance(images, dict)):
        raise ValueError("no identity")
    if len(shape) != 3 or not all(type(length) is int and 0 < length < 2**15 for length in shape):
        raise ValueError("no shape")
    continued = known.get("continued", "")
    if not isinstance(continued, str):
        raise ValueError("no name of what was gone on with")
    return Identity(name, tuple(shape), affine, dict(images)), plain_name(continued) if continued else ""


def _base(kind: int, content: bytes, owner: Identity) -> np.ndarray:
    if kind != BASE:
        raise ValueError("no base labels")
    unpacker = zlib.decompressobj()
    size = int(np.prod(owner.shape))
    try:
        voxels = unpacker.decompress(content, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return np.frombuffer(voxels, np.uint8).reshape(owner.shape)
