"""The cells of the table of subsets: what stands in each, how rows are ordered, how a cell is painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QRectF, QSortFilterProxyModel, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_rdl import brats
from napari_rdl.compare.export import MEASURES, Measure
from napari_rdl.plugin.compare.colours import ThemeColours, readable_on, scale_colour

if TYPE_CHECKING:
    from napari_rdl.compare import RegionScore, SubsetRow, SubsetStudy

VALUE = Qt.ItemDataRole.UserRole
"""Role of a cell's number: all digits, None where there is none."""

SORT = Qt.ItemDataRole.UserRole + 1
"""Role of what a column is sorted by."""

PRESENT = Qt.ItemDataRole.UserRole + 2
"""Role of whether a row has the column's modality; None in other columns."""

PIN_COLUMN = 0
_MARK = 2
_SHORT = {"FLAIR": "FL"}
_NONE = QModelIndex()


class MatrixModel(QAbstractTableModel):
    """A row for each subset, in the paper's order; columns are the pins, the modalities, the regions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.measure: Measure = MEASURES[0]
        self.modalities: tuple[str, ...] = brats.MODALITIES
        self.rows: tuple[SubsetRow, ...] = ()
        self._pins: dict[str, tuple[str, ...] | None] = {}

    def set_study(self, study: SubsetStudy | None) -> None:
        """Take another study, or none."""
        self.beginResetModel()
        self.modalities = study.modalities if study is not None else brats.MODALITIES
        self.rows = study.rows if study is not None else ()
        self.endResetModel()

    def update_rows(self, rows: tuple[SubsetRow, ...]) -> None:
        """Take the same rows with more numbers."""
        if len(rows) == len(self.rows):
            self.rows = rows
            self._tell_all()

    def set_measure(self, measure: Measure) -> None:
        """Show another number."""
        self.measure = measure
        self._tell_all()

    def set_pins(self, pins: dict[str, tuple[str, ...] | None]) -> None:
        """Mark pinned rows: letter -> subset."""
        self._pins = dict(pins)
        self._tell_all()

    def row_of(self, subset: tuple[str, ...]) -> int | None:
        """Return a subset's row, or None."""
        return next((number for number, row in enumerate(self.rows) if row.subset == subset), None)

    def rowCount(self, parent: QModelIndex = _NONE) -> int:  # noqa: N802 - Qt's name
        """Return how many subsets there are."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = _NONE) -> int:  # noqa: N802 - Qt's name
        """Return one for the pins, then modalities and regions."""
        return 0 if parent.isValid() else 1 + len(self.modalities) + len(brats.REGIONS)

    def modality_of(self, column: int) -> str | None:
        """Return a column's modality, or None."""
        return self.modalities[column - 1] if 1 <= column <= len(self.modalities) else None

    def region_of(self, column: int) -> str | None:
        """Return a column's region, or None."""
        number = column - 1 - len(self.modalities)
        return tuple(brats.REGIONS)[number] if number >= 0 else None

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        modality, region = self.modality_of(section), self.region_of(section)
        if role == Qt.ItemDataRole.DisplayRole:
            return _SHORT.get(modality, modality) if modality else region or ""
        if role == Qt.ItemDataRole.ToolTipRole:
            if region:
                title = brats.REGION_TITLES[region]
                return f"{self.measure.heading} of the {title} ({region}). Click to sort."
            if modality:
                return f"{modality}: a full dot where the subset has it. Click for the paper's order."
            return "The rows pinned as A and B. Click for the paper's order."
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignCenter.value)
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, number, colours or tooltip."""
        row, column = self.rows[index.row()], index.column()
        region = self.region_of(column)
        if role == SORT:
            return self.measure.of(row, region) if region else index.row()
        if role == PRESENT:
            modality = self.modality_of(column)
            return None if modality is None else modality in row.subset
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignCenter.value)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._accessible(row, column)
        if region is None:
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{row.name}: {', '.join(row.subset)}"
            if role == Qt.ItemDataRole.DisplayRole and column == PIN_COLUMN:
                return "".join(letter for letter, pinned in self._pins.items() if pinned == row.subset)
            return None
        if role == VALUE:
            return self.measure.of(row, region)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, region)
        if role == Qt.ItemDataRole.BackgroundRole:
            return self._colour(row, region)
        if role == Qt.ItemDataRole.ForegroundRole:
            ground = self._colour(row, region)
            return None if ground is None else readable_on(ground)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _story(row, region)
        return None

    def _accessible(self, row: SubsetRow, column: int) -> str:
        region = self.region_of(column)
        return f"{row.name}, {region}: {self._text(row, region)}" if region else row.name

    def texts(self) -> list[str]:
        """Return what the cells of regions say."""
        return [self._text(row, region) for row in self.rows for region in brats.REGIONS]

    def _text(self, row: SubsetRow, region: str) -> str:
        score = row.scores.get(region)
        if self.measure.name == "hd95" and score is not None and not score.hd95_measured:
            return "…"
        return self.measure.cell(row, region)

    def _colour(self, row: SubsetRow, region: str) -> Any:
        value = self.measure.of(row, region)
        score = row.scores.get(region)
        if value is None or (score is not None and score.reference_empty and self.measure.name == "dice"):
            return None
        if self.measure.name == "dice":
            return scale_colour(value)
        others = [self.measure.of(other, region) for other in self.rows]
        most = max((abs(other) for other in others if other is not None), default=0.0)
        share = abs(value) / most if most else 0.0
        # Bright is good; a volume alone is neither good nor bad, and bright where there is much.
        return scale_colour(share if self.measure.name == "volume_ml" else 1 - share)

    def _tell_all(self) -> None:
        if self.rows:
            last = self.index(self.rowCount() - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last)
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, self.columnCount() - 1)


class MatrixOrder(QSortFilterProxyModel):
    """The paper's order, or that of a region's numbers; what has no number comes last either way."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSortRole(SORT)
        self.setDynamicSortFilter(True)

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:  # noqa: N802 - Qt's name
        """Compare two cells of a column."""
        one, other = left.data(SORT), right.data(SORT)
        if one is None or other is None:
            falling = self.sortOrder() == Qt.SortOrder.DescendingOrder
            return (one is None) == falling and (other is None) != falling
        return bool(one < other) if one != other else left.row() < right.row()


