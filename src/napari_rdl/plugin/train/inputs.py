"""What a run is set up from: where its patients come from, and where it is put."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_rdl.cohort.patients import is_synthetic
from napari_rdl.files import is_folder, is_there
from napari_rdl.plugin.parts.inputs import leave_the_wheel_alone, narrow_combo
from napari_rdl.plugin.parts.section import SPACING, WrappedLabel

Row = tuple[str, QWidget, QWidget]
KINDS = (
    ("Folder of patients", "folder"),
    ("Synthetic patients", "synthetic"),
    ("Split file", "split"),
)


class DataInputs(QObject):
    """Where patients come from: a folder, a split file, or so many synthetic ones.

    Attributes
    ----------
    rows : list of (str, QWidget, QWidget)
        What is laid out: a title, what stands beside it, and what the title gives the focus to.

    Signals
    -------
    edited : no value
    """

    edited = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.kind_box = narrow_combo("Where patients come from")
        for title, kind in KINDS:
            self.kind_box.addItem(title, kind)
        self.source_edit = QLineEdit()
        self.source_edit.setAccessibleName("Folder of patients, or split file")
        self.source_edit.setToolTip(
            "A folder with one folder for each patient, labels beside the images; or a split file (.json) "
            "that says who trains and who validates"
        )
        browse = _browse_button("Choose the folder or the file")
        self._source_row = _side_by_side(self.source_edit, browse)
        self.count_box = QSpinBox()
        self.count_box.setAccessibleName("Number of synthetic patients")
        self.count_box.setRange(1, 100_000)
        self.count_box.setSuffix(" patients")
        self.count_box.setToolTip("How many synthetic patients to train on; they are made on first use")
        leave_the_wheel_alone(self.count_box)
        self.problem = _problem_label()
        self.rows: list[Row] = [
            ("Data", self.kind_box, self.kind_box),
            ("", self._source_row, self.source_edit),
            ("", self.count_box, self.count_box),
            ("", self.problem, self.problem),
        ]
        browse.clicked.connect(self._ask)
        self.kind_box.currentIndexChanged.connect(self._on_kind)
        self.count_box.valueChanged.connect(lambda _value: self.edited.emit())
        self.source_edit.textChanged.connect(lambda _text: self.edited.emit())

    @property
    def kind(self) -> str:
        """``"folder"``, ``"synthetic"`` or ``"split"``."""
        return str(self.kind_box.currentData())

    @property
    def path(self) -> str:
        """The folder or the split file, also while synthetic patients are chosen."""
        return self.source_edit.text().strip()

    @property
    def source(self) -> str:
        """Where patients come from, as ``--data`` has it."""
        return f"phantom:{self.count_box.value()}" if self.kind == "synthetic" else self.path

    def restore(self, kind: str, path: str, count: int) -> None:
        """Show what was chosen when the widget was left."""
        self.count_box.setValue(count)
        self.source_edit.setText(path)
        self.kind_box.setCurrentIndex(max(self.kind_box.findData(kind), 0))
        self._on_kind()

    def show_source(self, source: str) -> None:
        """Show a source that ``--data`` would take; the path stays where it is synthetic or empty."""
        kind = "synthetic" if is_synthetic(source) else "split" if source.endswith(".json") else "folder"
        count = int(source.split(":")[1]) if kind == "synthetic" else self.count_box.value()
        self.restore(kind, source if source and kind != "synthetic" else self.path, count)

    def show_problem(self) -> str:
        """Say what is wrong; return it."""
        sentence = ""
        if self.kind != "synthetic":
            if not self.path:
                sentence = "Choose where the patients lie."
            elif not is_there(Path(self.path).expanduser()):
                sentence = f"There is no {self.path}."
        self.problem.setText(sentence)
        return sentence

    def _on_kind(self, _index: int = 0) -> None:
        synthetic = self.kind == "synthetic"
        self._source_row.setVisible(not synthetic)
        self.count_box.setVisible(synthetic)
        self.edited.emit()

    def _ask(self) -> None:
        # Not where napari happened to be started from.
        before, parent = self.source_edit.text() or str(Path.home()), self._source_row
        if self.kind == "split":
            chosen, _ = QFileDialog.getOpenFileName(parent, "Choose a split file", before, "Splits (*.json)")
        else:
            chosen = QFileDialog.getExistingDirectory(parent, "Folder of patients", before)
        if chosen:
            self.source_edit.setText(chosen)


class PlaceInputs(QObject):
    """The folder of runs, and the new run's name.

    Attributes
    ----------
    rows : list of (str, QWidget, QWidget)
        What is laid out: a title, what stands beside it, and what the title gives the focus to.

    Signals
    -------
    edited : no value
        The name was.
    folder_edited : no value
    """

    edited = Signal()
    folder_edited = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.runs_edit = QLineEdit()
        self.runs_edit.setToolTip("The folder in which runs are put")
        browse = _browse_button("Choose the folder in which runs are put")
        self.name_edit = QLineEdit()
        self.name_edit.setToolTip("Name of the run's folder, and of the model that it makes")
        self.problem = _problem_label()
        folder = _side_by_side(self.runs_edit, browse)
        self.rows: list[Row] = [
            ("Folder", folder, self.runs_edit),
            ("Name", self.name_edit, self.name_edit),
        ]
        browse.clicked.connect(self._ask)
        self.runs_edit.editingFinished.connect(self.folder_edited)
        self.name_edit.textChanged.connect(lambda _text: self.edited.emit())

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return Path(self.runs_edit.text().strip()).expanduser()

    @property
    def name(self) -> str:
        """The run's name."""
        return self.name_edit.text().strip()

    @property
    def folder(self) -> Path:
        """The folder of the new run."""
        return self.runs / self.name

    def propose(self, stem: str) -> None:
        """Put the first free name that begins with `stem`."""
        number = 1
        while is_there(self.runs / f"{stem}-{number}"):
            number += 1
        self.name_edit.setText(f"{stem}-{number}")

    def show_problem(self) -> str:
        """Say what is wrong; return it."""
        sentence = ""
        if not self.name or not self.runs_edit.text().strip():
            sentence = "Give the run a folder and a name."
        elif "/" in self.name or "\\" in self.name or self.name in (".", ".."):
            sentence = "A name has no slashes."
        elif is_there(self.folder) and (not is_folder(self.folder) or any(self.folder.iterdir())):
            sentence = f"{self.folder} is not empty: choose another name."
        self.problem.setText(sentence)
        return sentence

    def _ask(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self.name_edit, "Folder of runs", self.runs_edit.text())
        if chosen:
            self.runs_edit.setText(chosen)
            self.folder_edited.emit()


def grid_of(rows: Sequence[Row]) -> QGridLayout:
    """Lay rows out, their titles in the first column."""
    grid = QGridLayout()
    grid.setSpacing(SPACING)
    grid.setColumnStretch(1, 1)
    for number, (title, widget, buddy) in enumerate(rows):
        if title:
            label = QLabel(title)
            label.setBuddy(buddy)
            grid.addWidget(label, number, 0, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(widget, number, 1)
    return grid


def _problem_label() -> WrappedLabel:
    label = WrappedLabel()
    label.setObjectName("problem")
    return label


def _browse_button(tip: str) -> QPushButton:
    button = QPushButton("…")
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFixedWidth(30)
    return button


def _side_by_side(edit: QLineEdit, button: QPushButton) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACING)
    row.addWidget(edit, 1)
    row.addWidget(button)
    return holder
