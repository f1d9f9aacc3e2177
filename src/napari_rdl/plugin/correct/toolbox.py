"""What the tools do to the corrected layer of a desk, in the plane and at the place that are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_rdl.correct import Doubt, Edit, Source, doubtful_places, tools
from napari_rdl.plugin.correct.box_tool import BoxDrag
from napari_rdl.plugin.correct.desk import Desk
from napari_rdl.plugin.correct.place import go_to, shown_slice, slice_box
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.parts.waiting import while_the_window_lives

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_rdl.boxes import Box
    from napari_rdl.callbacks import IsCancelled, Progress

_TUMOUR = (1, 2, 3)


class Toolbox(QObject):
    """Carries tools out, off the GUI's thread while the window is drawn.

    Signals
    -------
    said : str
        What was done, or what to do first.
    waiting : str
        The tool that waits for a click; empty for none.
    failed : Exception
    """

    said = Signal(str)
    waiting = Signal(str)
    failed = Signal(object)

    def __init__(self, viewer: Viewer, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._desk = desk
        self._stop_waiting: Callable[[], None] | None = None
        self._doubts: list[Doubt] = []
        self._doubts_of: object = None
        self._next = 0
        self.worker = LatestTask(self)
        self.worker.failed.connect(self.failed)

    def shut_down(self) -> None:
        """Stop all work."""
        self.wait_for_no_click()
        self.worker.shut_down()

    def use(self, tool: str, mm: float = 1.0) -> None:
        """Use a tool; see `napari_rdl.plugin.correct.tools_box.TOOLS`."""
        if tool == "doubt":
            self.go_to_doubt()
            return
        layer, case = self._desk.layer, self._desk.case
        if layer is None or case is None or self._desk.recorder is None:
            return
        self._desk.recorder.settle()
        if tool in ("keep", "drop"):
            self._wait_for_click(layer, tool)
        elif tool == "box":
            self._wait_for_box(layer, mm)
        elif tool == "predicted":
            self._as_predicted()
        elif layer.selected_label not in _TUMOUR:
            self.said.emit("Choose NCR, ED or ET first.")
        elif tool in ("interpolate", "copy"):
            self._across_slices(tool, layer.selected_label)
        else:
            value, spacing = layer.selected_label, case.grid.spacing
            work: Callable[[np.ndarray], Edit] = {
                "grow": lambda labels: tools.grow(labels, value, spacing, mm),
                "shrink": lambda labels: tools.shrink(labels, value, spacing, mm),
                "smooth": lambda labels: tools.smooth(labels, value, spacing, mm),
                "fill": lambda labels: tools.fill_holes(labels, value),
            }[tool]
            self._do(work, tool)

    def map_value(self, old: int, new: int) -> None:
        """Make a value that is no class a class, wherever it is."""
        self._do(lambda labels: tools.map_value(labels, old, new), f"label {old} mapped")

    def drop_or_keep(self, tool: str, voxel: tuple[int, int, int]) -> None:
        """Drop the piece of tumour at a voxel, or keep that piece alone."""
        made = tools.keep_piece if tool == "keep" else tools.drop_piece
        self._do(lambda labels: made(labels, voxel), f"{tool} a piece")

    def go_to_doubt(self) -> None:
        """Show the next place where the model is unsure; it is worked out when first asked for."""
        representations, segment = self._desk.representations, self._desk.segment
        if representations is None or segment is None:
            return
        subset = segment.session.subset
        if self._doubts_of == (representations, subset):
            self._show_doubt()
            return

        def find(progress: Progress, cancelled: IsCancelled) -> list[Doubt]:
            from napari_rdl.compare import entropy

            return doubtful_places(entropy(representations, subset), representations.case.grid.voxel_ml)

        def found(places: list[Doubt]) -> None:
            self._doubts, self._doubts_of, self._next = places, (representations, subset), 0
            self._show_doubt()

        self.said.emit("Looking for places in doubt…")
        self.worker.ask(find, found)

    def wait_for_no_click(self) -> None:
        """No longer wait for a click."""
        if self._stop_waiting is not None:
            self._stop_waiting()

    def _show_doubt(self) -> None:
        case = self._desk.case
        if case is None or not self._doubts:
            self.said.emit("The model is sure everywhere.")
            return
        place = self._doubts[self._next % len(self._doubts)]
        number = self._next % len(self._doubts) + 1
        self._next += 1
        go_to(self._viewer, case.grid, place.voxel)
        self.said.emit(f"Doubt {number} of {len(self._doubts)}: {place.ml:.2f} ml.")

    def _do(self, work: Callable[[np.ndarray], Edit], name: str, source: Source = Source.HUMAN) -> int:
        recorder, case = self._desk.recorder, self._desk.case
        if recorder is None or case is None:
            return 0
        recorder.settle()
        labels = recorder.history.labels
        edit = while_the_window_lives(lambda _progress: work(labels), takes_input=False)
        changed = recorder.apply(edit, name, source)
        if not changed:
            self.said.emit(
                "Nothing there to change."
                if not len(edit)
                else "All of it is protected: nothing was changed."
            )
        else:
            self.said.emit(f"{name.capitalize()}: {changed * case.grid.voxel_ml:.2f} ml changed.")
        return changed

    def _across_slices(self, tool: str, value: int) -> None:
        place, history = self._place(), self._desk.history
        if place is None or history is None:
            self.said.emit("Show slices first: switch 3D off.")
            return
        axis, number = place
        if tool == "copy":
            if self._do(lambda labels: tools.copy_slice(labels, value, axis, number), "copy to next"):
                self._viewer.dims.set_current_step(self._viewer.dims.ndim - 3 + axis, number + 1)
            return
        own = (history.labels == value) & (history.sources == Source.HUMAN)
        others = tuple(other for other in range(3) if other != axis)
        painted = np.flatnonzero(own.any(axis=others)).tolist()
        if len(painted) < 2:
            self.said.emit("Paint the class in two slices first, with slices between them.")
            return
        self._do(lambda labels: tools.interpolate(labels, value, axis, painted), "between slices")

    def _as_predicted(self) -> None:
        place, history = self._place(), self._desk.history
        if history is None:
            return
        if place is None:
            self.said.emit("Show slices first: switch 3D off.")
            return
        base, box = history.base, slice_box(place, history.base.shape)
        self._do(lambda labels: tools.take_over(labels, base, box), "as predicted", Source.MODEL)

    def _place(self) -> tuple[int, int] | None:
        return shown_slice(self._viewer, self._desk.layer)

    def _wait_for_box(self, layer: Labels, mm: float) -> None:
        self.wait_for_no_click()
        place, case, segment = self._place(), self._desk.case, self._desk.segment
        if place is None or case is None or segment is None or segment.updater.segmentation is None:
            self.said.emit("Show slices first: switch 3D off.")
            return
        predicted = segment.updater.segmentation.labels

        def dragged(box: Box | None) -> None:
            stop()
            if box is not None:
                self._do(
                    lambda labels: tools.take_over(labels, predicted, box), "prediction in box", Source.MODEL
                )

        drag = BoxDrag(self._viewer, layer, round(mm / case.grid.spacing[place[0]]), dragged)

        def stop() -> None:
            self._stop_waiting = None
            drag.stop()
            self.waiting.emit("")

        self._stop_waiting = stop
        self.waiting.emit("box")
        self.said.emit(f"Drag a box on the picture; it reaches {mm:g} mm to either side of the slice.")

    def _wait_for_click(self, layer: Labels, tool: str) -> None:
        self.wait_for_no_click()
        mode = layer.mode

        def clicked(_layer: Labels, event: Any) -> None:
            self.wait_for_no_click()
            x, y, z = (round(float(place)) for place in layer.world_to_data(event.position[-3:]))
            self.drop_or_keep(tool, (x, y, z))

        def stop() -> None:
            self._stop_waiting = None
            if clicked in layer.mouse_drag_callbacks:
                layer.mouse_drag_callbacks.remove(clicked)
            layer.mode = mode
            self.waiting.emit("")

        layer.mode = "pan_zoom"
        layer.mouse_drag_callbacks.append(clicked)
        self._stop_waiting = stop
        self.waiting.emit(tool)
        self.said.emit("Click a piece of tumour.")
