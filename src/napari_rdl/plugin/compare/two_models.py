"""Two models, of one method or of two, side by side in every subset: another checkpoint's fifteen rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QGridLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableView,
    QWidget,
)

from napari_rdl import brats
from napari_rdl.compare.export import MEASURES, Measure
from napari_rdl.models import bundled_model_path, bundled_models
from napari_rdl.plugin.compare.comparison import Comparison
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.model_card import card_method, card_name
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.parts.tasks import LatestTask

if TYPE_CHECKING:
    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.compare import LabelStack, SubsetRow, SubsetStudy
    from napari_rdl.plugin.compare.memory import CompareMemory
    from napari_rdl.plugin.compare.study_runner import Studied

_ASK = "ask for a file"
_NONE = QModelIndex()
_DICE, _VOLUME = (next(one for one in MEASURES if one.name == name) for name in ("dice", "volume_ml"))


class TwoModelsModel(QAbstractTableModel):
    """A row for each subset; columns are its name and, for each region, both models' numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names = ("", "")
        self.measure: Measure = _DICE
        self.rows: tuple[tuple[SubsetRow, SubsetRow], ...] = ()

    def show_studies(self, names: tuple[str, str], studies: tuple[SubsetStudy, SubsetStudy] | None) -> None:
        """Take two studies of the same subsets, or none: Dice where they have a reference, else volumes."""
        self.beginResetModel()
        self.names = names
        self.rows = ()
        if studies is not None:
            self.rows = tuple(zip(*(study.rows for study in studies), strict=True))
            self.measure = _DICE if studies[0].reference is not None else _VOLUME
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _NONE) -> int:  # noqa: N802 - Qt's name
        """Return how many subsets there are."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = _NONE) -> int:  # noqa: N802 - Qt's name
        """Return one for the subset, and one for each region."""
        return 0 if parent.isValid() else 1 + len(brats.REGIONS)

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Subset", *brats.REGIONS)[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, tooltip or alignment."""
        pair = self.rows[index.row()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignHCenter if index.column() else Qt.AlignmentFlag.AlignLeft
            return int((side | Qt.AlignmentFlag.AlignVCenter).value)
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        if not index.column():
            return pair[0].name if role == Qt.ItemDataRole.ToolTipRole else _in_two_lines(pair[0].subset)
        region = tuple(brats.REGIONS)[index.column() - 1]
        cells = [self.measure.cell(row, region) for row in pair]
        if role == Qt.ItemDataRole.DisplayRole:
            return "\n".join(cells)
        said = [f"{name} {cell} {self.measure.unit}" for name, cell in zip(self.names, cells, strict=True)]
        return f"{pair[0].name}, {region}: {', '.join(said)}"


def _in_two_lines(subset: tuple[str, ...]) -> str:
    """Return a subset's name in at most two short lines: a dock is narrow."""
    first, second = subset[:2], subset[2:]
    return brats.subset_name(first) + (f"\n+{brats.subset_name(second)}" if second else "")


class TwoModelsBox(Section):
    """Chooses another model; shows both models' rows.

    Signals
    -------
    chosen : Path or None
    cancel_asked : no value
    subset_chosen : tuple of str
        A row was clicked.
    """

    chosen = Signal(object)
    cancel_asked = Signal()
    subset_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Two models", parent)
        self.start_folder: Path | None = None
        self._current: Path | None = None
        self._paths: list[Path] = []
        self.model_box = narrow_combo("Another checkpoint, of this or of another method, for all subsets")
        label = QLabel("Other model")
        label.setBuddy(self.model_box)
        form = QGridLayout()
        form.setSpacing(SPACING)
        form.setColumnStretch(1, 1)
        form.addWidget(label, 0, 0)
        form.addWidget(self.model_box, 0, 1)
        self.table = QTableView()
        self.rows = TwoModelsModel(self)
        self.table.setModel(self.rows)
        self.table.setAccessibleName("Two models in all subsets")
        self.table.setToolTip("Both models, one below the other, for each subset; a click goes to it")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.table.clicked.connect(
            lambda index: self.subset_chosen.emit(self.rows.rows[index.row()][0].subset)
        )
        self.heading = WrappedLabel()
        self.status = WrappedLabel()
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop at the next step")
        self.cancel_button.clicked.connect(self.cancel_asked)
        self.body.addLayout(form)
        for part in (self.heading, self.table, self.status, self.cancel_button):
            self.body.addWidget(part)
        self.model_box.activated.connect(self._on_activated)
        self.set_busy(False)
        self.show_studies(("", ""), None)
        self.list_models(())

    def list_models(self, paths: Iterable[Path]) -> None:
        """List bundled weights and these checkpoints; what was chosen from a file stays listed."""
        bundled = [bundled_model_path(name) for name in bundled_models()]
        own = [*self._paths, *([self._current] if self._current else [])]
        self._paths = list(dict.fromkeys(path for path in (*own, *paths) if path not in bundled))
        with QSignalBlocker(self.model_box):
            self.model_box.clear()
            self.model_box.addItem("none", None)
            for path in (*bundled, *self._paths):
                self.model_box.addItem(card_name(path), path)
                last = self.model_box.count() - 1
                self.model_box.setItemData(last, card_method(path) or str(path), Qt.ItemDataRole.ToolTipRole)
            self.model_box.insertSeparator(self.model_box.count())
            self.model_box.addItem("From file…", _ASK)
            self._mark()

    def choose(self, path: Path | None) -> None:
        """Choose a checkpoint, or none, as if it had been picked."""
        self._current = path
        self.list_models(())
        self.chosen.emit(path)

    def forget(self) -> None:
        """Choose none without saying so."""
        self._current = None
        self._mark()

    def set_busy(self, busy: bool) -> None:
        """Show progress and Cancel while the other model works."""
        self.status.setVisible(busy)
        self.cancel_button.setVisible(busy)

    def show_progress(self, done: int, total: int, message: str) -> None:
        """Show how far the other model is."""
        self.status.setText(f"{message} ({done} of {total})" if total else f"{message}…")

    def show_studies(self, names: tuple[str, str], studies: tuple[SubsetStudy, SubsetStudy] | None) -> None:
        """Show two models' rows, or none."""
        self.rows.show_studies(names, studies)
        self.table.setVisible(studies is not None)
        heading = f"{self.rows.measure.heading}: {names[0]}, and {names[1]} below it"
        self.heading.setText(heading if studies is not None else "")
        height = 2 * self.fontMetrics().height() + 5
        self.table.verticalHeader().setDefaultSectionSize(height)
        header = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(len(self.rows.rows) * height + header + 2 * self.table.frameWidth())

    def _mark(self) -> None:
        listed = [self.model_box.itemData(index) for index in range(self.model_box.count())]
        self.model_box.setCurrentIndex(listed.index(self._current))

    def _on_activated(self, index: int) -> None:
        chosen = self.model_box.itemData(index)
        if chosen == _ASK:
            start = str(self.start_folder or Path.home())
            name, _ = QFileDialog.getOpenFileName(
                self, "Compare with another model", start, "Checkpoints (*.safetensors)"
            )
            if not name:
                self._mark()
                return
            chosen = Path(name)
        self.choose(chosen)


class CompareModels(QObject):
    """Has another model answer all subsets of the patient, and puts its rows beside those of the study."""

    def __init__(self, comparison: Comparison, memory: CompareMemory, parent: QObject) -> None:
        super().__init__(parent)
        self._comparison = comparison
        self._memory = memory
        self._other: tuple[str, LabelStack] | None = None
        self.worker = LatestTask(self)
        self.box = TwoModelsBox()
        self.box.chosen.connect(self._on_chosen)
        self.box.cancel_asked.connect(self._forget)
        self.box.subset_chosen.connect(comparison.go_to)
        self.worker.busy_changed.connect(self.box.set_busy)
        self.worker.progressed.connect(self.box.show_progress)
        self.worker.failed.connect(lambda _error: self._forget())
        comparison.patient_changed.connect(lambda _case: self._forget())
        comparison.encoded.connect(lambda _representations: self._forget())
        comparison.studied_changed.connect(self._on_studied)

    def shut_down(self) -> None:
        """Stop for good."""
        self.worker.shut_down()

    def _forget(self) -> None:
        self.worker.drop()
        self._other = None
        self.box.forget()
        self.box.show_studies(("", ""), None)
        self.box.start_folder = self._memory.choices.checkpoint_folder
        segment = self._comparison.segment
        self.box.list_models(segment.run_box.models if segment is not None else ())

    def _on_studied(self, studied: Studied | None) -> None:
        if studied is not None and self._other is not None:
            self._compare(studied, self._other)

    def _on_chosen(self, path: Path | None) -> None:
        studied, segment = self._comparison.studied, self._comparison.segment
        self._other = None
        self.box.show_studies(("", ""), None)
        if path is None or studied is None:
            self._forget()
            return
        if self.box.start_folder != path.parent:
            self._memory.remember(checkpoint_folder=path.parent)
        case, modalities = studied.case, studied.study.modalities
        device = segment.run_box.choice.device if segment is not None else "auto"

        def answer(progress: Progress, cancelled: IsCancelled) -> tuple[str, LabelStack]:
            progress(0, 0, "Starting the model")
            from napari_rdl.compare import stack_of_checkpoint
            from napari_rdl.segment import SegmentSettings

            settings = SegmentSettings(device=device)
            return stack_of_checkpoint(
                case, path, modalities, settings=settings, progress=progress, cancelled=cancelled
            )

        def keep(found: tuple[str, LabelStack]) -> None:
            self._other = found
            if self._comparison.studied is not None:
                self._compare(self._comparison.studied, found)

        self.worker.ask(answer, keep)

    def _compare(self, studied: Studied, other: tuple[str, LabelStack]) -> None:
        name, stack = other
        representations = self._comparison.representations
        own = representations.computation.model_name if representations is not None else "this study"
        study = studied.study

        def count(progress: Progress, cancelled: IsCancelled) -> SubsetStudy:
            from napari_rdl.compare import SubsetStudy

            return SubsetStudy(study.case_name, study.grid, stack, study.reference)

        def show(theirs: SubsetStudy) -> None:
            if self._comparison.studied is studied:
                self.box.show_studies((own, name), (study, theirs))

        self.worker.ask(count, show)
