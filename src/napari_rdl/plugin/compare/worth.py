"""What each modality is worth: its Shapley value as a bar, and where its absence shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QRectF, QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QWidget

from napari_rdl import brats
from napari_rdl.plugin.compare.colours import (
    GAINED_COLOUR,
    LOST_COLOUR,
    REGION_COLOURS,
    ThemeColours,
    theme_colours,
)
from napari_rdl.plugin.compare.comparison import Comparison
from napari_rdl.plugin.compare.layers import CompareLayers
from napari_rdl.plugin.parts.inputs import narrow_combo, small_button
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.parts.tasks import LatestTask

if TYPE_CHECKING:
    from typing import Any

    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.compare import ModalityWorth
    from napari_rdl.plugin.compare.memory import CompareMemory
    from napari_rdl.plugin.compare.study_runner import Studied

SUBJECT = "where"
_COLOURS = {1: LOST_COLOUR, 2: GAINED_COLOUR}


class WorthBar(QWidget):
    """One bar from a common zero line, to the right for gain and to the left for loss."""

    def __init__(self, colours: ThemeColours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.colours = colours
        self.tint = QColor(REGION_COLOURS["WT"])
        self.value: float | None = None
        self.waiting = False
        self.ends = (0.0, 1.0)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for the height of a line."""
        return QSize(80, self.fontMetrics().height() + 2)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint ground, bar and zero line."""
        painter = QPainter(self)
        box = QRectF(self.rect()).adjusted(0, 1, 0, -1)
        painter.fillRect(box, self.colours.ground)
        low, high = self.ends
        zero = box.left() + box.width() * -low / (high - low)
        if self.value is not None:
            width = box.width() * self.value / (high - low)
            painter.fillRect(
                QRectF(min(zero, zero + width), box.top() + 1, abs(width), box.height() - 2),
                self.colours.line if self.waiting else self.tint,
            )
        painter.setPen(QPen(self.colours.text, 1))
        painter.drawLine(int(zero), int(box.top()), int(zero), int(box.bottom()))
        painter.end()


class WorthBox(Section):
    """A bar for each modality of one region.

    Signals
    -------
    region_chosen : str
    where_asked : str
        The modality whose absence is to be shown; empty for none.
    """

    region_chosen = Signal(str)
    where_asked = Signal(str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("What a modality is worth", parent)
        colours = theme_colours(viewer)
        self._worth: ModalityWorth | None = None
        self._against = ""
        self.region_box = narrow_combo("The region in which modalities are weighed")
        self.region_box.setAccessibleName("Region")
        for region in brats.REGIONS:
            self.region_box.addItem(f"{region}, {brats.REGION_TITLES[region]}", region)
        self.region_box.activated.connect(self._on_region)
        self.chart = QWidget()
        grid = QGridLayout(self.chart)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        grid.setColumnStretch(1, 1)
        self.bars: dict[str, WorthBar] = {}
        self.values: dict[str, QLabel] = {}
        self.buttons: dict[str, QPushButton] = {}
        self._names: dict[str, QLabel] = {}
        for row, modality in enumerate(brats.MODALITIES):
            self._names[modality] = QLabel(modality)
            self.bars[modality] = WorthBar(colours)
            self.values[modality] = QLabel()
            self.values[modality].setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            button = small_button(
                "Where", f"Show what the region loses and gains when {modality} is taken away from all"
            )
            button.setCheckable(True)
            button.setAccessibleName(f"Where {modality} matters")
            button.clicked.connect(lambda on, name=modality: self._on_where(name, on))
            self.buttons[modality] = button
            for column, widget in enumerate(self.row_of(modality)):
                grid.addWidget(widget, row, column)
        self.caption = WrappedLabel()
        self.where = WrappedLabel()
        self.body.addWidget(self.region_box)
        self.body.addWidget(self.chart)
        self.body.addWidget(self.caption)
        self.body.addWidget(self.where)

    @property
    def region(self) -> str:
        """The region whose bars are shown."""
        return self.region_box.currentData()

    @property
    def heading(self) -> str:
        """What the bars are, in a line."""
        against = f", Dice against the {self._against}" if self._against else ", ml"
        return f"Shapley values, {self.region}{against}"

    @property
    def asked(self) -> str:
        """The modality whose *where* is shown, or an empty string."""
        return next((name for name, button in self.buttons.items() if button.isChecked()), "")

    def row_of(self, modality: str) -> tuple[QWidget, ...]:
        """Return a modality's name, bar, value and button."""
        return self._names[modality], self.bars[modality], self.values[modality], self.buttons[modality]

    def set_region(self, region: str) -> None:
        """Choose a region without saying so."""
        if region in brats.REGIONS:
            self.region_box.setCurrentIndex(tuple(brats.REGIONS).index(region))

    def set_theme(self, viewer: Viewer) -> None:
        """Follow the viewer's theme."""
        for bar in self.bars.values():
            bar.colours = theme_colours(viewer)
            bar.update()

    def show_worth(self, worth: ModalityWorth | None, modalities: tuple[str, ...], against: str) -> None:
        """Show Shapley values; `against` says what Dice is measured with."""
        self._worth, self._against = worth, against
        for modality in brats.MODALITIES:
            for widget in self.row_of(modality):
                widget.setVisible(modality in modalities)
        self._draw()

    def set_waiting(self, waiting: bool) -> None:
        """Show the values grey while others are awaited."""
        for modality, bar in self.bars.items():
            bar.waiting = waiting
            bar.update()
            self.values[modality].setEnabled(not waiting)
        self.caption.setEnabled(not waiting)
        self.where.setEnabled(not waiting)

    def uncheck(self) -> None:
        """Show no modality's *where*, without saying so."""
        for button in self.buttons.values():
            with QSignalBlocker(button):
                button.setChecked(False)
        self.where.setText("")

    def _draw(self) -> None:
        worth, region = self._worth, self.region
        known = worth.values[region] if worth is not None else None
        percent = worth is not None and worth.measure == "dice"
        factor, unit = (100.0, "%") if percent else (1.0, "ml")
        least = min([0.0, *(known or {}).values()])
        most = max([0.0, *(known or {}).values()])
        ends = (least, most) if most > least else (0.0, 1.0)
        for modality, bar in self.bars.items():
            bar.value = None if known is None else known.get(modality)
            bar.ends, bar.tint = ends, QColor(REGION_COLOURS[region])
            bar.update()
            text = "–" if bar.value is None else f"{factor * bar.value:+.1f} {unit}"
            self.values[modality].setText(text)
            story = f"{modality}: Shapley value {text} for the {brats.REGION_TITLES[region]}"
            bar.setToolTip(story)
            bar.setAccessibleName(story)
        if worth is None:
            self.caption.setText("")
        elif known is None or (whole := worth.full[region]) is None:
            self.caption.setText(f"{region} is empty in the {self._against}: no modality has a value there.")
        else:
            full = f"{factor * whole:.1f} {unit}"
            what = f"Dice against the {self._against}" if percent else "volume"
            self.caption.setText(f"Shapley values; they sum to the full set's {what}, {full}.")

    def _on_region(self, index: int) -> None:
        self._draw()
        self.region_chosen.emit(self.region)

    def _on_where(self, modality: str, on: bool) -> None:
        for other, button in self.buttons.items():
            if other != modality:
                button.setChecked(False)
        if not on:
            self.where.setText("")
        self.where_asked.emit(modality if on else "")


