"""What is on the screen as CSV, PNG or Markdown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QPoint, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPixmap, QRegion
from qtpy.QtWidgets import QApplication, QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_rdl.errors import NapariRdlError, OutputError
from napari_rdl.plugin.compare.colours import theme_colours
from napari_rdl.plugin.compare.matrix import MatrixModel, MatrixOrder
from napari_rdl.plugin.parts.section import SPACING

if TYPE_CHECKING:
    from napari_rdl.compare import SubsetRow
    from napari_rdl.plugin.compare.comparison import Comparison
    from napari_rdl.plugin.compare.memory import CompareMemory
    from napari_rdl.plugin.compare.study_runner import Studied
    from napari_rdl.plugin.compare.table import MatrixTable
    from napari_rdl.plugin.compare.worth import WorthBox

SHARPNESS = 2
_MARGIN = 10


class ExportBar(QWidget):
    """Three buttons."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.csv_button = QPushButton("CSV…")
        self.csv_button.setToolTip("Write all numbers of all rows, every digit, to a CSV file")
        self.png_button = QPushButton("PNG…")
        self.png_button.setToolTip("Write the table and the bars below, as they look here, to a picture")
        self.copy_button = QPushButton("Copy as Markdown")
        self.copy_button.setToolTip("Copy the table as it is shown here to the clipboard")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACING)
        for button, stretch in ((self.csv_button, 1), (self.png_button, 1), (self.copy_button, 2)):
            row.addWidget(button, stretch)


