"""**Segment tumour** as other widgets meet it: its name, which viewer has one, and opening one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from psygnal import Signal

from napari_rdl.plugin.settings import PLUGIN_NAME

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.widget import SegmentWidget

WIDGET_NAME = "Segment tumour"
DESK_NAME = "Correct labels"


class OpenWidgets:
    """Knows the open widgets and holds none of them.

    Signals
    -------
    changed : no value
        A widget was opened or closed.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._open: list[tuple[int, ReferenceType[SegmentWidget]]] = []

    def announce(self, viewer: Viewer, widget: SegmentWidget) -> None:
        """Take note of a widget that was opened."""
        self._open.append((_identity(viewer), ref(widget)))
        self.changed.emit()

    def withdraw(self, widget: SegmentWidget) -> None:
        """Forget a widget that was closed."""
        self._open = [(key, other) for key, other in self._open if other() not in (None, widget)]
        self.changed.emit()

    def find(self, viewer: Viewer) -> SegmentWidget | None:
        """Return the viewer's widget, the one opened last if there are several."""
        for key, other in reversed(self._open):
            if key == _identity(viewer) and (widget := other()) is not None:
                return widget
        return None


open_segment_widgets = OpenWidgets()
"""Those of this process."""


def open_segment_widget(viewer: Viewer) -> SegmentWidget:
    """Bring the viewer's Segment tumour to the front, beside the other docks; it is opened if need be."""
    return _brought_to_front(viewer, WIDGET_NAME)


def open_desk(viewer: Viewer) -> Any:
    """Bring the viewer's Correct labels to the front in the same way.

    That room uses this one and not the other way round: napari knows it by its name.
    """
    return _brought_to_front(viewer, DESK_NAME)


def _brought_to_front(viewer: Viewer, name: str) -> Any:
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN_NAME, name, tabify=True)
    dock.show()
    dock.raise_()
    return widget


def _identity(viewer: Any) -> int:
    # napari gives each plugin's widget a proxy of its own.
    return id(getattr(viewer, "__wrapped__", viewer))
