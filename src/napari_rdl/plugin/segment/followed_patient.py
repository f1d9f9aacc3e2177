"""The section in which another widget says which patient **Segment tumour** has open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton, QWidget

from napari_rdl.plugin.parts.section import Section, WrappedLabel
from napari_rdl.plugin.segment.open_widgets import WIDGET_NAME, open_segment_widget

if TYPE_CHECKING:
    from napari.viewer import Viewer


class FollowedPatient(Section):
    """What is open or what to do first, and a button that opens the widget.

    Attributes
    ----------
    said : WrappedLabel
    open_button : QPushButton
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("Patient", parent)
        self.said = WrappedLabel()
        self.open_button = QPushButton(f"Open {WIDGET_NAME}")
        self.open_button.setToolTip("Open the widget in which a patient is opened and segmented")
        self.open_button.clicked.connect(lambda: open_segment_widget(viewer))
        self.body.addWidget(self.said)
        self.body.addWidget(self.open_button)
