"""Large pieces of memory are used again while a network runs, and go back to the system afterwards."""

from __future__ import annotations

import sys

import numpy as np
import psutil
import pytest

from napari_rdl.segment import kept_memory
from napari_rdl.segment.kept_memory import _glibc, large_pieces_kept

if sys.platform != "win32":
    import resource

pytestmark = pytest.mark.skipif(_glibc() is None, reason="glibc's allocator is spoken of")

PIECE = 40 * 2**20


def pages_fetched(times: int = 5) -> int:
    """Use a large piece of memory again and again; return how many pages the system had to clear."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.empty(PIECE, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def held() -> int:
    return psutil.Process().memory_info().rss


def test_a_piece_is_fetched_once_while_pieces_are_kept_and_given_back_at_the_end():
    kept_memory._set(2**17, 2**17)  # each piece is fetched for itself, and given back
    fetched = pages_fetched()
    before = held()
    with large_pieces_kept():
        with large_pieces_kept():
            np.empty(PIECE, np.uint8).fill(1)
        assert pages_fetched() < fetched / 2, "the outer one still keeps them"
    assert held() - before < PIECE // 2


def test_an_error_ends_it_too(monkeypatch):
    told = []
    monkeypatch.setattr(kept_memory, "_give_back", lambda: told.append("given back"))

    @large_pieces_kept()
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert told == ["given back"]
