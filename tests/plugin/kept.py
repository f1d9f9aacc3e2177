"""A viewer with a patient that was run, which goes from test to test as long as it comes back as it was.

To make it takes seconds: a window, five layers, a run. Most tests begin with it, change something and could
take it back; a user too opens and closes docks in one window all day.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from app_model import Application
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
)

DOCK = "Segment tumour"
APP = "kept"


class Kept:
    """Holds the viewer between tests; each takes it and gives it back.

    What a test leaves behind and can be taken away is taken away; a patient that was closed is opened and run
    again. Where anything else is left, the next test gets a new viewer.
    """

    def __init__(self) -> None:
        self.widget: Any = None
        self._kind = ""
        self._run: Callable[[Any], None] = lambda widget: None
        self._patches = pytest.MonkeyPatch()
        self._before: dict[str, Any] = {}

    def take(self, kind: str, make: Callable[[Any], Any], run: Callable[[Any], None]) -> Any:
        """Return the widget as `run` leaves it, which opens a patient, and may run; `make` docks it.

        One that was run otherwise, of another `kind`, goes first.
        """
        if self._kind != kind:
            self.drop()
        if self.widget is None:
            viewer = self._new_viewer()
            try:
                self.widget = make(viewer)
                self._kind, self._run = kind, run
                run(self.widget)
            except BaseException:
                viewer.close()
                self._end()
                raise
            self._before = self._seen()
        return self.widget

    def give_back(self, finish: Callable[[Any], None]) -> None:
        """Take away what was added since, and let the viewer go if it is not as it was then."""
        if self.widget is None:
            return
        try:
            self._take_back(finish)
            same = self._seen() == self._before
        except Exception:  # the window may be closed, a layer gone
            same = False
        if not same:
            self.drop()

    def drop(self) -> None:
        """Close the viewer; the next test that takes it gets a new one."""
        if self.widget is None:
            return
        from napari.settings import get_settings

        widget, self.widget, self._before, self._run = self.widget, None, {}, lambda widget: None
        viewer = widget.viewer
        widget.shut_down()
        get_settings().reset()
        window = getattr(viewer.window, "_qt_window", None)
        if window is not None:
            with patch.object(window, "_save_current_window_settings"):
                viewer.close()
        del widget.viewer, widget, viewer, window
        self._end()

    # --- As napari's own fixture does it

    def _end(self) -> None:
        from napari._qt.qt_viewer import QtViewer

        QApplication.processEvents()
        gc.collect()
        QtViewer._instances.clear()
        self._patches.undo()
        Application.destroy(APP)

    def _new_viewer(self) -> Any:
        from napari import Viewer
        from napari._app_model._app import NapariApplication, _napari_names
        from napari._qt._qapp_model.qactions import init_qactions
        from napari._qt.qt_viewer import QtViewer
        from napari.plugins import _initialize_plugins
        from napari.settings import get_settings
        from qtpy.QtWidgets import QWidget

        def no_console(*_: object) -> QWidget:
            console = QWidget()
            console._update_theme = lambda *_: None
            return console

        app = NapariApplication(APP)
        app.injection_store.namespace = _napari_names
        patches = self._patches
        patches.setattr(NapariApplication, "get_app_model", lambda *_: app)
        patches.setattr("napari._qt.threads.status_checker.StatusChecker.start", lambda *_: None)
        patches.setattr(QtViewer, "_get_console", no_console)
        get_settings().reset()
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
        return Viewer(show=False, show_welcome_screen=False)

    # --- What was there, and what came since

    def _take_back(self, finish: Callable[[Any], None]) -> None:
        widget, viewer = self.widget, self.widget.viewer
        finish(widget)
        for name, docked in list(viewer.window.dock_widgets.items()):
            if name != DOCK:
                if hasattr(docked, "shut_down"):
                    docked.shut_down()
                viewer.window.remove_dock_widget(docked)
        widget.saving.corrected.let_go()
        session = widget.session
        as_run = (session.representations is not None) == self._before["run"]
        same_model = widget.run_box.choice == self._before["model"]
        if id(session.case) != self._before["case"] or not (as_run and same_model):
            viewer.layers.clear()
            session._cache = None  # nothing was encoded before
            self._run(widget)
            active = viewer.layers.selection.active
            self._before |= {"case": id(session.case), "layers": list(viewer.layers), "active": active}
        before = self._before["layers"]
        for layer in [layer for layer in viewer.layers if layer not in before]:
            viewer.layers.remove(layer)
        widget.session.use_all()
        finish(widget)
        for layer, visible in zip(before, self._before["visible"], strict=True):
            layer.visible = visible
            layer.mode = "pan_zoom"
        viewer.dims.ndisplay = 2
        viewer.dims.order = self._before["order"]
        viewer.dims.point = self._before["point"]
        viewer.scene.camera.center, viewer.scene.camera.zoom = self._before["camera"]
        viewer.layers.selection.active = self._before["active"]
        widget.saving.box.status.setText(self._before["status"])
        widget.messages.clear()
        QApplication.processEvents()

    def _seen(self) -> dict[str, Any]:
        """Return what a test may count on: layers, their looks and labels, the view, every control."""
        widget, viewer = self.widget, self.widget.viewer
        layers = list(viewer.layers)
        return {
            "alive": viewer.window._qt_window is not None and widget._viewer is not None,
            "shown": viewer.window._qt_window.isVisible(),
            "docks": list(viewer.window.dock_widgets),
            "case": id(widget.session.case),
            "run": widget.session.representations is not None,
            "model": widget.run_box.choice,
            "subset": widget.session.subset,
            "layers": layers,
            "names": [layer.name for layer in layers],
            "visible": [layer.visible for layer in layers],
            "looks": [(layer.opacity, getattr(layer, "contour", 0), layer.colormap.name) for layer in layers],
            "labels": [_content(layer.data) for layer in layers if layer.data.dtype == np.uint8],
            "order": viewer.dims.order,
            "point": viewer.dims.point,
            "camera": (viewer.scene.camera.center, viewer.scene.camera.zoom),
            "grid": viewer.canvas.grid.enabled,
            "active": viewer.layers.selection.active,
            "theme": viewer.theme,
            "status": widget.saving.box.status.text(),
            "ran": widget.run_box.status.text(),
            "unsaved": widget.saving.corrected.unsaved,
            "choices": widget._choices.choices,
            "controls": _controls(widget),
        }


def _content(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def _controls(widget: Any) -> list[Any]:
    found: list[Any] = []
    for kind, value in (
        (QAbstractButton, lambda it: (it.isEnabled(), it.isChecked(), it.text())),
        (QAbstractSlider, lambda it: (it.isEnabled(), it.value())),
        (QDoubleSpinBox, lambda it: (it.isEnabled(), it.value())),
        (QComboBox, lambda it: (it.isEnabled(), it.currentText())),
        (QLineEdit, lambda it: (it.isEnabled(), it.text())),
    ):
        found.extend(value(it) for it in widget.findChildren(kind))
    return found
