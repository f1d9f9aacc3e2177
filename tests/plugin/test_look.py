"""All three widgets in a dock of 300 pixels: no text is cut off, every input is explained and named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import npe2
import pytest
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QTableView,
    QWidget,
)

from napari_rdl.plugin.parts.focus_ring import COLOURS, LINE, FocusRing
from napari_rdl.plugin.parts.section import Collapsible, plain_collapsible
from napari_rdl.plugin.segment.volumes_table import COLUMNS

DOCK = 300
BESIDE = 4
"""Pixels that napari leaves at each side of a button's text."""
INPUTS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QKeySequenceEdit,
    QLineEdit,
    QPlainTextEdit,
)


def cut_off(page: QWidget) -> list[str]:
    """Return the texts that are wider, or higher, than what shows them."""
    found = []
    for part in page.findChildren(QWidget):
        if not part.isVisible():
            continue
        texts, room = [], part.width()
        if isinstance(part, QLabel) and part.wordWrap():
            if part.heightForWidth(part.width()) > part.height():
                found.append(part.text())
            # No word may be longer than a line.
            texts = part.text().split()
        elif isinstance(part, QLabel | QCheckBox):
            if part.text() and part.sizeHint().width() > part.width():
                found.append(part.text())
        elif isinstance(part, QPushButton):
            texts, room = [part.text()], part.width() - 2 * BESIDE
        elif isinstance(part, QComboBox):
            option = QStyleOptionComboBox()
            option.initFrom(part)
            edit = QStyle.SubControl.SC_ComboBoxEditField
            room = part.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, edit, part).width()
            texts = [part.itemText(number) for number in range(part.count())]
        elif isinstance(part, QTableView) and part.horizontalScrollBar().maximum():
            found.append(f"the last columns of {part.accessibleName() or type(part).__name__}")
        measure = part.fontMetrics().horizontalAdvance
        found += [
            f"{text} ({measure(text)} > {room} of {part.width()} {type(part).__name__})"
            for text in texts
            if measure(text) > room
        ]
    return found


def inputs(page: QWidget) -> Iterator[QWidget]:
    """Yield what the Tab key stops at, without what Qt's own inputs are made of."""
    for part in page.findChildren(QWidget):
        own = isinstance(
            part.parent(), QTabBar | QAbstractSpinBox | QComboBox | QKeySequenceEdit | QAbstractItemView
        )
        # The list of a combo box is a window of its own.
        own = own or part.window() is not page.window()
        if isinstance(part, INPUTS) and part.focusPolicy() & Qt.FocusPolicy.TabFocus and not own:
            yield part


def unexplained(page: QWidget) -> list[str]:
    """Return the inputs without a tooltip, or without a name that a screen reader could say."""
    labelled = {label.buddy() for label in page.findChildren(QLabel) if label.buddy() is not None}
    found = []
    for part in inputs(page):
        text = part.text() if isinstance(part, QAbstractButton) else ""
        named = part.accessibleName() or part in labelled or any(map(str.isalpha, text))
        where = f"{type(part.parent()).__name__} > {type(part).__name__} {text!r}"
        if not part.toolTip():
            found.append(f"{where} has no tooltip")
        if not named:
            found.append(f"{where} has no name")
    return found


