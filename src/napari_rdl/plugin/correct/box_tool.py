"""A box that is dragged on the shown slice, and reaches some way to either side of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes

from napari_rdl.plugin.correct.place import shown_slice
from napari_rdl.plugin.viewer.layer_list import selection_kept

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_rdl.boxes import Box


class BoxDrag:
    """Waits for a box to be dragged on a layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    layer : Labels
        On which; its mode is given back in the end.
    depth : int
        Slices to either side that belong to the box.
    done : callable
        Called with the box, or with None where nothing was dragged.
    """

    def __init__(self, viewer: Any, layer: Labels, depth: int, done: Callable[[Box | None], None]) -> None:
        self._viewer = viewer
        self._layer = layer
        self._depth = depth
        self._done = done
        self._mode = layer.mode
        self._outline: Shapes | None = None
        layer.mode = "pan_zoom"
        # The camera stays where it is while a box is drawn.
        self._pans = viewer.scene.camera.mouse_pan
        viewer.scene.camera.mouse_pan = False
        layer.mouse_drag_callbacks.append(self._drag)

    def stop(self) -> None:
        """Wait no longer."""
        if self._drag in self._layer.mouse_drag_callbacks:
            self._layer.mouse_drag_callbacks.remove(self._drag)
        self._layer.mode = self._mode
        self._viewer.scene.camera.mouse_pan = self._pans
        if self._outline is not None and self._outline in self._viewer.layers:
            self._viewer.layers.remove(self._outline)
        self._outline = None

    def _drag(self, layer: Labels, event: Any) -> Iterator[None]:
        place = shown_slice(self._viewer, layer)
        first = self._voxel(event)
        box = None
        yield
        while event.type == "mouse_move" and place is not None:
            box = self._box_between(first, self._voxel(event), place)
            self._show(box, place)
            yield
        self.stop()
        self._done(box)

    def _voxel(self, event: Any) -> np.ndarray:
        return np.round(self._layer.world_to_data(event.position[-3:])).astype(int)

    def _box_between(self, one: np.ndarray, other: np.ndarray, place: tuple[int, int]) -> Box:
        low, high = np.minimum(one, other), np.maximum(one, other) + 1
        axis, number = place
        low[axis], high[axis] = number - self._depth, number + self._depth + 1
        shape = np.array(self._layer.data.shape)
        low, high = np.clip(low, 0, shape), np.clip(high, 0, shape)
        x, y, z = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
        return x, y, z

    def _show(self, box: Box, place: tuple[int, int]) -> None:
        corners = np.full((4, 3), float(place[1]))
        sides = [axis for axis in range(3) if axis != place[0]]
        for number, ends in enumerate(((0, 0), (0, 1), (1, 1), (1, 0))):
            for axis, end in zip(sides, ends, strict=True):
                corners[number, axis] = box[axis].stop - 0.5 if end else box[axis].start - 0.5
        if self._outline is None:
            layer = self._layer
            self._outline = Shapes(
                [corners],
                shape_type="rectangle",
                face_color="transparent",
                edge_color="white",
                edge_width=1,
                name="box",
                scale=layer.scale[-3:],
                translate=layer.translate[-3:],
                units=layer.units[-3:],
                axis_labels=layer.axis_labels[-3:],
            )
            with selection_kept(self._viewer):
                self._viewer.add_layer(self._outline)
        else:
            self._outline.data = [corners]
