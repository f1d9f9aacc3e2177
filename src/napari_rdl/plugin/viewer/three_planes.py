"""Axial, coronal and sagittal beside each other: the viewer's canvas and two more, one place, a crosshair.

napari's own second viewers: a `ViewerModel` and its canvas for each of the other two planes. Their layers
share the arrays of the viewer's, so they cost no memory and what is painted in one is there in all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QDockWidget, QHBoxLayout, QMainWindow, QWidget

from napari_rdl.plugin.viewer.mirrors import Mirrors
from napari_rdl.plugin.viewer.planes import PLANES, current_plane, show_plane

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

_COLOUR = "#ffb000"
_SETTLED_MS = 50
_CORNERS = {
    Qt.Corner.BottomLeftCorner: Qt.DockWidgetArea.LeftDockWidgetArea,
    Qt.Corner.BottomRightCorner: Qt.DockWidgetArea.RightDockWidgetArea,
}
_GAP = 9
"""Pixels that the crosshair leaves open round the place itself."""


class ThreePlanes:
    """The two other planes in a dock below the canvas, while they are shown.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    window : QMainWindow
        The viewer's.
    closed : callable
        Called when the user closes the dock.
    """

    def __init__(self, viewer: Viewer, window: QMainWindow, closed: Callable[[], None]) -> None:
        self._viewer = viewer
        self._moving = False
        self._main = _canvas_of(window)
        self._height = self._main.height() if self._main is not None else 0
        self._looked_at: tuple[str | None, tuple[Any, float], tuple[Any, float]] | None = None
        self.models = [ViewerModel(title="plane"), ViewerModel(title="plane")]
        self.canvases = [QtViewer(model) for model in self.models]
        self._mirrors = [Mirrors(viewer, model) for model in self.models]
        self._panel = QWidget()
        row = QHBoxLayout(self._panel)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for canvas in self.canvases:
            # The slices are the viewer's sliders'.
            canvas.dims.hide()
            row.addWidget(canvas, 1)
        views = [(viewer, self._main), *((model, canvas.canvas.native) for model, canvas in self._pairs())]
        self.crosshairs = [Crosshair(model, native) for model, native in views if native is not None]
        self._clicked: list[tuple[Any, Callable[..., Iterator[None]]]] = []
        for model, _ in views:
            follow = self._mover(model)
            model.mouse_drag_callbacks.append(follow)
            self._clicked.append((model, follow))
            model.dims.events.point.connect(self._on_moved)
        viewer.dims.events.order.connect(self._on_plane)
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        self.dock = QDockWidget("Planes", window)
        self.dock.setObjectName("napari_rdl_planes")
        self.dock.setWidget(self._panel)
        self._watch = _CloseWatch(self.dock, closed)
        self._window = window
        # The docks at the sides keep their height: those are where the day's work is done.
        self._corners = {corner: window.corner(corner) for corner in _CORNERS}
        for corner, side in _CORNERS.items():
            window.setCorner(corner, side)
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.dock)
        self.dock.show()
        window.resizeDocks([self.dock], [window.height() // 2], Qt.Orientation.Vertical)
        self._on_plane()
        # Once the canvases have their new sizes.
        self._fitting = QTimer(self.dock)
        self._fitting.setSingleShot(True)
        self._fitting.timeout.connect(self.fit)
        self._fitting.start(_SETTLED_MS)

    def close(self) -> None:
        """Give the viewer its one canvas back, and what is looked at its size."""
        self._look_back()
        self._watch.release()
        self._fitting.stop()
        for corner, area in self._corners.items():
            self._window.setCorner(corner, area)
        self._viewer.dims.events.order.disconnect(self._on_plane)
        self._viewer.events.theme.disconnect(self._on_theme)
        for model, follow in self._clicked:
            model.mouse_drag_callbacks.remove(follow)
            model.dims.events.point.disconnect(self._on_moved)
        for mirrors in self._mirrors:
            mirrors.close()
        for crosshair in self.crosshairs:
            crosshair.release()
        for model, canvas in self._pairs():
            model.layers.clear()
            canvas.close()
            canvas.setParent(None)
            canvas.deleteLater()
        self.dock.setParent(None)
        self.dock.deleteLater()
        # Whoever still holds this holds neither window nor canvas.
        del self._window, self._main
        for kept in (self.canvases, self.crosshairs, self.models, self._mirrors, self._clicked):
            kept.clear()

    def fit(self) -> None:
        """Show each of the planes whole."""
        camera = self._viewer.scene.camera
        before = (camera.center, camera.zoom)
        for model in (self._viewer, *self.models):
            model.reset_view()
        self._looked_at = (current_plane(self._viewer), before, (camera.center, camera.zoom))

    def _look_back(self) -> None:
        """Look from where it was looked from before; who has moved since sees the same, as large again."""
        if self._looked_at is None or self._main is None or self._viewer.dims.ndisplay != 2:
            return
        plane, before, fitted = self._looked_at
        camera = self._viewer.scene.camera
        if (camera.center, camera.zoom) == fitted and current_plane(self._viewer) == plane:
            camera.center, camera.zoom = before
        else:
            camera.zoom *= self._height / max(self._main.height(), 1)

    def _pairs(self) -> Iterator[tuple[ViewerModel, QtViewer]]:
        return zip(self.models, self.canvases, strict=True)

    def _on_plane(self, event: Event | None = None) -> None:
        """Show in the two canvases what the viewer does not show."""
        del event
        shown = current_plane(self._viewer) or "axial"
        others = [plane for plane in PLANES if plane != shown]
        for model, plane in zip(self.models, others, strict=True):
            if current_plane(model) != plane or not _is_turned(model):
                show_plane(model, plane)
        self._follow(self._viewer)

    def _on_moved(self, event: Event) -> None:
        moved = event.source
        for model in (self._viewer, *self.models):
            if model.dims is moved:
                self._follow(model)

    def _follow(self, leader: Any) -> None:
        if self._moving or leader.dims.ndim < 3:
            # Where no layer is left there is no place to share.
            return
        self._moving = True
        try:
            point = tuple(leader.dims.point[-3:])
            for model in (self._viewer, *self.models):
                front = model.dims.ndim - 3
                if model is not leader and front >= 0 and tuple(model.dims.point[front:]) != point:
                    model.dims.set_point(range(front, front + 3), point)
        finally:
            self._moving = False
        for crosshair in self.crosshairs:
            crosshair.update()

    def _mover(self, model: Any) -> Callable[..., Iterator[None]]:
        def move(_viewer: object, event: Any) -> Iterator[None]:
            active = model.layers.selection.active
            mode = str(getattr(active, "mode", "pan_zoom"))
            if event.button != 1 or mode != "pan_zoom" or model.dims.ndisplay != 2:
                return
            place, began = tuple(event.position), tuple(event.pos)
            yield
            while event.type == "mouse_move":
                yield
            # A drag is for looking about.
            if np.abs(np.subtract(event.pos, began)).max() <= 3:
                front = model.dims.ndim - 3
                model.dims.set_point(range(front, front + 3), place[-3:])

        return move

    def _on_theme(self) -> None:
        for model in self.models:
            model.theme = self._viewer.theme


class Crosshair(QWidget):
    """Two lines over a canvas that meet at the place shown, drawn by Qt, so that no layer is needed.

    Parameters
    ----------
    model : ViewerModel
    canvas : QWidget
        What its picture is drawn in.
    """

    def __init__(self, model: Any, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._model = model
        self._canvas = canvas
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        canvas.installEventFilter(self)
        self._events = [
            model.dims.events.point,
            model.dims.events.order,
            model.dims.events.ndisplay,
            model.scene.camera.events.center,
            model.scene.camera.events.zoom,
            model.scene.camera.events.orientation,
        ]
        for event in self._events:
            event.connect(self._redraw)
        self.setGeometry(canvas.rect())
        self.show()

    def release(self) -> None:
        """Draw nothing any more."""
        for event in self._events:
            event.disconnect(self._redraw)
        self._canvas.removeEventFilter(self)
        self.hide()
        self.setParent(None)
        self.deleteLater()

    def place(self) -> tuple[float, float] | None:
        """Return where the lines meet, in pixels from the left and the top; None where they do not."""
        model = self._model
        dims, camera, grid = model.dims, model.scene.camera, model.canvas.grid
        if dims.ndim < 3 or dims.ndisplay != 2 or grid.enabled:
            return None
        vertical, horizontal = (dims.point[axis] for axis in dims.displayed)
        up, left = (str(way) for way in camera.orientation2d)
        down = (vertical - camera.center[-2]) * camera.zoom * (-1 if up == "up" else 1)
        right = (horizontal - camera.center[-1]) * camera.zoom * (-1 if left == "left" else 1)
        return self.width() / 2 + right, self.height() / 2 + down

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the lines, open where they meet."""
        place = self.place()
        if place is None:
            return
        x, y = (round(value) for value in place)
        painter = QPainter(self)
        colour = QColor(_COLOUR)
        colour.setAlpha(170)
        painter.setPen(QPen(colour, 1))
        painter.drawLine(0, y, x - _GAP, y)
        painter.drawLine(x + _GAP, y, self.width(), y)
        painter.drawLine(x, 0, x, y - _GAP)
        painter.drawLine(x, y + _GAP, x, self.height())
        painter.end()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stay as large as the canvas."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._canvas.rect())
            self.raise_()
        return False

    def _redraw(self, event: object = None) -> None:
        self.update()


class _CloseWatch(QObject):
    """Tells when a dock is closed by its own button."""

    def __init__(self, dock: QDockWidget, closed: Callable[[], None]) -> None:
        super().__init__(dock)
        self._dock = dock
        self._closed: Callable[[], None] | None = closed
        dock.installEventFilter(self)

    def release(self) -> None:
        self._closed = None
        self._dock.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Close and self._closed is not None:
            self._closed()
        return False


def _canvas_of(window: QMainWindow) -> QWidget | None:
    """Return what the viewer's own picture is drawn in."""
    main = window.findChild(QtViewer)
    return main.canvas.native if main is not None else None


def _is_turned(model: ViewerModel) -> bool:
    return any(name.startswith("napari_rdl_") for name in model.canvas.overlays)
