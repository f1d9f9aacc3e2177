"""Inputs that fit a narrow dock and leave the wheel to the panel."""

from __future__ import annotations

from typing import cast

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QPaintEvent, QStandardItemModel
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

_LETTERS = 6

HEADER = "header"
"""What a line of a list holds that only says what those below it are."""


class _Elided(QComboBox):
    """A combo box that says by dots that its choice is longer than it is wide."""

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Paint it as the style does, with the text that there is room for."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        edit = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, edit, self).width()
        text = option.currentText or self.placeholderText()
        option.currentText = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room - 4)
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def narrow_combo(tip: str) -> QComboBox:
    """Return a combo box that takes what room there is, however long its entries."""
    box = _Elided()
    box.setToolTip(tip)
    make_narrow(box)
    return box


def add_header(box: QComboBox, title: str) -> None:
    """Add a line to a list that says what those below it are, and cannot be chosen."""
    box.addItem(title, HEADER)
    # No flags at all: neither mouse, wheel nor arrow keys come to rest on it.
    item = cast(QStandardItemModel, box.model()).item(box.count() - 1)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    font = box.font()
    font.setBold(True)
    item.setFont(font)


def make_narrow(box: QComboBox) -> None:
    """Let a combo box take what room there is, and change by a click or a key only."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(_LETTERS)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    leave_the_wheel_alone(box)


def small_button(text: str, tip: str) -> QPushButton:
    """Return a button that is as wide as its text, with some room beside it."""
    button = QPushButton(text)
    button.setToolTip(tip)
    # napari's own is too little once a button is no wider than its text.
    button.setStyleSheet("QPushButton { padding: 4px 8px; }")
    return button


def leave_the_wheel_alone(widget: QWidget) -> None:
    """Let the wheel scroll the panel instead of changing a setting that the pointer happens to cross."""
    if isinstance(widget, QAbstractSpinBox | QComboBox):
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(_WheelGuard(widget))


class _WheelGuard(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False
