"""Refinement from scribbles: a layer to scribble on, and labels that follow each stroke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl.correct import Edit, Source
from napari_rdl.plugin.correct.desk import Desk
from napari_rdl.plugin.correct.place import shown_slice, slice_box
from napari_rdl.plugin.correct.recorder import REDO, UNDO
from napari_rdl.plugin.correct.refine_box import STROKES, RefineBox
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.viewer.appearance import placement, redraw
from napari_rdl.plugin.viewer.layer_list import layers_added
from napari_rdl.plugin.viewer.roles import Role, role_metadata

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.boxes import Box
    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.correct.refine import Refinement, Refiner

_WAIT_MS = 60
"""Pause behind a stroke, in which the next may follow."""
_SCRIBBLE = "Scribble on the picture; the labels around follow."


@dataclass(frozen=True, eq=False)
class _Heard:
    """Strokes that were listened to, and the slice shown as they make it."""

    key: object
    refiner: Refiner
    refinement: Refinement
    shown: NDArray[np.uint8] | None


class Refining(QObject):
    """Hears strokes and has the corrected layer follow them, as steps of the desk's history.

    The strokes since the last other step are heard together; a step taken back takes its stroke with it.
    What a human painted is left as it is.

    Signals
    -------
    failed : Exception
    """

    failed = Signal(object)

    def __init__(self, viewer: Viewer, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._desk = desk
        self.box = RefineBox()
        self.layer: Labels | None = None
        self._heard: NDArray[np.uint8] | None = None
        self._before: NDArray[np.uint8] | None = None
        self._steps: list[tuple[int, NDArray[np.uint8]]] = []
        self._refiner: tuple[object, Refiner] | None = None
        self._own = False
        self._first = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_WAIT_MS)
        self._soon.timeout.connect(self._refine)
        self.worker = LatestTask(self)
        self.worker.failed.connect(self.failed)
        self.box.stroke_chosen.connect(self.scribble)
        desk.changed.connect(self._on_changed)
        desk.work_changed.connect(self._on_work)
        desk.patient_changed.connect(self._on_work)

    @property
    def busy(self) -> bool:
        """Whether a stroke is being listened to."""
        return self._soon.isActive() or self.worker.busy

    def shut_down(self) -> None:
        """Stop all work and take the scribbles away."""
        self._soon.stop()
        self.worker.shut_down()
        self._remove()

    def scribble(self, value: int) -> None:
        """Let the next strokes say `value`, a key of `STROKES`."""
        case = self._desk.case
        if case is None or self._desk.recorder is None or self._desk.representations is None:
            return
        if self.layer is None or self.layer not in self._viewer.layers:
            self._remove()
            colours: dict[int | None, str] = {None: "transparent", 0: "transparent"}
            colours.update((number, colour) for number, (_, colour) in STROKES.items())
            self.layer = Labels(
                np.zeros(case.grid.shape, np.uint8),
                name=f"{case.name} scribbles",
                colormap=DirectLabelColormap(color_dict=colours),
                metadata=role_metadata(Role.SCRIBBLES, case),
                opacity=0.9,
                **placement(case.grid),
            )
            self.layer.brush_size = 3
            self._heard = np.zeros(case.grid.shape, np.uint8)
            with layers_added(self._viewer):
                self._viewer.add_layer(self.layer)
            self.layer.events.paint.connect(self._on_paint)
            self.layer.bind_key(UNDO, lambda _layer: self._walk("undo"), overwrite=True)
            self.layer.bind_key(REDO, lambda _layer: self._walk("redo"), overwrite=True)
        self.layer.selected_label = value
        self.layer.mode = "paint"
        self._viewer.layers.selection.active = self.layer
        self.box.status.setText(_SCRIBBLE)
        if self._refiner is None:
            self._get_ready()

    def _walk(self, way: str) -> None:
        if self._desk.recorder is not None:
            getattr(self._desk.recorder, way)()

    def _on_paint(self, event: object) -> None:
        self._soon.start()

    def _refine(self) -> None:
        recorder, segment = self._desk.recorder, self._desk.segment
        if recorder is None or segment is None or self.layer is None or self._desk.representations is None:
            return
        recorder.settle()
        if self._before is None:
            self._before = recorder.history.labels.copy()
        before, scribbles = self._before, np.array(self.layer.data)
        prepare, place = self._preparing(), shown_slice(self._viewer, self.layer)

        def listen(progress: Progress, cancelled: IsCancelled) -> _Heard:
            key, refiner = prepare(progress, cancelled)
            refinement = refiner.fit(before, scribbles)
            shown = refinement.label_slice(*place) if place is not None else None
            return _Heard(key, refiner, refinement, shown)

        def listened(heard: _Heard) -> None:
            self._refiner = (heard.key, heard.refiner)
            # Another step meanwhile: the strokes are heard anew from what stands now.
            if self._desk.recorder is not recorder or self._before is not before:
                return
            # The slice that is looked at comes first; the volume then takes its place, as one step.
            if place is not None and heard.shown is not None:
                box = slice_box(place, before.shape)
                labels = recorder.history.labels.copy()
                labels[box] = heard.shown.reshape(labels[box].shape)
                self._show_first(labels, scribbles, box)
            self.worker.ask(lambda _progress, _cancelled: heard.refinement.labels(), refined)

        def refined(labels: NDArray[np.uint8]) -> None:
            if self._desk.recorder is recorder and self._before is before:
                self._show(labels, scribbles)

        self.box.status.setText("Listening to the stroke…")
        self.worker.ask(listen, listened)

    def _preparing(self) -> Callable[[Progress, IsCancelled], tuple[object, Refiner]]:
        """Return what gathers, in a worker, what is known of each voxel, unless it is known already."""
        assert self._desk.segment is not None
        representations, subset = self._desk.representations, self._desk.segment.session.subset
        known, key = self._refiner, (representations, subset)

        def prepare(progress: Progress, cancelled: IsCancelled) -> tuple[object, Refiner]:
            from napari_rdl.correct.refine import Refiner

            if known is not None and known[0] == key:
                return known
            assert representations is not None
            return key, Refiner(representations, subset, progress=progress, cancelled=cancelled)

        return prepare

    def _get_ready(self) -> None:
        """Gather what is known of each voxel while the hand is on its way to the first stroke."""
        if self.busy:
            return

        def ready(found: tuple[object, Refiner]) -> None:
            self._refiner = found
            if not self._soon.isActive():
                self.box.status.setText(_SCRIBBLE)

        self.box.status.setText("Getting ready; scribble meanwhile.")
        self.worker.ask(self._preparing(), ready)

    def _show_first(self, labels: NDArray[np.uint8], scribbles: NDArray[np.uint8], box: Box) -> None:
        self._take_first_back()
        self._first = self._apply(labels, scribbles, box) > 0

    def _take_first_back(self) -> None:
        """Take the step of the slice back, before the volume's step takes its place."""
        if self._first and self._desk.recorder is not None:
            self._first = False
            self._own = True
            try:
                self._desk.recorder.undo()
            finally:
                self._own = False

    def _show(self, labels: NDArray[np.uint8], scribbles: NDArray[np.uint8]) -> None:
        recorder, case = self._desk.recorder, self._desk.case
        if recorder is None or case is None or self._heard is None:
            return
        recorder.settle()
        if self._before is None:
            return  # Something was painted meanwhile, which ended these strokes.
        self._take_first_back()
        changed = self._apply(labels, scribbles, None)
        if changed:
            self._steps.append((recorder.history.position, self._heard))
        self._heard = scribbles
        self.box.status.setText(f"Refined: {changed * case.grid.voxel_ml:.2f} ml changed.")

    def _apply(self, labels: NDArray[np.uint8], scribbles: NDArray[np.uint8], box: Box | None) -> int:
        """Make the labels what was heard, but for what a human painted; return how many voxels changed."""
        recorder = self._desk.recorder
        assert recorder is not None
        edit = Edit.between(recorder.history.labels, labels, box)
        drawn = scribbles.reshape(-1)[edit.indices] > 0
        human = recorder.history.sources.reshape(-1)[edit.indices] == Source.HUMAN
        self._own = True
        try:
            return recorder.apply(edit.where(drawn | ~human), "refinement", Source.REFINEMENT)
        finally:
            self._own = False

    def _on_changed(self) -> None:
        """Take back a stroke with its step; any other step ends the strokes heard together."""
        history = self._desk.history
        if self._own or history is None or self._before is None:
            return
        if self._first:
            # The step of the slice was taken back, or another one follows it: the volume is not wanted.
            self._first = False
            self.worker.drop()
            undone = not self._steps or history.position == self._steps[-1][0]
            if undone and history.position < len(history.steps):
                self._set_strokes(self._heard if self._heard is not None else np.zeros_like(history.labels))
                if not self._steps:
                    self._before = None
                return
        if self._steps and history.position == self._steps[-1][0] - 1:
            _, heard = self._steps.pop()
            self._set_strokes(heard)
            if not self._steps:
                self._before = None
        else:
            self._end_strokes()

    def _end_strokes(self) -> None:
        self._soon.stop()
        self._first = False
        self._steps.clear()
        self._before = None
        if self.layer is not None:
            self._set_strokes(np.zeros_like(self.layer.data))

    def _set_strokes(self, strokes: NDArray[np.uint8]) -> None:
        if self.layer is not None:
            np.copyto(self.layer.data, strokes)
            self._heard = np.array(strokes)
            redraw(self.layer)
            self.box.status.setText(_SCRIBBLE)

    def _on_work(self) -> None:
        self._soon.stop()
        self.worker.drop()
        self._steps.clear()
        self._before = None
        self._first = False
        self._remove()
        if self._desk.representations is None:
            self._refiner = None
        self.box.status.setText("")

    def _remove(self) -> None:
        if self.layer is not None:
            self.layer.events.paint.disconnect(self._on_paint)
            if self.layer in self._viewer.layers:
                self._viewer.layers.remove(self.layer)
            self.layer = None
