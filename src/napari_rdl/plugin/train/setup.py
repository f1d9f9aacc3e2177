"""The part of the widget where a run is set up: data, recipe, beginning, device, length, place."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_rdl.errors import NapariRdlError
from napari_rdl.models import bundled_model_path, read_card
from napari_rdl.plugin.parts.collapsible import plain_collapsible
from napari_rdl.plugin.parts.config_form import ConfigForm, nested
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel, tab_as_laid_out
from napari_rdl.plugin.segment.run_box import DEVICE_TITLES
from napari_rdl.plugin.train.inputs import DataInputs, PlaceInputs, Row
from napari_rdl.plugin.train.memory import RememberedTraining
from napari_rdl.plugin.train.start_boxes import SHIPPED, RecipeBox, StartBox
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.recipe import config_problems, load_recipe
from napari_rdl.training.run.process import RunPlan

logger = logging.getLogger(__name__)

TITLES = {
    "hardware.device": DEVICE_TITLES,
    "loss.kind": {
        "holder": "Hölder",
        "cross_entropy": "Cross-entropy",
        "kl": "KL",
        "total_variation": "Variation",
        "squared_hellinger": "Hellinger",
        "neyman_chi2": "Neyman χ²",
        "jensen_shannon": "Jensen-Shan.",
    },
    "loss.target": {"label": "Label", "full": "Full set"},
    "network.norm": {"shared": "Shared", "per_modality": "Per modality"},
    "network.fusion": {"mean": "Mean", "gated": "Gated"},
    "hardware.precision": {"32-true": "32 bits", "bf16-mixed": "bfloat16", "16-mixed": "16 bits"},
}
"""What choices are called, short enough for a narrow dock."""

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
    edited : no value
    """

    start_asked = Signal()
    check_asked = Signal()
    cancel_asked = Signal()
    try_asked = Signal()
    edited = Signal()

    def __init__(self, remembered: RememberedTraining, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._loading = True
        self._checking = False
        self._recipe = "laptop"
        self.data = DataInputs(self)
        self.place = PlaceInputs(self)
        self.recipe_box = RecipeBox(remembered.recipe_files)
        self.start_box = StartBox(remembered.checkpoints)
        self.form = ConfigForm(
            TrainingConfig,
            leave_out=("name", "data.source", "start_from"),
            titles=TITLES,
        )
        self._make_editors()
        self._lay_out()
        self._connect()
        self.start_box.show_start(None)
        self._restore(remembered)
        self._loading = False
        self._on_edited()

    # --- What was set up

    @property
    def plan(self) -> RunPlan:
        """The recipe, and the changes against it."""
        changes: dict[str, Any] = {}
        if self.data.source:
            changes["data.source"] = self.data.source
        if self.start_from is not None:
            changes["start_from"] = self.start_from
        # Models are told apart by their runs' names.
        changes["name"] = self.place.name
        return RunPlan(self._recipe, {**changes, **self.form.changes()})

    @property
    def start_from(self) -> str | None:
        """What the run begins with: None, ``"shipped"`` or a checkpoint."""
        chosen = self.start_box.start
        return str(chosen) if chosen is not None else None

    @property
    def skips_broken(self) -> bool:
        """Whether patients that cannot be used are left out."""
        return bool(self.form.rows["data.skip_broken"].value)

    def choices(self) -> dict[str, Any]:
        """Return what is to be remembered, as fields of `RememberedTraining`."""
        return {
            "recipe": self._recipe,
            "recipe_files": tuple(self.recipe_box.files),
            "source_kind": self.data.kind,
            "source": self.data.path,
            "synthetic": self.data.count_box.value(),
            "checkpoints": tuple(self.start_box.checkpoints),
            "changes": self.form.changes(),
            "runs_folder": self.place.runs,
        }

    def problems(self) -> list[str]:
        """Say what is wrong beside its field; return all of it."""
        values = {**self.form.values(), "data.source": self.data.source, "start_from": self.start_from}
        found = config_problems(nested(values))
        elsewhere = self.form.show_problems(found)
        self.other_problems.setText(" ".join(elsewhere))
        count = len(self.form.changes().keys() - {"optimizer.max_steps", "hardware.device"})
        self.advanced.setText(f"Advanced ({count} changed)" if count else "Advanced")
        self.reset_button.setEnabled(bool(self.form.changes()))
        return [*filter(None, (self.data.show_problem(), self.place.show_problem())), *found.values()]

    # --- What code sets up

    def set_plan(self, plan: RunPlan) -> None:
        """Set up a recipe and changes, in place of what was there."""
        self._loading = True
        self.recipe_box.show_recipe(plan.recipe)
        self._load_recipe(plan.recipe)
        changes = dict(plan.changes)
        self.data.show_source(str(changes.pop("data.source", "")))
        self.start_box.show_start(changes.pop("start_from", None))
        changes.pop("name", None)
        self.form.set_values(changes)
        self._loading = False
        self.propose_name()

    def begin_with(self, checkpoint: Path | str | None) -> None:
        """Begin with a checkpoint (``"shipped"`` for the bundled one), or with random weights.

        Its architecture and voxel size are taken over, since its weights fit no other.
        """
        self.start_box.show_start(checkpoint)
        self._adopt(checkpoint)
        self.propose_name()

    def propose_name(self) -> None:
        """Put the first free name for a run of this recipe."""
        stem = Path(self._recipe).stem + ("-tuned" if self.start_from else "")
        self.place.propose(stem)
        self._on_edited()

    def set_checking(self, checking: bool) -> None:
        """Turn Check into Cancel and back."""
        self._checking = checking
        self.check_button.setText("Cancel" if checking else "Check")
        if checking:
            self.found.show_message("note", "Starting Python and PyTorch…")

    # --- Making

    def _make_editors(self) -> None:
        self.try_button = QPushButton("Try it: a toy model")
        self.try_button.setToolTip(
            "From nothing to a trained toy model: 16 synthetic patients, 200 steps, some minutes. "
            "What is set up below stays as it is."
        )
        self.other_problems = WrappedLabel()
        self.other_problems.setObjectName("problem")
        self.reset_button = QPushButton("Back to the recipe")
        self.reset_button.setToolTip("Undo all changes against the recipe")
        self.check_button = QPushButton("Check")
        self.check_button.setToolTip("Look for patients, and measure memory and time on two steps")
        self.start_button = QPushButton("Start")
        self.start_button.setToolTip("Start the training as a process of its own; it goes on without napari")
        self.found = MessageBar()

    def _lay_out(self) -> None:
        first = Section("First time?")
        first.body.addWidget(self.try_button)

        grid = _grid(
            [
                *self.data.rows,
                ("Recipe", self.recipe_box, self.recipe_box),
                ("Start from", self.start_box, self.start_box),
            ]
        )
        for key in ("hardware.device", "optimizer.max_steps"):
            self.form.take(key).lay_out_in(grid)
        run = Section("New run")
        run.body.addLayout(grid)
        self._grids = [grid]
        self.form.lay_out()
        advanced = QWidget()
        column = QVBoxLayout(advanced)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addWidget(self.reset_button)
        column.addWidget(self.other_problems)
        column.addWidget(self.form)
        self.advanced = plain_collapsible("Advanced", advanced, "All other settings of the recipe")
        run.body.addWidget(self.advanced)

        place = Section("Where it is put")
        grid = _grid(self.place.rows)
        place.body.addLayout(grid)
        self._grids.append(grid)
        place.body.addWidget(self.place.problem)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACING)
        buttons.addWidget(self.start_button, 2)
        buttons.addWidget(self.check_button, 1)
        place.body.addLayout(buttons)
        place.body.addWidget(self.found)

        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(14)
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
        self.recipe_box.activated.connect(self._on_recipe_activated)
        self.start_box.activated.connect(self._on_start_activated)
        self.reset_button.clicked.connect(lambda: self.form.reset())
        self.data.edited.connect(self._on_edited)
        self.place.edited.connect(self._on_edited)
        self.place.folder_edited.connect(self.propose_name)
        self.form.edited.connect(self._on_edited)

    def _restore(self, remembered: RememberedTraining) -> None:
        self.place.runs_edit.setText(str(remembered.runs_folder))
        self.data.restore(remembered.source_kind, remembered.source, remembered.synthetic)
        try:
            self._load_recipe(remembered.recipe)
        except NapariRdlError as error:
            logger.warning("The recipe used last is of no use any more: %s", error)
            self.recipe_box.files = [file for file in self.recipe_box.files if file != remembered.recipe]
            self._load_recipe("laptop")
        self.recipe_box.show_recipe(self._recipe)
        for key, value in remembered.changes.items():
            # What begins with random weights begins with the recipe's architecture.
            if key in self.form.rows and not key.startswith("network."):
                # A choice that another version had is none of this one's.
                with contextlib.suppress(ValueError, TypeError):
                    self.form.set_values({key: value})
        self.propose_name()

    # --- What the editors say

    def _on_edited(self, _value: object = None) -> None:
        if self._loading:
            return
        wrong = self.problems()
        self.start_button.setEnabled(not wrong)
        self.check_button.setEnabled(not wrong or self._checking)
        self.edited.emit()

    def _on_check_clicked(self) -> None:
        (self.cancel_asked if self._checking else self.check_asked).emit()

    def _on_recipe_activated(self, index: int) -> None:
        chosen = self.recipe_box.asked_for(index)
        if not chosen:
            self.recipe_box.show_recipe(self._recipe)
            return
        before = self._recipe
        try:
            self._load_recipe(chosen)
        except NapariRdlError as error:
            self.found.show_message("error", str(error))
            self.recipe_box.show_recipe(before)
            return
        self.found.clear()
        self.recipe_box.show_recipe(chosen)
        if self.start_from is not None:
            self._adopt(self.start_box.start)
        self.propose_name()

    def _on_start_activated(self, index: int) -> None:
        is_chosen, start = self.start_box.asked_for(index)
        if is_chosen:
            self.begin_with(start)

    def _load_recipe(self, recipe: str) -> None:
        base = load_recipe(recipe).model_dump()
        self._recipe = recipe
        loading, self._loading = self._loading, True
        self.form.set_base(base)
        self._loading = loading
        if base["data"]["source"]:
            self.data.show_source(base["data"]["source"])

    def _adopt(self, checkpoint: Path | str | None) -> None:
        """Take over what the weights of a checkpoint need."""
        self.found.clear()
        self.form.reset("network.")
        self.form.reset("data.spacing")
        if checkpoint is None:
            return
        try:
            card = read_card(bundled_model_path() if checkpoint == SHIPPED else checkpoint)
        except NapariRdlError as error:
            self.found.show_message("error", str(error))
            self.start_box.show_start(None)
            return
        network = {f"network.{name}": value for name, value in card.network.model_dump().items()}
        self.form.set_values({**network, "data.spacing": card.spacing})


def _grid(rows: Sequence[Row]) -> QGridLayout:
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
