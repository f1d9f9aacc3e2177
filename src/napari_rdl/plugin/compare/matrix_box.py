"""The box of the table of subsets: what is compared with, which number is shown, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_rdl.compare.export import MEASURES
from napari_rdl.plugin.compare.colours import theme_colours
from napari_rdl.plugin.compare.matrix_table import MatrixTable
from napari_rdl.plugin.compare.reference import ReferenceBox
from napari_rdl.plugin.parts.inputs import narrow_combo
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.parts.work_bar import WorkBar

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.compare.study_runner import Studied


HINT = "Arrow keys walk the rows; A and B pin the row."


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
        self.progress_bar = WorkBar()
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
