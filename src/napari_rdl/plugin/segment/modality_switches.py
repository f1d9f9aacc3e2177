"""Four switches: which modalities the prediction shown rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QWidget
from superqt import QToggleSwitch

from napari_rdl import brats
from napari_rdl.plugin.parts.inputs import small_button
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel


class ModalitySwitches(Section):
    """A switch per modality; those that were encoded can be flipped, and the last one on stays on.

    Signals
    -------
    flipped : str
        The user flipped this modality.
    all_asked : no value
        The user wants all of them on.
    """

    flipped = Signal(str)
    all_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Modalities", parent)
        self._present: tuple[str, ...] = ()
        self._keys: dict[str, str] = {}
        self.switches: dict[str, QToggleSwitch] = {}
        self.hint = WrappedLabel()
        grid = QGridLayout()
        grid.setSpacing(SPACING)
        for number, modality in enumerate(brats.MODALITIES):
            switch = QToggleSwitch(modality)
            switch.setEnabled(False)
            switch.toggled.connect(lambda _on, name=modality: self.flipped.emit(name))
            grid.addWidget(switch, number // 2, number % 2)
            grid.setColumnStretch(number % 2, 1)
            self.switches[modality] = switch
        self.all_button = small_button("All on", "Use every modality that the patient has")
        self.all_button.setEnabled(False)
        self.all_button.clicked.connect(self.all_asked)
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        row.addWidget(self.hint, 1)
        row.addWidget(self.all_button)
        self.body.addLayout(grid)
        self.body.addLayout(row)
        self.set_present(())

    def set_present(self, present: Iterable[str]) -> None:
        """Enable the switches of the modalities that were encoded."""
        self._present = tuple(present)
        self.show_subset(())

    def show_subset(self, subset: Iterable[str]) -> None:
        """Set the switches without saying that they were flipped."""
        chosen = set(subset)
        for modality, switch in self.switches.items():
            with QSignalBlocker(switch):
                switch.setChecked(modality in chosen)
            last = chosen == {modality}
            switch.setEnabled(modality in self._present and not last)
            switch.setToolTip(self._tooltip(modality, last))
        full = chosen == set(self._present)
        self.all_button.setEnabled(bool(self._present) and not full)
        self.hint.setText(self._hint(chosen, full))

    def set_keys(self, keys: Mapping[str, str]) -> None:
        """Show which key flips which modality."""
        self._keys = dict(keys)
        for modality, switch in self.switches.items():
            key = self._keys.get(modality)
            switch.setText(f"{modality}  ({key})" if key else modality)
        self.show_subset([name for name, switch in self.switches.items() if switch.isChecked()])

    def _hint(self, chosen: set[str], full: bool) -> str:
        if not self._present:
            return "Run the model first, then switch."
        if full:
            return "All that the patient has."
        return "Without " + ", ".join(name for name in self._present if name not in chosen) + "."

    def _tooltip(self, modality: str, last: bool) -> str:
        if not self._present:
            return "Run the model first"
        if modality not in self._present:
            return f"The patient has no {modality}, or the model does not know it"
        if last:
            return "At least one modality stays on"
        key = self._keys.get(modality)
        return f"Use {modality} or leave it out" + (f" (key {key})" if key else "")
