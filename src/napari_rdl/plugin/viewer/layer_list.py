"""napari's list of layers, changed without a user noticing: the selection kept, the order set."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.components.grid import GridCanvas
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
_asked = 0
"""How often the collector was asked for."""


@contextmanager
def layers_removed() -> Iterator[None]:
    """Let several layers be removed at the price of none.

    napari collects garbage with each layer that goes, which takes a good part of a second once torch's
    objects are there. Here the collector finds nothing to look through until the last one is gone, and looks
    once, when the picture stands and no other change of the layers has come.
    """
    global _asked
    if gc.get_freeze_count():
        # Someone else keeps objects from the collector, and would lose that.
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        _asked = asked = _asked + 1
        # The first may fall due while the window is busy, and would come before its picture.
        QTimer.singleShot(_COLLECT_MS, lambda: QTimer.singleShot(_COLLECT_MS, lambda: _collect(asked)))


def _collect(asked: int) -> None:
    # What was asked last has yet to come.
    if asked == _asked:
        gc.collect()


@contextmanager
def selection_kept(viewer: ViewerModel) -> Iterator[None]:
    """Leave selected what the user selected, though layers are added.

    Nobody hears of a layer that was selected for a moment: each time napari would show its controls and work
    out the status bar.
    """
    selection = viewer.layers.selection
    active = selection.active
    with layers_added(viewer):
        if active is None:
            yield
            return
        with selection.events.blocker_all():
            try:
                yield
            finally:
                if active in viewer.layers:
                    selection.active = active


@contextmanager
def one_scene(viewer: ViewerModel) -> Iterator[None]:
    """Add, remove, move, show and hide layers, and set the grid, at the price of one new scene.

    napari makes its scene anew with each such step; here it does so once, at the end. A grid must be off
    meanwhile: its cells stand only when all layers are in place; see `cells_made`.
    """
    if viewer in _in_one_scene:
        yield
        return
    _in_one_scene.add(viewer)
    try:
        with layers_removed(), viewer.layers.batched_update():
            yield
    finally:
        _in_one_scene.discard(viewer)


@contextmanager
def cells_made(grid: GridCanvas) -> Iterator[None]:
    """Keep the grid off until its cells are all there, and switch it on; of one that was on nobody hears.

    Where the cells cannot be made it is as it was.
    """
    enabled = was_on = grid.enabled
    told = grid.events.enabled.blocker if was_on else nullcontext
    with told():
        grid.enabled = False
    try:
        yield
        enabled = True
    finally:
        with told():
            grid.enabled = enabled


_in_one_scene: WeakSet[ViewerModel] = WeakSet()


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