class MatrixDelegate(QStyledItemDelegate):
    """Paints dots, coloured cells and the row that is shown.

    Attributes
    ----------
    waiting : bool
        Whether other numbers are on their way: those that stand there are grey then.
    """

    def __init__(self, colours: ThemeColours, parent: QWidget) -> None:
        super().__init__(parent)
        self.colours = colours
        self.waiting = False

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint one cell."""
        box = QRectF(option.rect)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        ground = None if self.waiting else index.data(Qt.ItemDataRole.BackgroundRole)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if ground is not None:
            painter.fillRect(box.adjusted(0, 0, -1, -1), ground)
        elif selected:
            painter.fillRect(box, self.colours.mark)
        present = index.data(PRESENT)
        if present is None:
            of_cell = index.data(Qt.ItemDataRole.ForegroundRole) or self.colours.text
            painter.setPen(self.colours.line if self.waiting else of_cell)
            font = option.font
            font.setBold(index.column() == PIN_COLUMN or selected)
            painter.setFont(font)
            painter.drawText(
                box, int(Qt.AlignmentFlag.AlignCenter.value), index.data(Qt.ItemDataRole.DisplayRole) or ""
            )
        else:
            self._draw_dot(painter, box, present, self.colours.text if selected else self.colours.line)
        if selected and ground is not None:
            pen = QPen(self.colours.text, _MARK)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setPen(pen)
            painter.drawLine(box.topLeft(), box.topRight())
            painter.drawLine(box.bottomLeft(), box.bottomRight())
        painter.restore()

    def _draw_dot(self, painter: QPainter, box: QRectF, present: bool, ring: QColor) -> None:
        radius = min(box.width(), box.height()) * 0.24
        painter.setPen(QPen(self.colours.text if present else ring, 1.2))
        painter.setBrush(self.colours.text if present else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(box.center(), radius, radius)


def _story(row: SubsetRow, region: str) -> str:
    """Return all numbers of a cell in words."""
    title = brats.REGION_TITLES[region]
    lines = [f"{row.name}, {title} ({region})", f"Volume {row.volumes_ml[region]:.2f} ml"]
    score: RegionScore | None = row.scores.get(region)
    if score is None:
        return "\n".join(lines)
    lines[1] += f", reference {score.reference_ml:.2f} ml ({score.volume_error_ml:+.2f})"
    if score.reference_empty:
        lines.append(
            "Empty in the reference: Dice is 1 where the labels are empty too, else 0; HD95 is undefined."
        )
    else:
        lines.append(f"Dice {100 * score.dice:.2f} %")
        distance = "still measured" if not score.hd95_measured else "undefined: the labels are empty"
        lines.append(f"HD95 {distance if score.hd95 is None else f'{score.hd95:.2f} mm'}")
    lines.append(
        f"False positive {score.false_positive_ml:.2f} ml, false negative {score.false_negative_ml:.2f} ml"
    )
    return "\n".join(lines)
