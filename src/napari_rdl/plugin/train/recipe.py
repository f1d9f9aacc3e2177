"""What is trained: a recipe, the weights that it begins with, and the changes against it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_rdl.errors import NapariRdlError
from napari_rdl.models import bundled_model_path, read_card
from napari_rdl.plugin.parts.config_form import ConfigForm, nested
from napari_rdl.plugin.parts.devices import DEVICE_TITLES
from napari_rdl.plugin.parts.remedies import in_words
from napari_rdl.plugin.parts.section import SPACING, WrappedLabel, plain_collapsible
from napari_rdl.plugin.train.inputs import Row
from napari_rdl.plugin.train.memory import RememberedTraining
from napari_rdl.plugin.train.recipe_boxes import FIRST_RECIPE, SHIPPED, RecipeBox, StartBox
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.recipe import config_problems, load_recipe

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
    "data.stratify": {"none": "At random", "enhancement": "Enhancement"},
    "network.norm": {"shared": "Shared", "per_modality": "Per modality"},
    "network.fusion": {"mean": "Mean", "gated": "Gated", "deep_sets": "Deep sets"},
    "hardware.precision": {
        "32-true": "32 bits",
        "bf16-mixed": "bfloat16",
        "16-mixed": "16 bits",
        "auto": "Automatic",
    },
}
"""What choices are called, short enough for a narrow dock."""

COMMON = ("hardware.device", "optimizer.max_steps")
"""Settings that most runs change; they stand before *Advanced*."""


class RecipeInputs(QObject):
    """A recipe, what its weights begin with, and every setting that may be changed.

    Attributes
    ----------
    rows : list of (str, QWidget, QWidget)
        What is laid out: a title, what stands beside it, and what the title gives the focus to.
    form : ConfigForm
        The settings; some rows are laid out by the caller, `lay_out` makes the others *Advanced*.

    Signals
    -------
    edited : no value
    chosen : no value
        Another recipe or another beginning was.
    source_known : str
        The recipe says where patients come from.
    refused : str
        Why a recipe or a checkpoint cannot be taken; empty when nothing is wrong any more.
    """

    edited = Signal()
    chosen = Signal()
    source_known = Signal(str)
    refused = Signal(str)

    def __init__(self, remembered: RememberedTraining, parent: QObject) -> None:
        super().__init__(parent)
        self.recipe = FIRST_RECIPE
        self.recipe_box = RecipeBox(remembered.recipe_files)
        self.start_box = StartBox(remembered.checkpoints)
        self.start_box.show_start(None)
        self.form = ConfigForm(
            TrainingConfig,
            leave_out=("name", "data.source", "data.sources", "data.validation_sources", "start_from"),
            titles=TITLES,
        )
        self.rows: list[Row] = [
            ("Recipe", self.recipe_box, self.recipe_box),
            ("Start from", self.start_box, self.start_box),
        ]
        self.other_problems = WrappedLabel()
        self.other_problems.setObjectName("problem")
        self.reset_button = QPushButton("Back to the recipe")
        self.reset_button.setToolTip("Undo all changes against the recipe")
        self.recipe_box.activated.connect(self._on_recipe_activated)
        self.start_box.activated.connect(self._on_start_activated)
        self.reset_button.clicked.connect(lambda: self.form.reset())
        self.form.edited.connect(self.edited)

    @property
    def start_from(self) -> str | None:
        """What the run begins with: None, ``"shipped"`` or a checkpoint."""
        chosen = self.start_box.start
        return str(chosen) if chosen is not None else None

    @property
    def stem(self) -> str:
        """What a run of this recipe is called, without its number."""
        return Path(self.recipe).stem + ("-tuned" if self.start_from else "")

    def lay_out(self) -> QWidget:
        """Return *Advanced*: every setting that was not taken from the form."""
        self.form.lay_out()
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addWidget(self.reset_button)
        column.addWidget(self.other_problems)
        column.addWidget(self.form)
        self.advanced = plain_collapsible("Advanced", body, "All other settings of the recipe")
        return self.advanced

    def restore(self, remembered: RememberedTraining) -> None:
        """Show what was chosen when the widget was left; what is of no use any more is dropped."""
        try:
            self.load(remembered.recipe)
        except NapariRdlError as error:
            logger.warning("The recipe used last is of no use any more: %s", error)
            self.recipe_box.files = [file for file in self.recipe_box.files if file != remembered.recipe]
            self.load(FIRST_RECIPE)
        for key, value in remembered.changes.items():
            # What begins with random weights begins with the recipe's architecture.
            if key in self.form.rows and not key.startswith("network."):
                # A choice that another version had is none of this one's.
                with contextlib.suppress(ValueError, TypeError):
                    self.form.set_values({key: value})

    def load(self, recipe: str) -> None:
        """Take another recipe, without changes.

        Raises
        ------
        ConfigError
            If it cannot be read; the last one stays.
        """
        base = load_recipe(recipe).model_dump()
        self.recipe = recipe
        self.recipe_box.show_recipe(recipe)
        self.form.set_base(base)
        if base["data"]["source"]:
            self.source_known.emit(base["data"]["source"])

    def begin_with(self, checkpoint: Path | str | None) -> None:
        """Begin with a checkpoint (``"shipped"`` for the bundled one), or with random weights.

        Its architecture and voxel size are taken over, since its weights fit no other.
        """
        self.start_box.show_start(checkpoint)
        self._adopt(checkpoint)
        self.chosen.emit()

    def show_problems(self, elsewhere: Mapping[str, Any]) -> list[str]:
        """Say what is wrong beside its field; return all of it.

        Parameters
        ----------
        elsewhere : mapping
            Settings that are edited in other places, by dotted key.
        """
        found = config_problems(nested({**self.form.values(), "start_from": self.start_from, **elsewhere}))
        self.other_problems.setText(" ".join(self.form.show_problems(found)))
        changes = self.form.changes()
        count = len(changes.keys() - set(COMMON))
        self.advanced.setText(f"Advanced ({count} changed)" if count else "Advanced")
        self.reset_button.setEnabled(bool(changes))
        return list(found.values())

    def _on_recipe_activated(self, index: int) -> None:
        wanted = self.recipe_box.asked_for(index)
        if not wanted:
            self.recipe_box.show_recipe(self.recipe)
            return
        try:
            self.load(wanted)
        except NapariRdlError as error:
            self.refused.emit(in_words(error))
            self.recipe_box.show_recipe(self.recipe)
            return
        self.refused.emit("")
        if self.start_from is not None:
            self._adopt(self.start_box.start)
        self.chosen.emit()

    def _on_start_activated(self, index: int) -> None:
        is_chosen, start = self.start_box.asked_for(index)
        if is_chosen:
            self.begin_with(start)

    def _adopt(self, checkpoint: Path | str | None) -> None:
        """Take over what the weights of a checkpoint need."""
        self.refused.emit("")
        self.form.reset("network.")
        self.form.reset("data.spacing")
        if checkpoint is None:
            return
        try:
            card = read_card(bundled_model_path() if checkpoint == SHIPPED else checkpoint)
        except NapariRdlError as error:
            self.refused.emit(in_words(error))
            self.start_box.show_start(None)
            return
        network = {f"network.{name}": value for name, value in card.network.model_dump().items()}
        self.form.set_values({**network, "data.spacing": card.spacing})