def without_ring(widget: QWidget) -> list[str]:
    """Return the inputs that do not show that the keyboard speaks to them."""
    followed, found = widget.findChild(FocusRing), []
    for part in inputs(widget):
        if not part.isVisible():
            continue
        # Without a window manager no window is active, and Qt moves no focus.
        QApplication.instance().focusChanged.emit(None, part)
        ring = followed.ring
        line = ring.grab().toImage()
        seen = {line.pixelColor(x, LINE // 2).name() for x in range(4, line.width() - 4)}
        if ring.geometry() != part.geometry() or seen != {COLOURS["dark"]}:
            found.append(f"{type(part).__name__} {part.toolTip()}")
    return found


@pytest.fixture
def train(encoded):
    from napari_rdl.plugin.train.widget import TrainWidget

    manager = npe2.PluginManager.instance()
    if "napari-rdl" not in manager:
        manager.register(npe2.PluginManifest.from_distribution("napari-rdl"))
    widget = TrainWidget(encoded.viewer)
    encoded.viewer.window.add_dock_widget(widget, name="Train model")
    yield widget
    widget.shut_down()


def test_nothing_is_cut_off_all_is_explained_and_the_focus_is_seen_at_300_pixels(
    encoded, compare, train, studied_in, qtbot
):
    studied_in(compare)
    widgets = (encoded, compare, train)
    window = encoded.viewer.window._qt_window
    window.resize(1000, 800)
    window.show()
    qtbot.waitExposed(window)
    for widget in widgets:
        for part in widget.findChildren(Collapsible):
            part.expand(animate=False)
    docks = [widget.parent() for widget in widgets]
    # All three lie in one place, the one opened last in front.
    qtbot.waitUntil(lambda: all(len(window.tabifiedDockWidgets(dock)) == 2 for dock in docks))

    def in_front(widget: QWidget) -> None:
        widget.parent().raise_()
        qtbot.waitUntil(widget.isVisible)
        window.resizeDocks([widget.parent()], [DOCK], Qt.Orientation.Horizontal)
        qtbot.waitUntil(lambda: widget.width() == DOCK)

    view = train.runs.run_view
    for part in (view.pause_button, view.stop_button, view.kill_button, view.log_section, train.runs.use_box):
        part.setVisible(True)
    encoded.patient_box.patients.set_folders([Path("a"), Path("b")])
    for widget in (encoded, compare):
        in_front(widget)
        qtbot.waitUntil(lambda widget=widget: cut_off(widget) == [])
        assert without_ring(widget) == []
    in_front(train)
    for number in range(train.tabs.count()):
        train.tabs.setCurrentIndex(number)
        # Qt lays a page out some turns after it is shown.
        qtbot.waitUntil(lambda: cut_off(train) == [])
        assert without_ring(train) == []
    assert [text for widget in widgets for text in unexplained(widget)] == []
    for widget in widgets:
        for scroll in widget.findChildren(QScrollArea):
            assert scroll.widget().minimumSizeHint().width() <= scroll.viewport().width()
    window.hide()


def test_from_open_to_the_switches_nothing_is_scrolled_in_a_window_of_900_pixels(encoded, qtbot):
    box = encoded.patient_box
    box.findings.show_messages([("warning", "A long sentence about this image. " * 5)] * 4)
    box.patients.set_folders([Path("a"), Path("b")])
    encoded.expectation.setText("Expect WT Dice 0.72 (0.41 to 0.92); up to 3.1 ml false tumour elsewhere.")
    window = encoded.viewer.window._qt_window
    window.resize(1200, 900)
    window.show()
    qtbot.waitExposed(window)
    window.resizeDocks([encoded.parent()], [310], Qt.Orientation.Horizontal)
    view = encoded._pages[0].viewport()
    for last in (encoded.volumes_table, encoded.expectation):
        qtbot.waitUntil(
            lambda last=last: last.mapTo(view, last.rect().bottomLeft()).y() < view.height(), timeout=3000
        )
    assert encoded._pages[0].verticalScrollBar().value() == 0
    window.hide()


def test_what_is_closed_takes_no_room_and_no_stop_of_the_tab_key(qtbot):
    inside = QLineEdit()
    part = plain_collapsible("More", inside, "What more there is")
    qtbot.addWidget(part)
    part.show()
    closed = part.sizeHint().height()
    assert not inside.isVisible()
    assert closed == part.toggleButton().sizeHint().height()
    assert part.minimumSizeHint().width() >= inside.minimumSizeHint().width()
    part.toggleButton().click()
    assert inside.isVisible()
    assert part.sizeHint().height() > closed
    assert (part.text(), part.toggleButton().text()) == ("More", "▾  More")
    part.setText("Less")
    assert part.toggleButton().text() == "▾  Less"
    part.collapse(animate=False)
    assert (part.toggleButton().text(), inside.isVisible()) == ("▸  Less", False)


def test_larger_letters_reach_switches_and_table_and_nothing_is_out_of_reach(encoded, qtbot):
    window = encoded.viewer.window._qt_window
    window.resize(1000, 900)
    window.show()
    qtbot.waitExposed(window)
    page, table = encoded._pages[0], encoded.volumes_table
    switch = encoded.switches.switches["FLAIR"]
    before = (switch.switchHeight, table.rowHeight(0), table.height())
    appearance = get_settings().appearance
    appearance.font_size = 14
    try:
        qtbot.waitUntil(lambda: switch.fontMetrics().height() > 18)
        window.resizeDocks([encoded.parent()], [310], Qt.Orientation.Horizontal)
        assert min(switch.font().pointSize(), table.font().pointSize()) >= 14
        assert switch.switchHeight >= 1.3 * before[0]
        assert table.rowHeight(0) >= 1.2 * before[1]
        assert table.height() > before[2]
        rows = sum(table.rowHeight(row) for row in range(3))
        qtbot.waitUntil(lambda: table.viewport().height() >= rows)
        # All is in view sideways, or can be scrolled to.
        qtbot.waitUntil(
            lambda: page.widget().width() <= page.viewport().width() + page.horizontalScrollBar().maximum()
        )
        needed = table.horizontalHeader().minimumSectionSize()
        assert all(table.columnWidth(column) >= min(needed, 20) for column in range(3))
        for column, title in enumerate(COLUMNS[:3]):
            assert table.columnWidth(column) >= table.fontMetrics().horizontalAdvance(title)
        for region in range(3):
            text = table.volumes.index(region, 0).data()
            assert table.columnWidth(0) >= table.fontMetrics().horizontalAdvance(text)
    finally:
        appearance.font_size = 9
    qtbot.waitUntil(lambda: switch.switchHeight == before[0])
    window.hide()
