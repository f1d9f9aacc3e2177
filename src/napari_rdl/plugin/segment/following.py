"""Following a viewer's **Segment tumour**: its patient, what was encoded of it, and when there is another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_rdl.plugin.segment.open_widgets import WIDGET_NAME, open_segment_widgets

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.case import Case
    from napari_rdl.plugin.segment.widget import SegmentWidget
    from napari_rdl.segment import Representations


class SegmentFollower(QObject):
    """Listens to the Segment tumour widget of a viewer, whichever is open.

    A subclass says in `heard` what it listens to and in `on_segment` what a widget that is opened, or
    closed, means to it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    parent : QObject

    Attributes
    ----------
    segment : SegmentWidget or None
        The widget; None where none is open.
    """

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.segment: SegmentWidget | None = None
        self._heard: list[tuple[Any, Callable[..., None]]] = []

    @property
    def case(self) -> Case | None:
        """The patient that is open."""
        return self.segment.session.case if self.segment is not None else None

    @property
    def representations(self) -> Representations | None:
        """What was encoded of it; None while nothing was."""
        return self.segment.session.representations if self.segment is not None else None

    def to_do(self, purpose: str) -> str | None:
        """Return what a user does before `purpose`, such as ``it is corrected here``; None once it can be."""
        case = self.case
        if case is None:
            return f"Open a patient in {WIDGET_NAME} and press Run: then {purpose}."
        if self.representations is None:
            return f"{case.name} is open but not segmented yet: press Run in {WIDGET_NAME}."
        return None

    def follow(self) -> None:
        """Turn to the widget that is open, now and whenever one is opened."""
        open_segment_widgets.changed.connect(self._on_docked)
        self._on_docked()

    def follow_nobody(self) -> None:
        """Let go of the widget, and look for no other."""
        open_segment_widgets.changed.disconnect(self._on_docked)
        self._leave()

    @abstractmethod
    def heard(self, segment: SegmentWidget) -> Iterable[tuple[Any, Callable[..., None]]]:
        """Return the signals that are listened to, each with who hears it."""

    @abstractmethod
    def on_segment(self) -> None:
        """Take note of another widget, or of none."""

    def before_leaving(self) -> None:
        """End what is bound to the widget, which is still there."""

    def _on_docked(self) -> None:
        segment = open_segment_widgets.find(self.viewer)
        if segment is self.segment:
            return
        self._leave()
        self.segment = segment
        if segment is not None:
            self._heard = list(self.heard(segment))
            for signal, hear in self._heard:
                signal.connect(hear)
        self.on_segment()

    def _leave(self) -> None:
        self.before_leaving()
        for signal, hear in self._heard:
            signal.disconnect(hear)
        self._heard = []
        self.segment = None
