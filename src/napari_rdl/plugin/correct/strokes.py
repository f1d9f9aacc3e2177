"""Where napari's own painting changed a label layer, as its `paint` event tells."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_rdl.boxes import Box

logger = logging.getLogger(__name__)


def painted_box(value: Any, shape: Sequence[int]) -> Box | None:
    """Return the box that a stroke lies in, or None where the event does not say.

    The event's content is private to napari: a list of either objects with a `slice_key`, or tuples of which
    the first part is a multi-index. Of anything else nothing is believed, and volumes are compared instead.
    """
    try:
        starts, stops = zip(*(_bounds(atom, shape) for atom in value), strict=True)
        low, high = np.min(starts, axis=0), np.max(stops, axis=0)
        if len(low) != len(shape):
            return None
        x, y, z = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
        return x, y, z
    except (AttributeError, TypeError, ValueError, IndexError):
        logger.info("A stroke of another version of napari (%s)", type(value).__name__)
        return None


def _bounds(atom: Any, shape: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the first voxel of a stroke's part, and the one behind its last."""
    if hasattr(atom, "slice_key"):
        spans = [part.indices(size)[:2] for part, size in zip(atom.slice_key, shape, strict=True)]
        return [start for start, _ in spans], [stop for _, stop in spans]
    places = [np.atleast_1d(axis) for axis in atom[0]]
    return [int(axis.min()) for axis in places], [int(axis.max()) + 1 for axis in places]
