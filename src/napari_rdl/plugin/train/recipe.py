"""What is trained: a recipe, the weights that it begins with, and the changes against it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QPushButton, QVBoxLayout, QWidget

from napari_rdl.errors import NapariRdlError
from napari_rdl.models import bundled_model_path, read_card
from napari_rdl.plugin.parts.config_form import ConfigForm, nested
from napari_rdl.plugin.parts.devices import DEVICE_TITLES
from napari_rdl.plugin.parts.inputs import make_narrow
from napari_rdl.plugin.parts.model_card import card_name
from napari_rdl.plugin.parts.remedies import in_words
from napari_rdl.plugin.parts.section import SPACING, WrappedLabel, plain_collapsible
from napari_rdl.plugin.train.inputs import Row
from napari_rdl.plugin.train.memory import RECENT, RememberedTraining
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.recipe import config_problems, load_recipe, recipe_names

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
    "network.fusion": {"mean": "Mean", "gated": "Gated"},
    "hardware.precision": {"32-true": "32 bits", "bf16-mixed": "bfloat16", "16-mixed": "16 bits"},
}
"""What choices are called, short enough for a narrow dock."""

RECIPE_TITLES = {
    "laptop": ("Laptop", "A small network at 3 mm, for a laptop's CPU"),
    "shipped": ("As shipped", "What the shipped weights were trained with: 2 mm, a day on two CPU cores"),
    "synthetic": ("Synthetic", "What the weights of synthetic patients alone were trained with: 2 mm"),
    "brats2018": ("BraTS 2018, paper", "The paper's settings at 1 mm, for a GPU"),
    "brats2020": ("BraTS 2020, paper", "The paper's settings at 1 mm, for a GPU"),
}
FIRST_RECIPE = "laptop"
COMMON = ("hardware.device", "optimizer.max_steps")
"""Settings that most runs change; they stand before *Advanced*."""

SHIPPED = "shipped"
_FROM_FILE = "from file"


class RecipeBox(QComboBox):
    """The package's recipes, those from files that were used lately, and *From file…*.

    Attributes
    ----------
    files : list of str
        Recipes from files, the last one first.
    """

    def __init__(self, files: Iterable[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.files = list(files)
        make_narrow(self)
        self.setToolTip("Where the settings come from; those changed below are marked with •")

    def show_recipe(self, chosen: str) -> None:
        """List the recipes anew and show one of them, or a file."""
        names = recipe_names()
        if chosen not in names:
            self.files = [chosen, *(file for file in self.files if file != chosen)][:RECENT]
        order = [*(name for name in RECIPE_TITLES if name in names), *names, *self.files]
        with QSignalBlocker(self):
            self.clear()
            for name in dict.fromkeys(order):
                title, tip = RECIPE_TITLES.get(name, (name if name in names else Path(name).name, name))
                _add(self, title, name, tip)
            self.insertSeparator(self.count())
            self.addItem("From file…", _FROM_FILE)
            self.setCurrentIndex(self.findData(chosen))

    def asked_for(self, index: int) -> str:
        """Return the recipe of an entry, asking for a file if it says so; empty if none was chosen."""
        chosen = str(self.itemData(index))
        if chosen == _FROM_FILE:
            chosen, _ = QFileDialog.getOpenFileName(
                self, "Choose a recipe", _beside_first(self.files), "Recipes (*.toml)"
            )
        return chosen


class StartBox(QComboBox):
    """Random weights, the shipped ones, checkpoints that were used lately, and *Checkpoint…*.

    Attributes
    ----------
    checkpoints : list of Path
        The last one first.
    """

    def __init__(self, checkpoints: Iterable[Path], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.checkpoints = list(checkpoints)
        self._shown = 0
        make_narrow(self)
        self.setToolTip("What the weights begin with. A checkpoint brings its architecture and voxel size.")

    @property
    def start(self) -> Path | str | None:
        """What the run begins with: None, ``"shipped"`` or a checkpoint."""
        chosen: Path | str | None = self.currentData()
        return chosen

    def show_start(self, chosen: Path | str | None) -> None:
        """List the entries anew and show one of them, or another checkpoint."""
        if chosen not in (None, SHIPPED):
            path = Path(str(chosen))
            self.checkpoints = [path, *(other for other in self.checkpoints if other != path)][:RECENT]
            chosen = path
        entries: list[tuple[str, Path | str | None]] = [
            ("Random weights", None),
            ("Shipped weights", SHIPPED),
            *((f"{card_name(path)} ({path.name})", path) for path in self.checkpoints),
        ]
        with QSignalBlocker(self):
            self.clear()
            for title, value in entries:
                _add(
                    self,
                    title,
                    value,
                    card_name(bundled_model_path()) if value == SHIPPED else str(value or ""),
                )
            self.insertSeparator(self.count())
            self.addItem("Checkpoint…", _FROM_FILE)
            self._shown = [value for _, value in entries].index(chosen)
            self.setCurrentIndex(self._shown)

    def asked_for(self, index: int) -> tuple[bool, Path | str | None]:
        """Return whether an entry was chosen, and its start, asking for a file if it says so."""
        chosen: Path | str | None = self.itemData(index)
        if chosen != _FROM_FILE:
            return True, chosen
        name, _ = QFileDialog.getOpenFileName(
            self, "Choose a checkpoint", _beside_first(self.checkpoints), "Checkpoints (*.safetensors)"
        )
        if not name:
            self.setCurrentIndex(self._shown)
            return False, None
        return True, Path(name)


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


def _add(box: QComboBox, title: str, value: Path | str | None, tip: str) -> None:
    box.addItem(title, value)
    box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)


def _beside_first(files: Sequence[Path | str]) -> str:
    """Return the folder of the file that was chosen last, where a dialog begins."""
    # Not where napari happened to be started from.
    return str(Path(files[0]).parent if files else Path.home())
