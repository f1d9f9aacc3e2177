"""Two lists that a run is set up from: the recipes there are, and the weights that it may begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_rdl.models import bundled_model_path
from napari_rdl.plugin.parts.inputs import make_narrow
from napari_rdl.plugin.parts.model_card import card_name
from napari_rdl.plugin.train.memory import RECENT
from napari_rdl.training.recipe import recipe_names

RECIPE_TITLES = {
    "laptop": ("Laptop", "A small network at 3 mm, for a laptop's CPU"),
    "shipped": (
        "As shipped",
        "The last step of the shipped weights: 2 mm, two hours on a CPU; start from “gated”",
    ),
    "gated": ("Gated", "The last step of the bundled weights “gated”: 2 mm"),
    "deep_sets": ("Readout alone", "Learns how modalities are combined; the network stays as it is"),
    "synthetic": ("Synthetic", "What the weights of synthetic patients alone were trained with: 2 mm"),
    "brats2018": ("BraTS 2018, paper", "The paper's settings at 1 mm, for a GPU"),
    "brats2020": ("BraTS 2020, paper", "The paper's settings at 1 mm, for a GPU"),
}
FIRST_RECIPE = "laptop"
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


def _add(box: QComboBox, title: str, value: Path | str | None, tip: str) -> None:
    box.addItem(title, value)
    box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)


def _beside_first(files: Sequence[Path | str]) -> str:
    """Return the folder of the file that was chosen last, where a dialog begins."""
    # Not where napari happened to be started from.
    return str(Path(files[0]).parent if files else Path.home())
