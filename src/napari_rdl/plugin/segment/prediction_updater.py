"""Keeps the prediction layer at the subset chosen: the slice shown at once, then the volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.segment.every_subset import EverySubset
from napari_rdl.plugin.viewer.layer_list import selection_kept
from napari_rdl.plugin.viewer.prediction import PredictionLayer
from napari_rdl.plugin.viewer.roles import role_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.segment import Representations, Segmentation

PAINT_FIRST_MS = 15
"""Time for the slice to reach the screen before the volume takes the processor."""

THUMBNAIL_MS = 250
"""After a flip's picture, which the list of layers would keep waiting."""


class PredictionUpdater(QObject):
    """Draws one patient's prediction. The last subset asked for wins, whatever is still at work.

    What a subset says is combined when it is asked for, until every subset has been in the background.

    Signals
    -------
    settled : Segmentation
        The whole volume of the subset asked for last is shown.
    progressed : int, int, str
        How far the volume is.
    failed : Exception

    Attributes
    ----------
    prediction : PredictionLayer or None
    segmentation : Segmentation or None
        The volume shown last.
    every : EverySubset
        What was combined in the background.
    """

    settled = Signal(object)
    progressed = Signal(int, int, str)
    failed = Signal(object)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._volume = LatestTask(self)
        self._volume.failed.connect(self._on_failed)
        self._volume.progressed.connect(self.progressed)
        self.every = EverySubset(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAINT_FIRST_MS)
        self._timer.timeout.connect(self._start_volume)
        self._thumbnail_timer = QTimer(self)
        self._thumbnail_timer.setSingleShot(True)
        self._thumbnail_timer.setInterval(THUMBNAIL_MS)
        self._thumbnail_timer.timeout.connect(self._draw_thumbnail)
        self._representations: Representations | None = None
        self._wanted: tuple[str, ...] = ()
        self._pending = False
        self._outlines = False
        self._hidden = False
        self.prediction: PredictionLayer | None = None
        self.segmentation: Segmentation | None = None
        for event in (viewer.dims.events.current_step, viewer.dims.events.order, viewer.dims.events.ndisplay):
            event.connect(self._on_place_changed)

    @property
    def pending(self) -> bool:
        """Whether the layer does not hold the whole volume yet."""
        return self._pending

    def set_outlines(self, on: bool) -> None:
        """Show regions as outlines, now and in layers to come."""
        self._outlines = on
        self._hidden = False
        if self.prediction is not None:
            with selection_kept(self._viewer):
                self.prediction.set_outlines(on)

    def show(self, representations: Representations, subset: tuple[str, ...]) -> None:
        """Show the prediction of `subset`: the slice in view now, the volume as soon as it is there."""
        if (representations, subset) == (self._representations, self._wanted) and not self._pending:
            return
        self._representations, self._wanted = representations, subset
        self._come_back()
        known = self.every.segmentation(representations, subset)
        if known is not None:
            self._timer.stop()
            self._settle(known, at_once=True)
            return
        self._pending = True
        self._show_slice()
        self._timer.start()

    def show_volume(self, representations: Representations, segmentation: Segmentation) -> None:
        """Show a prediction that was computed already."""
        self._representations, self._wanted = representations, segmentation.modalities
        self._come_back()
        self._settle(segmentation)

    def hide(self) -> None:
        """Take the prediction out of sight until a subset is chosen again."""
        self._hidden = self.prediction is not None
        for layer in self._viewer.layers:
            if (role := role_of(layer)) is not None and role.is_prediction:
                layer.visible = False

    def _come_back(self) -> None:
        if self._hidden and self.prediction is not None:
            self.prediction.set_outlines(self._outlines)
        self._hidden = False

    def settle_now(self) -> None:
        """Have the whole volume shown when this returns."""
        if self._pending and self._representations is not None:
            self._settle(self._representations.combine(self._wanted))

    def remove(self) -> None:
        """Take the prediction out of the viewer and turn to nobody."""
        self._representations, self._wanted, self._pending = None, (), False
        self.segmentation = None
        self._timer.stop()
        self._thumbnail_timer.stop()
        self.every.drop()
        if self.prediction is not None:
            self.prediction.remove()
            self.prediction = None

    def shut_down(self) -> None:
        """Stop at once: the viewer is closing."""
        self._representations, self._pending = None, False
        self._timer.stop()
        self._thumbnail_timer.stop()
        self._volume.shut_down()
        self.every.shut_down()
        events = self._viewer.dims.events
        for event in (events.current_step, events.order, events.ndisplay):
            event.disconnect(self._on_place_changed)
        if self.prediction is not None:
            self.prediction.close()
            self.prediction = None

    def _layer_of(self, representations: Representations) -> PredictionLayer:
        if self.prediction is None:
            with selection_kept(self._viewer):
                self.prediction = PredictionLayer(self._viewer, representations.case)
                self.prediction.set_outlines(self._outlines)
        return self.prediction

    def _show_slice(self) -> None:
        representations = self._representations
        place = self._place()
        if representations is None or place is None or not representations.at_once(self._wanted):
            return
        axis, index = place
        classes = representations.label_slice(self._wanted, axis, index)
        self._layer_of(representations).show_slice(axis, index, classes)

    def _place(self) -> tuple[int, int] | None:
        """Return the axis cut and the index of the slice shown, or None where there is none."""
        dims = self._viewer.dims
        front = dims.ndim - 3
        cut = [axis - front for axis in dims.not_displayed if axis >= front]
        if self._representations is None or front < 0 or len(cut) != 1:
            return None
        layer = self._layer_of(self._representations).layer
        index = round(float(layer.world_to_data(dims.point[-3:])[cut[0]]))
        inside = 0 <= index < self._representations.case.grid.shape[cut[0]]
        return (cut[0], index) if inside else None

    def _on_place_changed(self) -> None:
        if self._pending:
            self._show_slice()

    def _start_volume(self) -> None:
        representations, subset = self._representations, self._wanted
        if representations is None:
            return

        def combine(progress: Progress, cancelled: IsCancelled) -> Segmentation:
            return representations.combine(subset, progress, cancelled)

        def show(segmentation: Segmentation) -> None:
            # Another subset may wait for its slice to be painted first.
            if self._pending and (representations, subset) == (self._representations, self._wanted):
                self._settle(segmentation)

        self._volume.ask(combine, show)

    def _draw_thumbnail(self) -> None:
        if self.prediction is not None:
            self.prediction.draw_thumbnail()

    def _on_failed(self, error: Exception) -> None:
        self._pending = False
        self.failed.emit(error)

    def _settle(self, segmentation: Segmentation, *, at_once: bool = False) -> None:
        if self._representations is None:
            return
        self._pending = False
        self.segmentation = segmentation
        prediction = self._layer_of(self._representations)
        prediction.show(segmentation.labels, thumbnail=not at_once)
        if at_once:
            self._thumbnail_timer.start()
        self.settled.emit(segmentation)
        if self._representations is not None:
            self.every.prepare(self._representations)
