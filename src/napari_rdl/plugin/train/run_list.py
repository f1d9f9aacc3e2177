"""The list of runs: which there are, how they stand, and whose curves are compared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.training.run.reader import Glance, State

ROWS = 4
_PATH = Qt.ItemDataRole.UserRole


class RunList(Section):
    """Runs with their state and best Dice; a tick adds a run's curves to those shown.

    Signals
    -------
    chosen : Path
        Show this run.
    compared : tuple of Path
        Show the curves of these beside those of the run shown.
    folder_chosen : Path
        List the runs of another folder.
    run_opened : Path
        A run that lies elsewhere.
    """

    chosen = Signal(object)
    compared = Signal(object)
    folder_chosen = Signal(object)
    run_opened = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Runs", parent)
        self._folder = Path()
        self._glances: dict[Path, Glance] = {}
        self.tree = QTreeWidget()
        self.tree.setColumnCount(3)
        self.tree.setHeaderLabels(["Run", "State", "Dice"])
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setAccessibleName("Runs")
        self.tree.setToolTip("Click a run to see it. Tick several to compare their curves.")
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.setFixedHeight((ROWS + 1) * (self.fontMetrics().height() + 10))
        self.tree.currentItemChanged.connect(self._on_current)
        self.tree.itemChanged.connect(self._on_ticked)
        self.empty = WrappedLabel()
        self.folder_button = QPushButton("Folder…")
        self.folder_button.setToolTip("List the runs of another folder")
        self.folder_button.clicked.connect(self._ask_for_folder)
        self.open_button = QPushButton("Open run…")
        self.open_button.setToolTip("Add a run that lies elsewhere, such as one that was moved")
        self.open_button.clicked.connect(self._ask_for_run)
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        row.addWidget(self.folder_button)
        row.addWidget(self.open_button)
        self.body.addWidget(self.tree)
        self.body.addWidget(self.empty)
        self.body.addLayout(row)

    @property
    def ticked(self) -> tuple[Path, ...]:
        """The runs that are to be compared."""
        return tuple(
            item.data(0, _PATH) for item in self._items() if item.checkState(0) == Qt.CheckState.Checked
        )

    def set_folder(self, folder: Path) -> None:
        """Say which folder is listed."""
        self._folder = folder
        self.folder_button.setToolTip(f"List the runs of another folder than {folder}")
        self._say_empty()

    def show_glances(self, glances: Iterable[Glance], *, whole: bool = False) -> None:
        """Bring rows up to date; with `whole`, rows of other runs go."""
        glances = list(glances)
        with QSignalBlocker(self.tree):
            rows = {item.data(0, _PATH): item for item in self._items()}
            if whole:
                wanted = {glance.folder for glance in glances}
                for path, item in list(rows.items()):
                    if path not in wanted:
                        self.tree.takeTopLevelItem(self.tree.indexOfTopLevelItem(item))
                        del rows[path]
                        self._glances.pop(path, None)
            for glance in glances:
                item = rows.get(glance.folder)
                if item is None:
                    item = QTreeWidgetItem([glance.folder.name, "", ""])
                    item.setData(0, _PATH, glance.folder)
                    item.setCheckState(0, Qt.CheckState.Unchecked)
                    item.setToolTip(0, str(glance.folder))
                    item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                    # The newest run stands first; `glances` has them in this order.
                    self.tree.insertTopLevelItem(0 if not whole else self.tree.topLevelItemCount(), item)
                if self._glances.get(glance.folder) == glance:
                    continue
                self._glances[glance.folder] = glance
                item.setText(1, _state_in_words(glance))
                item.setText(2, "–" if glance.best is None else f"{glance.best:.2f}")
        self._say_empty()

    def select(self, path: Path | None) -> None:
        """Mark a run as the one shown, without saying so."""
        with QSignalBlocker(self.tree):
            for item in self._items():
                if item.data(0, _PATH) == path:
                    self.tree.setCurrentItem(item)

    def tick(self, paths: Iterable[Path]) -> None:
        """Tick runs for comparison, without saying so."""
        wanted = set(paths)
        with QSignalBlocker(self.tree):
            for item in self._items():
                if item.data(0, _PATH) in wanted:
                    item.setCheckState(0, Qt.CheckState.Checked)

    def alive(self) -> tuple[Path, ...]:
        """Return the runs that a process works on."""
        return tuple(path for path, glance in self._glances.items() if glance.state.alive)

    def _items(self) -> list[QTreeWidgetItem]:
        return [self.tree.topLevelItem(row) for row in range(self.tree.topLevelItemCount())]

    def _say_empty(self) -> None:
        self.empty.setText("" if self.tree.topLevelItemCount() else f"No runs in {self._folder} yet.")

    def _on_current(self, item: QTreeWidgetItem | None, _before: object) -> None:
        if item is not None:
            self.chosen.emit(item.data(0, _PATH))

    def _on_ticked(self, _item: QTreeWidgetItem, column: int) -> None:
        if column == 0:
            self.compared.emit(self.ticked)

    def _ask_for_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of runs", str(self._folder))
        if chosen:
            self.folder_chosen.emit(Path(chosen))

    def _ask_for_run(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Open a run's folder", str(self._folder))
        if chosen:
            self.run_opened.emit(Path(chosen))


def _state_in_words(glance: Glance) -> str:
    if glance.state is State.RUNNING and glance.steps:
        return f"{100 * glance.step // glance.steps} %"
    return glance.state.value