class CompareExport(QObject):
    """Writes and copies the study that is shown.

    Signals
    -------
    done : str
        What was written, in a sentence.
    held : str
        What is written later and why, in a sentence; empty when that has been done.
    failed : Exception
    """

    done = Signal(str)
    held = Signal(str)
    failed = Signal(object)

    def __init__(
        self,
        comparison: Comparison,
        table: MatrixTable,
        worth: WorthBox,
        memory: CompareMemory,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._comparison = comparison
        self._widget = parent
        self._table = table
        self._worth = worth
        self._memory = memory
        self._held: tuple[Path, Studied] | None = None
        comparison.runner.measured.connect(lambda _done, _total: self._on_measured())
        comparison.studied_changed.connect(self._on_studied)
        self.bar = ExportBar()
        self.bar.csv_button.clicked.connect(lambda: self._ask("CSV (*.csv)", ".csv"))
        self.bar.png_button.clicked.connect(lambda: self._ask("PNG (*.png)", ".png"))
        self.bar.copy_button.clicked.connect(self.copy_markdown)

    def save(self, path: Path) -> None:
        """Write the table as CSV, or table and bars as PNG, whichever the name asks for.

        A CSV holds every number: while distances are being measured it waits for them.
        """
        studied = self._comparison.studied
        if studied is None:
            return
        if path.suffix.lower() == ".png":
            self._write(path, self._png())
        elif is_measured(studied):
            self._write(path, self._csv(studied))
        else:
            self._held = (path, studied)
            self.held.emit(f"{path.name} is written as soon as HD95 has been measured.")

    def _png(self) -> Callable[[Path], None]:
        picture = self.picture()

        def write(temporary: Path) -> None:
            if not picture.save(str(temporary), "PNG"):
                raise OSError("the picture cannot be written")

        return write

    def _csv(self, studied: Studied) -> Callable[[Path], None]:
        from napari_rdl.compare.export import rows_to_csv

        text = rows_to_csv(studied.study.rows, notes_of(studied))

        def write(temporary: Path) -> None:
            temporary.write_bytes(text.encode())

        return write

    def _write(self, path: Path, write: Callable[[Path], None]) -> None:
        from napari_rdl.files import write_file

        try:
            write_file(path, write)
        except NapariRdlError as error:
            self.failed.emit(error)
            return
        self._memory.remember(output_folder=path.parent)
        self.done.emit(f"Saved {path.name} in {path.parent}.")

    def _on_measured(self) -> None:
        if self._held is not None and is_measured(self._held[1]):
            (path, studied), self._held = self._held, None
            self.held.emit("")
            self._write(path, self._csv(studied))

    def _on_studied(self, studied: Studied | None) -> None:
        if self._held is not None and studied is not self._held[1]:
            (path, _), self._held = self._held, None
            self.failed.emit(
                OutputError(
                    f"{path.name} was not written: another comparison took the place of the one "
                    "whose HD95 was being measured. Export it again."
                )
            )

    def copy_markdown(self) -> None:
        """Copy the rows in the order shown, with the measure shown."""
        from napari_rdl.compare.export import rows_to_markdown

        studied = self._comparison.studied
        if studied is not None:
            matrix: MatrixModel = self._table.matrix
            text = rows_to_markdown(self._rows_shown(), notes_of(studied), [matrix.measure])
            QApplication.clipboard().setText(text)
            self.done.emit("Copied the table as Markdown.")

    def picture(self) -> QPixmap:
        """Return heading, table and bars as a picture in the theme's colours."""
        studied = self._comparison.studied
        colours = theme_colours(self._comparison.viewer)
        table, chart = self._table, self._worth.chart
        titles = [heading_of(studied, table.matrix), self._worth.heading] if studied is not None else ["", ""]
        line = table.fontMetrics().height() + 6
        widths = [table.fontMetrics().horizontalAdvance(title) for title in titles]
        width = max(table.width(), chart.width(), *widths)
        height = 2 * line + table.height() + _MARGIN + chart.height()
        picture = QPixmap(SHARPNESS * (width + 2 * _MARGIN), SHARPNESS * (height + 2 * _MARGIN))
        picture.setDevicePixelRatio(SHARPNESS)
        picture.fill(QColor(colours.ground))
        painter = QPainter(picture)
        painter.setPen(colours.text)
        painter.setFont(table.font())
        flags = QWidget.RenderFlag.DrawChildren
        left = int(Qt.AlignmentFlag.AlignLeft.value)
        painter.drawText(_MARGIN, _MARGIN, width, line, left, titles[0])
        table.render(painter, QPoint(_MARGIN, _MARGIN + line), QRegion(), flags)
        top = 2 * _MARGIN + line + table.height()
        painter.drawText(_MARGIN, top, width, line, left, titles[1])
        below = QPoint(_MARGIN, top + line)
        for part in chart.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            # Buttons mean nothing on paper.
            if part.isVisible() and not isinstance(part, QPushButton):
                part.render(painter, below + part.pos(), QRegion(), flags)
        painter.end()
        return picture

    def _rows_shown(self) -> list[SubsetRow]:
        matrix: MatrixModel = self._table.matrix
        order: MatrixOrder = self._table.order
        return [matrix.rows[order.mapToSource(order.index(row, 0)).row()] for row in range(order.rowCount())]

    def _ask(self, kind: str, ending: str) -> None:
        studied = self._comparison.studied
        if studied is None:
            return
        folder = self._memory.choices.output_folder or Path.home()
        start = folder / f"{studied.case.name}_subsets{ending}"
        # The dialog asks itself before it returns a file that exists.
        name, _ = QFileDialog.getSaveFileName(self._widget, "Save the comparison", str(start), kind)
        if name:
            path = Path(name)
            self.save(path if path.suffix.lower() == ending else path.with_name(path.name + ending))


def is_measured(studied: Studied) -> bool:
    """Return whether a study has all of its distances, or needs none."""
    return all(score.hd95_measured for row in studied.study.rows for score in row.scores.values())


def heading_of(studied: Studied, matrix: MatrixModel) -> str:
    """Return patient, measure and reference in a line."""
    reference = studied.study.reference
    against = f" against the {reference.title}" if reference is not None else ""
    return f"{studied.case.name}: {matrix.measure.heading}{against}"


def notes_of(studied: Studied) -> list[str]:
    """Return the sentences that go with exported numbers."""
    from napari_rdl.metrics import EMPTY_MASK_RULE

    study = studied.study
    if study.reference is None:
        notes = [f"{study.case_name}: volumes of every subset."]
    else:
        notes = [f"{study.case_name} against the {study.reference.title}.", EMPTY_MASK_RULE]
    if not is_measured(studied):
        notes.append("HD95 was still being measured: rows without it have an empty place there.")
    return notes + ([study.remark] if study.remark else [])