class CompareWorth(QObject):
    """Keeps the bars at the study and the *where* layer at the modality asked for."""

    def __init__(
        self, comparison: Comparison, layers: CompareLayers, memory: CompareMemory, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._comparison = comparison
        self._layers = layers
        self._memory = memory
        self.worker = LatestTask(self)
        self.box = WorthBox(comparison.viewer)
        self.box.set_region(memory.choices.region)
        self.box.region_chosen.connect(self._on_region)
        self.box.where_asked.connect(self._show_where)
        comparison.studied_changed.connect(self._on_studied)
        comparison.patient_changed.connect(lambda _case: self.stop())

    def stop(self) -> None:
        """Want no layer any more."""
        self.worker.drop()
        self.box.uncheck()

    def end_where(self) -> None:
        """Show no modality's absence any more."""
        self.stop()
        self.box.where.setText("")
        self._layers.hide(SUBJECT)

    def shut_down(self) -> None:
        """Stop for good."""
        self.worker.shut_down()

    def _on_studied(self, studied: Studied | None) -> None:
        study = studied.study if studied is not None else None
        worth = study.worth() if study is not None else None
        against = study.reference.title if study is not None and study.reference is not None else ""
        self.box.show_worth(worth, study.modalities if study is not None else (), against)
        self._show_where(self.box.asked)

    def _on_region(self, region: str) -> None:
        self._memory.remember(region=region)
        self._show_where(self.box.asked)

    def _show_where(self, modality: str) -> None:
        studied, region = self._comparison.studied, self.box.region
        if studied is None or not modality or modality not in studied.study.modalities:
            self.worker.drop()
            self._layers.hide(SUBJECT)
            return

        def compute(progress: Progress, cancelled: IsCancelled) -> Any:
            from napari_rdl.compare import lost_and_gained

            return lost_and_gained(studied.study.stack, modality, region=region)

        def show(changed: Any) -> None:
            if self._comparison.studied is not studied or self.box.asked != modality:
                return
            names = ["unchanged", f"{region} lost without {modality}", f"{region} gained without {modality}"]
            self._layers.show_labels(studied.case, SUBJECT, changed, _COLOURS, names)
            _, lost, gained = np.bincount(changed.ravel(), minlength=3) * studied.study.grid.voxel_ml
            self.box.where.setText(
                f"Without {modality}, {lost:.1f} ml of {region} are lost (orange) and {gained:.1f} ml gained "
                "(blue)."
            )

        self.worker.ask(compute, show)
