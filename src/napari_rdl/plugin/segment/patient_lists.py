"""Two lists of the patient's box: the patients of a folder, and the images that no name explains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_rdl import brats
from napari_rdl.plugin.parts.inputs import narrow_combo, small_button
from napari_rdl.plugin.parts.section import SPACING, WrappedLabel

if TYPE_CHECKING:
    from napari_rdl.case.guessing import Unexplained


class PatientList(QWidget):
    """The patients of a folder that holds several: choose one, step to the next, or make a worklist of them.

    Signals
    -------
    chosen : Path
    worklist_asked : tuple of Path
        The folder that holds them, or their own.
    """

    chosen = Signal(object)
    worklist_asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folders: tuple[Path, ...] = ()
        self._sources: tuple[Path, ...] = ()
        self.box = narrow_combo("The patients of the folder that was opened")
        self.box.setAccessibleName("Patient")
        self.before_button, self.after_button = QPushButton("◀"), QPushButton("▶")
        for button, which in ((self.before_button, "last"), (self.after_button, "next")):
            button.setToolTip(f"Open the {which} patient of the folder")
            button.setAccessibleName(f"{which.capitalize()} patient")
            button.setFixedWidth(34)
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        row.addWidget(self.before_button)
        row.addWidget(self.box, 1)
        row.addWidget(self.after_button)
        self.worklist_button = QPushButton("Worklist of these…")
        self.worklist_button.setToolTip(
            "Make a worklist of these patients in Correct labels: who is how far, and who comes next"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addLayout(row)
        column.addWidget(self.worklist_button)
        self.worklist_button.clicked.connect(lambda: self.worklist_asked.emit(self._sources))
        self.box.activated.connect(self._choose)
        self.before_button.clicked.connect(lambda: self._choose(self.box.currentIndex() - 1))
        self.after_button.clicked.connect(lambda: self._choose(self.box.currentIndex() + 1))
        self.set_folders(())

    def set_folders(self, folders: Sequence[Path], found_in: Path | None = None) -> None:
        """List these patients, none of them chosen yet: found in one folder, or given themselves."""
        self.folders = tuple(folders)
        self._sources = self.folders if found_in is None else (found_in,)
        with QSignalBlocker(self.box):
            self.box.clear()
            for folder in self.folders:
                self.box.addItem(folder.name)
            self.box.setPlaceholderText(f"{len(self.folders)} patients: choose one")
            self.box.setCurrentIndex(-1)
        self._update()
        self.setVisible(bool(self.folders))

    def show_open(self, folder: Path | None) -> None:
        """Mark the patient that is open; the list goes where it is none of these."""
        if folder is None or folder not in self.folders:
            self.set_folders(())
            return
        with QSignalBlocker(self.box):
            self.box.setCurrentIndex(self.folders.index(folder))
        self._update()

    def _choose(self, place: int) -> None:
        if 0 <= place < len(self.folders):
            self.chosen.emit(self.folders[place])

    def _update(self) -> None:
        place = self.box.currentIndex()
        self.before_button.setEnabled(place > 0)
        self.after_button.setEnabled(place + 1 < len(self.folders))


class UnexplainedList(QWidget):
    """A row for each image that no name explains: what it may be, and a button that confirms it.

    Signals
    -------
    chosen : dict of str to Path
        This file is this modality.
    """

    chosen = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACING)
        self._grid.setColumnStretch(0, 1)
        self.boxes: list[QComboBox] = []
        self.buttons: list[QPushButton] = []
        self.setVisible(False)

    def show_images(self, images: Sequence[Unexplained], present: Sequence[str]) -> None:
        """List these images; each may be one of the modalities that are not present."""
        while self._grid.count():
            item = self._grid.takeAt(0)
            if item is not None and item.widget() is not None:
                item.widget().hide()
                item.widget().deleteLater()
        self.boxes, self.buttons = [], []
        missing = [name for name in brats.MODALITIES if name not in present]
        for row, image in enumerate(images):
            looks = f"looks like {image.guess}" if image.guess else "may be"
            label = WrappedLabel(f"{image.path.name} {looks}:")
            box = narrow_combo(f"What {image.path.name} is")
            box.setAccessibleName(f"Modality of {image.path.name}")
            box.addItems(missing)
            box.setCurrentIndex(missing.index(image.guess) if image.guess in missing else -1)
            box.setMinimumWidth(70)
            button = small_button("Use", f"Open the patient with {image.path.name} as this modality")
            button.setAccessibleName(f"Use {image.path.name}")
            button.setEnabled(box.currentIndex() >= 0)
            box.activated.connect(lambda _index, button=button: button.setEnabled(True))
            button.clicked.connect(
                lambda _checked=False, box=box, path=image.path: self.chosen.emit({box.currentText(): path})
            )
            for column, widget in enumerate((label, box, button)):
                self._grid.addWidget(widget, row, column)
            self.boxes.append(box)
            self.buttons.append(button)
        self.setVisible(bool(images))
