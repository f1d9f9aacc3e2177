"""The table of subsets on the screen: fifteen rows walked with arrow keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QModelIndex, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QSizePolicy,
    QTableView,
    QWidget,
)

from napari_rdl import brats
from napari_rdl.plugin.compare.colours import ThemeColours
from napari_rdl.plugin.compare.matrix import PIN_COLUMN, MatrixDelegate, MatrixModel, MatrixOrder

if TYPE_CHECKING:
    pass


PINS = ("A", "B")

_HEADER_SIDES, _CELL_SIDES = 3, 6
"""Pixels beside a text, so that it is read whole in a dock of 300 pixels."""


class MatrixTable(QTableView):
    """Shows the subsets; says which one was gone to and which one is to be pinned.

    Signals
    -------
    subset_chosen : tuple of str
        A row was clicked or reached with the arrow keys.
    pin_asked : str, tuple of str
        ``A`` or ``B``, and the subset.
    """

    subset_chosen = Signal(object)
    pin_asked = Signal(str, object)

    def __init__(self, colours: ThemeColours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.matrix = MatrixModel(self)
        self.order = MatrixOrder(self)
        self.order.setSourceModel(self.matrix)
        self.setModel(self.order)
        self._delegate = MatrixDelegate(colours, self)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName("Subsets of modalities")
        self.setToolTip("Click a row to show its prediction, a heading to sort; A or B pins the marked row")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(12)
        header.sectionClicked.connect(self._sort)
        self._sorted: tuple[int, Qt.SortOrder] | None = None
        self.matrix.modelReset.connect(self._fit)
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._offer_pins)
        self._fit()

    @property
    def current_subset(self) -> tuple[str, ...] | None:
        """The subset of the row that is marked."""
        return self._subset_of(self.currentIndex())

    def set_colours(self, colours: ThemeColours) -> None:
        """Follow the theme."""
        self._delegate.colours = colours
        self.viewport().update()

    def set_waiting(self, waiting: bool) -> None:
        """Paint the numbers grey while others are awaited."""
        self._delegate.waiting = waiting
        self.viewport().update()

    def show_subset(self, subset: tuple[str, ...]) -> None:
        """Mark a subset's row without saying that it was chosen."""
        row = self.matrix.row_of(tuple(subset))
        with QSignalBlocker(self.selectionModel()):
            if row is None:
                self.clearSelection()
            else:
                self.setCurrentIndex(self.order.mapFromSource(self.matrix.index(row, 1)))
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Pin the marked row with A or B; the rest is Qt's."""
        letter = event.text().upper()
        subset = self.current_subset
        if (
            letter in PINS
            and subset is not None
            and not event.modifiers() & Qt.KeyboardModifier.ControlModifier
        ):
            self.pin_asked.emit(letter, subset)
            return
        super().keyPressEvent(event)

    def wheelEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Leave the wheel to the panel: all rows are in sight."""
        event.ignore()

    def resizeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the columns within the width."""
        super().resizeEvent(event)
        self._fit_columns()

    def showEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Fit once the theme's font is known."""
        super().showEvent(event)
        self._fit()

    def _subset_of(self, index: QModelIndex) -> tuple[str, ...] | None:
        if not index.isValid():
            return None
        return self.matrix.rows[self.order.mapToSource(index).row()].subset

    def _on_current(self, current: QModelIndex, before: QModelIndex) -> None:
        subset = self._subset_of(current)
        if subset is not None:
            self.subset_chosen.emit(subset)

    def _sort(self, column: int) -> None:
        header = self.horizontalHeader()
        if self.matrix.region_of(column) is None:
            self._sorted = None
            header.setSortIndicatorShown(False)
            self.order.sort(-1)
            return
        # Best first, then worst first.
        first = Qt.SortOrder.DescendingOrder
        if self.matrix.measure.name not in ("dice", "volume_ml"):
            first = Qt.SortOrder.AscendingOrder
        other = (
            Qt.SortOrder.AscendingOrder
            if first == Qt.SortOrder.DescendingOrder
            else Qt.SortOrder.DescendingOrder
        )
        way = other if self._sorted == (column, first) else first
        self._sorted = (column, way)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(column, way)
        self.order.sort(column, way)

    def _offer_pins(self, place: Any) -> None:
        subset = self._subset_of(self.indexAt(place))
        if subset is None:
            return
        menu = QMenu(self)
        for letter in PINS:
            menu.addAction(f"Pin as {letter}", lambda chosen=letter: self.pin_asked.emit(chosen, subset))
        menu.exec(self.viewport().mapToGlobal(place))

    def _fit(self) -> None:
        height = self.fontMetrics().height() + 5
        self.verticalHeader().setMinimumSectionSize(height)
        self.verticalHeader().setDefaultSectionSize(height)
        # Room for a patient's fifteen rows is kept, so that nothing jumps when they come.
        rows = max(len(self.matrix.rows), 1)
        self.setFixedHeight(
            rows * height + self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth()
        )
        self._fit_columns()

    def _fit_columns(self) -> None:
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setMinimumSectionSize(1)
        measure = self.fontMetrics().horizontalAdvance
        header.resizeSection(PIN_COLUMN, measure("AB") + 1)
        for column in range(1, self.matrix.columnCount()):
            if self.matrix.modality_of(column):
                header.resizeSection(column, measure("T1c") + _HEADER_SIDES)
        first = self.matrix.columnCount() - len(brats.REGIONS)
        taken = sum(header.sectionSize(column) for column in range(first))
        widest = max([measure("100.0"), *(measure(text) for text in self.matrix.texts())]) + _CELL_SIDES
        each = max((self.viewport().width() - taken) // len(brats.REGIONS), widest)
        for number in range(len(brats.REGIONS)):
            header.resizeSection(first + number, each)
