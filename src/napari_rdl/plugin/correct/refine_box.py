"""Refinement from scribbles in the dock: a button for each kind of stroke."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_rdl import brats
from napari_rdl.plugin.parts.section import SPACING, SWATCH, Section, WrappedLabel

_NOT_TUMOUR = "#bbbbbb"
STROKES: dict[int, tuple[str, str]] = {
    2: ("NCR", brats.CLASS_COLOURS[1]),
    3: ("ED", brats.CLASS_COLOURS[2]),
    4: ("ET", brats.CLASS_COLOURS[3]),
    1: ("none", _NOT_TUMOUR),
}
"""Value in the scribbles -> what a stroke of it says, and its colour: the class index and one."""


class RefineBox(Section):
    """A button for each kind of stroke.

    Signals
    -------
    stroke_chosen : int
        A key of `STROKES`.
    """

    stroke_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Refine from scribbles", parent)
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        self.buttons: dict[int, QPushButton] = {}
        for value, (name, colour) in STROKES.items():
            pixmap = QPixmap(SWATCH, SWATCH)
            pixmap.fill(QColor(colour))
            button = QPushButton(QIcon(pixmap), name)
            said = brats.CLASS_TITLES.get(name, "not tumour")
            button.setToolTip(f"Scribble over {said} that is labelled wrongly; labels around follow")
            button.clicked.connect(lambda _checked, value=value: self.stroke_chosen.emit(value))
            row.addWidget(button)
            self.buttons[value] = button
        self.status = WrappedLabel()
        self.body.addLayout(row)
        self.body.addWidget(self.status)
