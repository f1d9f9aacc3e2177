"""One edit of a label map: which voxels, what they were, what they became, who said it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import Box

_COUNTS = struct.Struct("<IHdBB")
"""Voxels, length of the name, time, source, zero."""


class Source(IntEnum):
    """Who said what a voxel is."""

    MODEL = 0
    REFINEMENT = 1
    HUMAN = 2


@dataclass(frozen=True, eq=False)
class Edit:
    """New values for some voxels of a label map; nothing is changed by making one.

    Attributes
    ----------
    indices : ndarray of int64, shape (N,)
        Flat positions in C order, ascending, each once.
    values : ndarray of uint8, shape (N,)
        Class indices to write there.
    """

    indices: NDArray[np.int64]
    values: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.indices)

    @classmethod
    def between(cls, before: NDArray[np.uint8], after: NDArray[np.uint8], box: Box | None = None) -> Edit:
        """Return what leads from one label map to the other, both (X, Y, Z), or both parts in `box`.

        Parameters
        ----------
        before, after : ndarray of uint8, shape (X, Y, Z)
            Whole volumes.
        box : Box, optional
            Where they may differ; everywhere if left out.
        """
        if box is None:
            indices = np.flatnonzero(before != after)
            return cls(indices, np.asarray(after.reshape(-1)[indices], np.uint8))
        inner = np.nonzero(before[box] != after[box])
        where = tuple(axis + part.start for axis, part in zip(inner, box, strict=True))
        indices = np.ravel_multi_index(where, before.shape).astype(np.int64)
        return cls(indices, np.asarray(after[where], np.uint8))

    @classmethod
    def of_mask(cls, mask: NDArray[np.bool_], value: int | NDArray[np.uint8]) -> Edit:
        """Return the edit that writes `value`, or each voxel's own of an array, wherever `mask` is."""
        indices = np.flatnonzero(mask)
        if isinstance(value, np.ndarray):
            return cls(indices, value.reshape(-1)[indices].astype(np.uint8))
        return cls(indices, np.full(len(indices), value, np.uint8))

    def where(self, kept: NDArray[np.bool_]) -> Edit:
        """Return the part of the edit for which `kept`, (N,), is true."""
        return Edit(self.indices[kept], self.values[kept])


@dataclass(frozen=True, eq=False)
class Step:
    """An edit that was made, packed; it can be taken back and made again.

    Attributes
    ----------
    name : str
        What it was, in a word or two.
    time : float
        When, in seconds since 1970.
    source : Source
        Who.
    packed : bytes
        The voxels; see `unpack`.
    """

    name: str
    time: float
    source: Source
    count: int
    packed: bytes

    @classmethod
    def pack(
        cls,
        name: str,
        time: float,
        source: Source,
        indices: NDArray[np.int64],
        old: NDArray[np.uint8],
        new: NDArray[np.uint8],
        old_sources: NDArray[np.uint8],
    ) -> Step:
        """Return a step from its voxels, all (N,); indices as in `Edit`."""
        # Neighbours in a row differ by one: differences pack to almost nothing.
        gaps = np.diff(indices, prepend=0).astype("<i8")
        content = gaps.tobytes() + b"".join(
            part.astype(np.uint8).tobytes() for part in (old, new, old_sources)
        )
        return cls(name, time, Source(source), len(indices), zlib.compress(content, 1))

    @cached_property
    def size(self) -> int:
        """Bytes that it takes in memory and in a journal, about."""
        return len(self.packed) + len(self.name) + _COUNTS.size

    def unpack(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Return indices, old values, new values and old sources, each (N,).

        Raises
        ------
        ValueError
            If it holds something else.
        """
        try:
            # No more than it says: a few bytes can unpack to gigabytes.
            content = zlib.decompressobj().decompress(self.packed, 11 * self.count + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if len(content) != 11 * self.count:
            raise ValueError(f"{len(content)} bytes for {self.count} voxels")
        gaps = np.frombuffer(content, "<i8", self.count)
        rest = np.frombuffer(content, np.uint8, offset=8 * self.count).reshape(3, self.count)
        return np.cumsum(gaps), rest[0], rest[1], rest[2]

    def to_bytes(self) -> bytes:
        """Return the step as a journal keeps it."""
        name = self.name.encode()
        return _COUNTS.pack(self.count, len(name), self.time, self.source, 0) + name + self.packed

    @classmethod
    def from_bytes(cls, content: bytes) -> Step:
        """Return a step from a journal.

        Raises
        ------
        ValueError
            If it is none.
        """
        try:
            count, length, time, source, _ = _COUNTS.unpack_from(content)
            start = _COUNTS.size
            name = content[start : start + length].decode()
            return cls(name, time, Source(source), count, content[start + length :])
        except struct.error as error:
            raise ValueError(str(error)) from error
