"""The table of subsets on the screen, fifteen rows walked with arrow keys, and the box it stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QModelIndex, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTableView,
    QWidget,
)

from napari_rdl import brats
from napari_rdl.compare.export import MEASURES
from napari_rdl.plugin.compare.colours import ThemeColours, theme_colours
from napari_rdl.plugin.compare.matrix import PIN_COLUMN, MatrixDelegate, MatrixModel, MatrixOrder
from napari_rdl.plugin.compare.reference import ReferenceBox
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.compare.study_runner import Studied

PINS = ("A", "B")
HINT = "Arrow keys walk the rows; A and B pin the row."


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
        measure = self.fontMetrics().horizontalAdvance
        header.resizeSection(PIN_COLUMN, measure("AB") + 6)
        for column in range(1, self.matrix.columnCount()):
            if self.matrix.modality_of(column):
                header.resizeSection(column, measure("T1c") + 8)
        first = self.matrix.columnCount() - len(brats.REGIONS)
        taken = sum(header.sectionSize(column) for column in range(first))
        left = max(self.viewport().width() - taken, 3 * (measure("-100.0") + 4))
        for number in range(len(brats.REGIONS)):
            header.resizeSection(first + number, left // len(brats.REGIONS))


class MatrixBox(Section):
    """Fifteen rows of one number, chosen by the user.

    Signals
    -------
    measure_chosen : str
    cancel_asked : no value
    resample_asked : no value
        The label file that did not fit is to be brought onto the images' grid.
    """

    measure_chosen = Signal(str)
    cancel_asked = Signal()
    resample_asked = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("All subsets", parent)
        self.reference_box = ReferenceBox(viewer)
        self.measure_box = narrow_combo("The number that the table shows for each region")
        label = QLabel("Measure")
        label.setBuddy(self.measure_box)
        form = QGridLayout()
        form.setSpacing(SPACING)
        form.setColumnStretch(1, 1)
        form.addWidget(self.reference_box.label, 0, 0)
        form.addWidget(self.reference_box, 0, 1)
        form.addWidget(label, 1, 0)
        form.addWidget(self.measure_box, 1, 1)
        self.table = MatrixTable(theme_colours(viewer))
        self.remarks = MessageBar()
        self.hint = WrappedLabel(HINT)
        self.status = WrappedLabel()
        self.progress_bar = QProgressBar()
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop at the next step; what is shown stays as it is")
        self.cancel_button.clicked.connect(self.cancel_asked)
        self.resample_button = QPushButton("Resample (nearest)")
        self.resample_button.setToolTip(
            "Bring the label file onto the grid of the images, each voxel with the label that lies nearest"
        )
        self.resample_button.setVisible(False)
        self.resample_button.clicked.connect(self.resample_asked)
        work = QHBoxLayout()
        work.setSpacing(SPACING)
        work.addWidget(self.progress_bar, 2)
        work.addWidget(self.cancel_button, 1)
        self.body.addLayout(form)
        self.body.addWidget(self.resample_button)
        self.body.addWidget(self.table)
        self.body.addWidget(self.status)
        self.body.addLayout(work)
        self.body.addWidget(self.remarks)
        self.body.addWidget(self.hint)
        self.measure_box.activated.connect(self._on_measure)
        self._wanted = MEASURES[0].name
        self.set_busy(False)

    def set_measure(self, name: str) -> None:
        """Show this measure wherever the study has it."""
        if name in [measure.name for measure in MEASURES]:
            self._wanted = name

    def set_theme(self, viewer: Viewer) -> None:
        """Follow the viewer's theme."""
        self.table.set_colours(theme_colours(viewer))

    def show_study(self, studied: Studied | None) -> None:
        """Show a study, or none."""
        study = studied.study if studied is not None else None
        compared = study is not None and study.reference is not None
        listed = [measure for measure in MEASURES if compared or measure.name == "volume_ml"]
        self.measure_box.clear()
        for measure in listed:
            self.measure_box.addItem(measure.heading, measure.name)
        names = [measure.name for measure in listed]
        chosen = names.index(self._wanted) if self._wanted in names else 0
        self.measure_box.setCurrentIndex(chosen)
        self.table.matrix.set_measure(listed[chosen])
        self.table.matrix.set_study(study)
        remark = study.remark if study is not None else None
        self.remarks.show_messages([("note", remark)] if remark else [])
        self.hint.setVisible(study is not None)
        self.status.setText("")

    def show_measured(self, studied: Studied, done: int, total: int) -> None:
        """Show the distances that are there by now."""
        self.table.matrix.update_rows(studied.study.rows)
        self.status.setText(f"Measuring HD95: {done} of {total} rows" if done < total else "")

    def set_busy(self, busy: bool) -> None:
        """Show progress and Cancel while a study is made."""
        self.progress_bar.setVisible(busy)
        self.cancel_button.setVisible(busy)
        self.table.set_waiting(busy)
        self.progress_bar.setRange(0, 0)
        self.progress_bar.setFormat("")
        if not busy:
            self.status.setText("")

    def show_progress(self, done: int, total: int, message: str) -> None:
        """Show how far the study is."""
        self.progress_bar.setRange(0, total)
        self.progress_bar.setValue(done)
        self.status.setText(f"{message} ({done} of {total})" if total else f"{message}…")

    def _on_measure(self, index: int) -> None:
        name = self.measure_box.itemData(index)
        self._wanted = name
        self.table.matrix.set_measure(next(measure for measure in MEASURES if measure.name == name))
        self.measure_chosen.emit(name)
