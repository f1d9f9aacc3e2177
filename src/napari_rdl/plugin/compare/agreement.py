"""Where the subsets agree and where they do not: two image layers, and a list of places to go to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QCheckBox, QHeaderView, QTableView, QWidget

from napari_rdl.brats import subset_name
from napari_rdl.plugin.compare.colours import DISAGREED, UNSURE
from napari_rdl.plugin.compare.comparison import Comparison
from napari_rdl.plugin.compare.layers import CompareLayers
from napari_rdl.plugin.parts.section import Section, WrappedLabel
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.viewer.appearance import scale_translate

if TYPE_CHECKING:
    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Grid
    from napari_rdl.compare import Place
    from napari_rdl.plugin.compare.study_runner import Studied

AGREEMENT, ENTROPY = "agreement", "entropy"
COLUMNS = ("ml", "agree", "R", "A", "S")
_ROWS = 6
_NONE = QModelIndex()

UNITS = {AGREEMENT: "share of the subsets", ENTROPY: "0 sure, 1 undecided"}
"""What the numbers of the layers' colour bars are."""


class PlacesModel(QAbstractTableModel):
    """A row for each place of disagreement, worst first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.places: list[Place] = []
        self.positions: list[tuple[float, ...]] = []

    def set_places(self, places: list[Place], grid: Grid | None) -> None:
        """Take other places, which lie on this grid."""
        self.beginResetModel()
        self.places = list(places)
        self.positions = [world_of(place, grid) for place in self.places] if grid is not None else []
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _NONE) -> int:  # noqa: N802 - Qt's name
        """Return how many places there are."""
        return 0 if parent.isValid() else len(self.places)

    def columnCount(self, parent: QModelIndex = _NONE) -> int:  # noqa: N802 - Qt's name
        """Return five: volume, agreement, position."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            if section == 0:
                return "Volume of the place in ml"
            if section == 1:
                return "Mean share of the subsets that say the same there"
            way = ("right", "anterior", "superior")[section - 2]
            return f"Where a click goes: mm towards {way}, as on the viewer's sliders"
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, tooltip or alignment."""
        place = self.places[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            if index.column() == 0:
                return f"{place.volume_ml:.2f}"
            if index.column() == 1:
                return f"{100 * place.agreement:.0f} %"
            return f"{self.positions[index.row()][index.column() - 2]:.0f}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return "Click to go there"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int((Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter).value)
        return None


class AgreementBox(Section):
    """Two switches and the list of places.

    Signals
    -------
    agreement_switched, entropy_switched : bool
    place_chosen : Place
    """

    agreement_switched = Signal(bool)
    entropy_switched = Signal(bool)
    place_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Where the subsets disagree", parent)
        self.agreement_box = QCheckBox("Agreement of all subsets")
        self.agreement_box.setToolTip(
            "An image of the share of the subsets that give each voxel its most voted class; "
            "what all agree on is left clear"
        )
        self.entropy_box = QCheckBox("Entropy of the subset shown")
        self.entropy_box.setToolTip(
            "An image of how unsure the subset shown is of its own labels: 0 sure, 1 undecided"
        )
        self.agreement_box.toggled.connect(self.agreement_switched)
        self.entropy_box.toggled.connect(self.entropy_switched)
        self.places = PlacesModel(self)
        self.table = QTableView()
        self.table.setModel(self.places)
        self.table.setAccessibleName("Places where the subsets disagree most")
        self.table.setToolTip("Click a place to go there")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.clicked.connect(self._on_place)
        self.table.activated.connect(self._on_place)
        self.table.selectionModel().currentRowChanged.connect(lambda now, _before: self._on_place(now))
        self.hint = WrappedLabel()
        self.body.addWidget(self.agreement_box)
        self.body.addWidget(self.entropy_box)
        self.body.addWidget(self.hint)
        self.body.addWidget(self.table)
        self.show_places([], None)

    def show_places(self, places: list[Place], grid: Grid | None) -> None:
        """List these places of a grid."""
        self.places.set_places(places, grid)
        self.hint.setText(
            "They agree least in these places; click one to go there:"
            if places
            else "There is no place in which they disagree much."
        )
        self.table.setVisible(bool(places))
        height = self.table.fontMetrics().height() + 5
        self.table.verticalHeader().setMinimumSectionSize(height)
        self.table.verticalHeader().setDefaultSectionSize(height)
        rows = min(len(places), _ROWS)
        head = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(rows * height + head + 2 * self.table.frameWidth())

    def _on_place(self, index: QModelIndex) -> None:
        if index.isValid():
            self.place_chosen.emit(self.places.places[index.row()])


class CompareAgreement(QObject):
    """Keeps the two layers at the study and the subset shown, and goes to places."""

    def __init__(self, comparison: Comparison, layers: CompareLayers, parent: QObject) -> None:
        super().__init__(parent)
        self._comparison = comparison
        self._layers = layers
        self.workers = {AGREEMENT: LatestTask(self), ENTROPY: LatestTask(self)}
        self.box = AgreementBox()
        self.box.agreement_switched.connect(self._on_agreement)
        self.box.entropy_switched.connect(self._on_entropy)
        self.box.place_chosen.connect(self.go_to)
        comparison.studied_changed.connect(self._on_studied)
        comparison.subset_changed.connect(lambda _subset: self._show_entropy())
        comparison.patient_changed.connect(lambda _case: self.stop())

    def go_to(self, place: Place) -> None:
        """Turn the slices and the camera to a place."""
        studied, viewer = self._comparison.studied, self._comparison.viewer
        if studied is None or viewer.dims.ndim < 3:
            return
        world = world_of(place, studied.case.grid)
        front = viewer.dims.ndim - 3
        viewer.dims.set_point(range(front, front + 3), world)
        shown = [world[axis - front] if axis >= front else 0.0 for axis in viewer.dims.displayed]
        viewer.scene.camera.center = (*viewer.scene.camera.center[: 3 - len(shown)], *shown)

    def stop(self) -> None:
        """Want no layers any more."""
        for worker in self.workers.values():
            worker.drop()
        for box in (self.box.agreement_box, self.box.entropy_box):
            with QSignalBlocker(box):
                box.setChecked(False)

    def shut_down(self) -> None:
        """Stop for good."""
        for worker in self.workers.values():
            worker.shut_down()

    def _on_studied(self, studied: Studied | None) -> None:
        places = studied.places if studied is not None else []
        if places != self.box.places.places:
            self.box.show_places(places, studied.case.grid if studied is not None else None)
        can = studied is not None and self._comparison.representations is not None
        self.box.entropy_box.setEnabled(can)
        self._show_agreement()

    def _on_agreement(self, on: bool) -> None:
        # One layer shows either.
        if on:
            self.box.entropy_box.setChecked(False)
        self._show_agreement()

    def _on_entropy(self, on: bool) -> None:
        if on:
            self.box.agreement_box.setChecked(False)
        self._show_entropy()

    def _show_agreement(self) -> None:
        studied, worker = self._comparison.studied, self.workers[AGREEMENT]
        if studied is None or not self.box.agreement_box.isChecked():
            worker.drop()
            self._layers.hide(AGREEMENT)
            return

        def compute(progress: Progress, cancelled: IsCancelled) -> Any:
            from napari_rdl.compare import agreement

            return agreement(studied.study.stack)

        def show(shares: np.ndarray) -> None:
            if self._comparison.studied is studied:
                limits = (0.25, 1.0)  # four classes: no fewer can have most of the votes
                layer = self._layers.show_image(studied.case, AGREEMENT, shares, DISAGREED, limits)
                layer.name = f"{studied.case.name} {AGREEMENT} ({UNITS[AGREEMENT]})"

        worker.ask(compute, show)

    def _show_entropy(self) -> None:
        comparison, worker = self._comparison, self.workers[ENTROPY]
        studied, representations = comparison.studied, comparison.representations
        subset = comparison.subset
        if studied is None or representations is None or not self.box.entropy_box.isChecked() or not subset:
            worker.drop()
            self._layers.hide(ENTROPY)
            return

        def compute(progress: Progress, cancelled: IsCancelled) -> Any:
            from napari_rdl.compare import entropy

            return entropy(representations, subset)

        def show(values: np.ndarray) -> None:
            if comparison.representations is representations:
                layer = self._layers.show_image(studied.case, ENTROPY, values, UNSURE, (0.0, 1.0))
                layer.name = f"{studied.case.name} entropy of {subset_name(subset)} ({UNITS[ENTROPY]})"

        worker.ask(compute, show)


def world_of(place: Place, grid: Grid) -> tuple[float, ...]:
    """Return where a place's voxel lies in the viewer's world, in mm (x, y, z)."""
    scale, translate = scale_translate(grid)
    return tuple(translate[axis] + scale[axis] * place.voxel[axis] for axis in range(3))
