"""The page where a run is set up: its data, what is trained, and where it is put."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_rdl.plugin.parts.dock import GAP, MARGIN
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import SPACING, Section, tab_as_laid_out
from napari_rdl.plugin.train.inputs import DataInputs, PlaceInputs, grid_of
from napari_rdl.plugin.train.memory import RememberedTraining
from napari_rdl.plugin.train.recipe import COMMON, RecipeInputs
from napari_rdl.training.run.process import RunPlan

TRY_IT = RunPlan(
    "laptop",
    {
        "data.source": "phantom:16",
        "optimizer.max_steps": 200,
        "validation.every": 25,
        "validation.patients": 3,
        "run.checkpoint_every": 25,
    },
)
"""A toy model in some minutes on a laptop, from nothing."""


class TrainSetup(QWidget):
    """Common settings shown, the others under Advanced.

    Signals
    -------
    start_asked, check_asked, cancel_asked, try_asked : no value
    """

    start_asked = Signal()
    check_asked = Signal()
    cancel_asked = Signal()
    try_asked = Signal()

    def __init__(self, remembered: RememberedTraining, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._loading = True
        self._checking = False
        self.data = DataInputs(self)
        self.recipe = RecipeInputs(remembered, self)
        self.place = PlaceInputs(self)
        self._make_buttons()
        self._lay_out()
        self._connect()
        self.place.runs_edit.setText(str(remembered.runs_folder))
        self.data.restore(remembered.source_kind, remembered.source, remembered.synthetic)
        self.recipe.restore(remembered)
        self._loading = False
        self.propose_name()

    # --- What was set up

    @property
    def plan(self) -> RunPlan:
        """The recipe, and the changes against it."""
        changes: dict[str, Any] = {}
        if self.data.source:
            changes["data.source"] = self.data.source
        if self.recipe.start_from is not None:
            changes["start_from"] = self.recipe.start_from
        # Models are told apart by their runs' names.
        changes["name"] = self.place.name
        return RunPlan(self.recipe.recipe, {**changes, **self.recipe.form.changes()})

    @property
    def skips_broken(self) -> bool:
        """Whether patients that cannot be used are left out."""
        return bool(self.recipe.form.rows["data.skip_broken"].value)

    def choices(self) -> dict[str, Any]:
        """Return what is to be remembered, as fields of `RememberedTraining`."""
        return {
            "recipe": self.recipe.recipe,
            "recipe_files": tuple(self.recipe.recipe_box.files),
            "source_kind": self.data.kind,
            "source": self.data.path,
            "synthetic": self.data.count_box.value(),
            "checkpoints": tuple(self.recipe.start_box.checkpoints),
            "changes": self.recipe.form.changes(),
            "runs_folder": self.place.runs,
        }

    def problems(self) -> list[str]:
        """Say what is wrong beside its field; return all of it."""
        settings = self.recipe.show_problems({"data.source": self.data.source})
        return [*filter(None, (self.data.show_problem(), self.place.show_problem())), *settings]

    # --- What code sets up

    def begin_with(self, checkpoint: Path | str | None) -> None:
        """Begin with a checkpoint (``"shipped"`` for the bundled one), or with random weights."""
        self.recipe.begin_with(checkpoint)

    def propose_name(self) -> None:
        """Put the first free name for a run of this recipe."""
        self.place.propose(self.recipe.stem)
        self._on_edited()

    def set_checking(self, checking: bool) -> None:
        """Turn Check into Cancel and back."""
        self._checking = checking
        self.check_button.setText("Cancel" if checking else "Check")
        if checking:
            self.found.show_message("note", "Starting Python and PyTorch…")

    # --- Making

    def _make_buttons(self) -> None:
        self.try_button = QPushButton("Try it: a toy model")
        self.try_button.setToolTip(
            "From nothing to a trained toy model: 16 synthetic patients, 200 steps, some minutes. "
            "What is set up below stays as it is."
        )
        self.check_button = QPushButton("Check")
        self.check_button.setToolTip("Look for patients, and measure memory and time on two steps")
        self.start_button = QPushButton("Start")
        self.start_button.setToolTip("Start the training as a process of its own; it goes on without napari")
        self.found = MessageBar()

    def _lay_out(self) -> None:
        first = Section("First time?")
        first.body.addWidget(self.try_button)

        run = Section("New run")
        settings = grid_of([*self.data.rows, *self.recipe.rows])
        for key in COMMON:
            self.recipe.form.take(key).lay_out_in(settings)
        run.body.addLayout(settings)
        run.body.addWidget(self.recipe.lay_out())

        place = Section("Where it is put")
        names = grid_of(self.place.rows)
        place.body.addLayout(names)
        place.body.addWidget(self.place.problem)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACING)
        buttons.addWidget(self.start_button, 2)
        buttons.addWidget(self.check_button, 1)
        place.body.addLayout(buttons)
        place.body.addWidget(self.found)

        self._grids = [settings, names]
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GAP)
        for part in (first, run, place):
            column.addWidget(part)
        column.addStretch(1)
        tab_as_laid_out(self)

    def showEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Line the inputs of both sections up, once the theme's font is known."""
        super().showEvent(event)
        labels = [
            grid.itemAtPosition(row, 0).widget()
            for grid in self._grids
            for row in range(grid.rowCount())
            if grid.itemAtPosition(row, 0) is not None
        ]
        width = max(
            label.sizeHint().width() for label in labels if isinstance(label, QLabel) and label.buddy()
        )
        for grid in self._grids:
            grid.setColumnMinimumWidth(0, width)

    def _connect(self) -> None:
        self.try_button.clicked.connect(self.try_asked)
        self.start_button.clicked.connect(self.start_asked)
        self.check_button.clicked.connect(self._on_check_clicked)
        self.data.edited.connect(self._on_edited)
        self.recipe.edited.connect(self._on_edited)
        self.recipe.chosen.connect(self.propose_name)
        self.recipe.source_known.connect(self.data.show_source)
        self.recipe.refused.connect(self._on_refused)
        self.place.edited.connect(self._on_edited)
        self.place.folder_edited.connect(self.propose_name)

    # --- What the inputs say

    def _on_edited(self) -> None:
        if self._loading:
            return
        wrong = self.problems()
        self.start_button.setEnabled(not wrong)
        self.check_button.setEnabled(not wrong or self._checking)

    def _on_check_clicked(self) -> None:
        (self.cancel_asked if self._checking else self.check_asked).emit()

    def _on_refused(self, sentence: str) -> None:
        self.found.show_messages([("error", sentence)] if sentence else [])
