"""What the labels shown amount to: volumes of the regions, and what to expect of them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QEvent, QModelIndex, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableView,
    QWidget,
)

from napari_rdl import brats
from napari_rdl.plugin.parts.section import WrappedLabel

if TYPE_CHECKING:
    from napari_rdl.models import Expectation


COLUMNS = ("Region", "ml", "vs. all", "corrected")

ROWS = {"WT": "Whole (WT)", "TC": "Core (TC)", "ET": "Enhancing (ET)"}
"""Names that fit a narrow dock; the tooltips say them in full."""

_NONE = QModelIndex()


class VolumesModel(QAbstractTableModel):
    """Rows WT, TC, ET; columns name, ml, change in ml and percent against all modalities, corrected ml.

    Beside corrected volumes names are short and the change is in ml: a narrow dock has no room for more.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: dict[str, float] = {}
        self._full: dict[str, float] = {}
        self._corrected: dict[str, float] = {}

    def set_corrected(self, corrected: Mapping[str, float]) -> None:
        """Take the volumes of the corrected layer, region -> ml; empty for none."""
        self._corrected = dict(corrected)
        self._tell()

    def set_volumes(self, shown: Mapping[str, float], full: Mapping[str, float]) -> None:
        """Take the volumes shown and those of all modalities, region -> ml; empty for none yet."""
        self._shown, self._full = dict(shown), dict(full)
        self._tell()

    def _tell(self) -> None:
        last = self.index(self.rowCount() - 1, self.columnCount() - 1)
        self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: QModelIndex = _NONE) -> int:  # noqa: N802 - Qt's name
        """Return how many regions there are."""
        return 0 if parent.isValid() else len(brats.REGIONS)

    def columnCount(self, parent: QModelIndex = _NONE) -> int:  # noqa: N802 - Qt's name
        """Return four."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.ToolTipRole and section == 2:
            return "Change against the prediction from all of the patient's modalities"
        if role == Qt.ItemDataRole.ToolTipRole and section == 3:
            return "Volume of the corrected layer in ml"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, tooltip or alignment."""
        region = tuple(brats.REGIONS)[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(region, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            members = " + ".join(brats.CLASSES[member] for member in brats.REGIONS[region])
            return f"{region}, {brats.REGION_TITLES[region]}: {members}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(index.column())
        return None

    def _text(self, region: str, column: int) -> str:
        if column == 0:
            title = ROWS.get(region, region)
            return title.partition(" (")[0] if self._corrected else title
        if column == 3:
            return f"{self._corrected[region]:.1f}" if region in self._corrected else "–"
        if region not in self._shown:
            return "–"
        if column == 1:
            return f"{self._shown[region]:.1f}"
        if region not in self._full:
            return "–"
        said = change(self._shown[region], self._full[region])
        return said.partition(" (")[0] if self._corrected else said


def change(shown: float, full: float) -> str:
    """Return the change of a volume against the full set's, such as ``-1.2 (-10 %)``."""
    difference = shown - full
    if abs(difference) < 0.05:
        return "±0.0"
    if full < 0.05:
        return f"{difference:+.1f}"
    return f"{difference:+.1f} ({100 * difference / full:+.0f} %)"


class VolumesTable(QTableView):
    """The three rows, all visible, without scroll bars."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.volumes = VolumesModel(self)
        self.setModel(self.volumes)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        vertical, horizontal = self.verticalHeader(), self.horizontalHeader()
        vertical.hide()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        horizontal.setSectionsClickable(False)
        horizontal.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        horizontal.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        horizontal.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        horizontal.setSectionResizeMode(3, QHeaderView.ResizeMode.ResizeToContents)
        self.setColumnHidden(3, True)
        self.volumes.dataChanged.connect(lambda *_: self._fit())
        self._fit()

    def show_corrected(self, volumes: Mapping[str, float]) -> None:
        """Show the volumes of the corrected layer in a column of their own; none for an empty mapping."""
        self.setColumnHidden(3, not volumes)
        self.volumes.set_corrected(volumes)

    def showEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Fit once the theme's font is known."""
        super().showEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Fit again when letters are of another size."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        self.resizeRowsToContents()
        rows = sum(self.rowHeight(row) for row in range(self.volumes.rowCount()))
        self.setFixedHeight(rows + self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth())


def _alignment(column: int) -> int:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return int((side | Qt.AlignmentFlag.AlignVCenter).value)


class ExpectationLabel(WrappedLabel):
    """Says in a line what results of the subset shown are worth; takes no room where that is not known."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_expectation(None)

    def set_expectation(self, expected: Expectation | None) -> None:
        """Say what the model's card has of the subset shown; None for nothing."""
        line = expected.line if expected is not None else ""
        self.setText(f"{line[:1].upper()}{line[1:]}." if line else "")
        # Words of a card that somebody else wrote are shown as they stand.
        lines = escape(expected.explanation).splitlines() if line and expected is not None else []
        self.setToolTip(f"<qt>{'<br>'.join(lines)}</qt>" if lines else "")
