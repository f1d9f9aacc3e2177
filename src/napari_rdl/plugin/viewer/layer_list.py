"""napari's list of layers, changed without a user noticing: the selection kept, the order set."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


@contextmanager
def layers_added(viewer: ViewerModel) -> Iterator[None]:
    """Let layers be added in 3D, too.

    napari works out at once what the status bar says of a layer that is added and selected, and fails in 3D
    as long as the cursor has never been over the canvas; its next move says it anyway.
    """
    over = viewer.mouse_over_canvas
    viewer.mouse_over_canvas = False
    try:
        yield
    finally:
        viewer.mouse_over_canvas = over


_COLLECT_MS = 1000
_collecting: list[bool] = []


@contextmanager
def layers_removed() -> Iterator[None]:
    """Let several layers be removed at the price of none.

    napari collects garbage with each layer that goes, which takes a good part of a second once torch's
    objects are there. Here the collector finds nothing to look through until the last one is gone, and looks
    once, when the picture stands.
    """
    if gc.get_freeze_count():
        # Someone else keeps objects from the collector, and would lose that.
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if not _collecting:
            _collecting.append(True)
            QTimer.singleShot(_COLLECT_MS, _collect)


def _collect() -> None:
    _collecting.clear()
    gc.collect()


@contextmanager
def selection_kept(viewer: ViewerModel) -> Iterator[None]:
    """Leave selected what the user selected, though layers are added."""
    active = viewer.layers.selection.active
    with layers_added(viewer):
        yield
        if active is not None and active in viewer.layers:
            viewer.layers.selection.active = active


def reorder(viewer: ViewerModel, layers: Sequence[Layer]) -> None:
    """Put these layers first, in this order, bottom first."""
    for index, layer in enumerate(layers):
        current = viewer.layers.index(layer)
        if current != index:
            viewer.layers.move(current, index)


def order_back(viewer: ViewerModel, before: Sequence[Layer]) -> None:
    """Put the layers back as they stood `before`; what was added meanwhile stays on top."""
    left = [layer for layer in before if layer in viewer.layers]
    reorder(viewer, left + [layer for layer in viewer.layers if layer not in left])
