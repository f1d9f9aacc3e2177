"""The annotator's hand, and what it left behind."""

from __future__ import annotations

import numpy as np

from napari_rdl.correct import journal_path, read_journal

WAIT_MS = 60_000


def paint(qtbot, correct, voxel, value, size=3) -> None:
    """Paint as napari's brush does, and let its step be taken."""
    layer = correct.desk.layer
    layer.brush_size = size
    layer.paint(voxel, value)
    qtbot.waitUntil(lambda: not correct.desk.recorder._boxes, timeout=WAIT_MS)


def same(correct) -> bool:
    return np.array_equal(correct.desk.layer.data, correct.desk.history.labels)


def voxel_of(correct, value: int) -> tuple[int, int, int]:
    """Return a voxel of a class in the slice shown, away from the edge."""
    return tuple(map(int, np.argwhere(correct.desk.layer.data == value)[0]))


def journalled(correct):
    """Return what the journal on the disk holds now."""
    assert correct.desk.kept.journal.flush()
    return read_journal(journal_path(correct.desk.kept.identity), correct.desk.kept.identity)
