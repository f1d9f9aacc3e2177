"""What is on the screen as CSV, as a picture or as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QApplication, QHBoxLayout, QPushButton, QWidget

from napari_rdl.errors import NapariRdlError, OutputError
from napari_rdl.plugin.compare.matrix import MatrixModel, MatrixOrder
from napari_rdl.plugin.parts.save_dialog import ask_for_file, record_beside
from napari_rdl.plugin.parts.section import SPACING

if TYPE_CHECKING:
    from napari_rdl.case.provenance import ExportRecord
    from napari_rdl.compare import SubsetRow
    from napari_rdl.plugin.compare.comparison import Comparison
    from napari_rdl.plugin.compare.matrix_table import MatrixTable
    from napari_rdl.plugin.compare.memory import CompareMemory
    from napari_rdl.plugin.compare.study_runner import Studied


class ExportBar(QWidget):
    """Three buttons."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.csv_button = QPushButton("CSV…")
        self.csv_button.setToolTip("Write all numbers of all rows, every digit, to a CSV file")
        self.picture_button = QPushButton("Picture…")
        self.picture_button.setToolTip(
            "Write the table in the order shown here, and the bars, on white for a paper: PNG, SVG or PDF"
        )
        self.copy_button = QPushButton("Copy as Markdown")
        self.copy_button.setToolTip("Copy the table as it is shown here to the clipboard")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACING)
        for button, stretch in ((self.csv_button, 1), (self.picture_button, 1), (self.copy_button, 2)):
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
        memory: CompareMemory,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._comparison = comparison
        self._widget = parent
        self._table = table
        self._memory = memory
        self._held: tuple[Path, Studied] | None = None
        comparison.runner.measured.connect(lambda _done, _total: self._on_measured())
        comparison.studied_changed.connect(self._on_studied)
        self.bar = ExportBar()
        self.bar.csv_button.clicked.connect(lambda: self._ask("CSV (*.csv)", [".csv"]))
        self.bar.picture_button.clicked.connect(
            lambda: self._ask("PNG (*.png);;SVG (*.svg);;PDF (*.pdf)", [".png", ".svg", ".pdf"])
        )
        self.bar.copy_button.clicked.connect(self.copy_markdown)

    def save(self, path: Path) -> None:
        """Write the table as CSV, or table and bars as PNG, SVG or PDF, whichever the name asks for.

        A CSV holds every number: while distances are being measured it waits for them.
        """
        studied = self._comparison.studied
        if studied is None:
            return
        if path.suffix.lower() != ".csv":
            self._write(path, self._picture(studied, path.suffix.lower()), studied)
        elif is_measured(studied):
            self._write(path, self._csv(studied), studied)
        else:
            self._held = (path, studied)
            self.held.emit(f"{path.name} is written as soon as HD95 has been measured.")

    def _picture(self, studied: Studied, ending: str) -> bytes:
        from napari_rdl.cohort.paper_picture import draw_comparison, picture_bytes

        matrix: MatrixModel = self._table.matrix
        study = studied.study
        figure = draw_comparison(
            heading_of(studied, matrix), self._rows_shown(), study.modalities, matrix.measure, study.worth()
        )
        return picture_bytes(figure, ending)

    def _csv(self, studied: Studied) -> bytes:
        from napari_rdl.compare.export import rows_to_csv

        return rows_to_csv(studied.study.rows, notes_of(studied)).encode()

    def _write(self, path: Path, content: bytes, studied: Studied) -> None:
        from napari_rdl.files import write_together

        try:
            record = self._record(path, studied).content()
            write_together([(path.with_suffix(".json"), record), (path, content)])
        except NapariRdlError as error:
            self.failed.emit(error)
            return
        self._memory.remember(output_folder=path.parent)
        self.done.emit(f"Saved {path.name} in {path.parent}.")

    def _record(self, path: Path, studied: Studied) -> ExportRecord:
        from napari_rdl.case.provenance import ExportRecord, WeightsRecord
        from napari_rdl.files import plain_name

        representations, study = self._comparison.representations, studied.study
        weights = None
        if representations is not None:
            computation = representations.computation
            weights = WeightsRecord(name=computation.model_name, sha256=computation.model_sha256)
        return ExportRecord(
            kind="comparison",
            case=plain_name(studied.case.name),
            output=path.name,
            modalities=study.modalities,
            reference=study.reference.title if study.reference is not None else None,
            weights=weights,
        )

    def _on_measured(self) -> None:
        if self._held is not None and is_measured(self._held[1]):
            (path, studied), self._held = self._held, None
            self.held.emit("")
            self._write(path, self._csv(studied), studied)

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

    def _rows_shown(self) -> list[SubsetRow]:
        matrix: MatrixModel = self._table.matrix
        order: MatrixOrder = self._table.order
        return [matrix.rows[order.mapToSource(order.index(row, 0)).row()] for row in range(order.rowCount())]

    def _ask(self, kinds: str, endings: list[str]) -> None:
        studied = self._comparison.studied
        if studied is None:
            return
        folder = self._memory.choices.output_folder or Path.home()
        # Each has its own record beside it: table and picture of one name would share theirs.
        what = "subsets" if endings[0] == ".csv" else "subsets_picture"
        start = folder / f"{studied.case.name}_{what}{endings[0]}"
        path = ask_for_file(self._widget, "Save the comparison", start, kinds, endings, beside=record_beside)
        if path is not None:
            self.save(path)


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
