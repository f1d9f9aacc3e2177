"""Which modalities the prediction uses: a switch for each, and what another subset costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qtpy.QtCore import QEvent, QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QWidget,
)
from superqt import QToggleSwitch

from napari_rdl import brats
from napari_rdl.plugin.parts.inputs import small_button
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.parts.times import duration
from napari_rdl.plugin.parts.work_bar import WorkBar


class ModalitySwitch(QToggleSwitch):
    """A switch that is as high as its letters."""

    def __init__(self, modality: str, parent: QWidget | None = None) -> None:
        super().__init__(modality, parent)
        # Each frame of its handle would have the whole window drawn again while the labels are waited for.
        self.setAnimationDuration(0)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Grow and shrink with the letters."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        height = self.fontMetrics().height()
        self.switchHeight = height - 2
        self.switchWidth = 2 * height - 4
        self.handleSize = height
        self.checkStateSet()  # the handle's place follows from these
        self.updateGeometry()


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
        self._price: float | None = None
        self.switches: dict[str, ModalitySwitch] = {}
        self.hint = WrappedLabel()
        self.pass_bar = WorkBar()
        self.pass_bar.setVisible(False)
        grid = QGridLayout()
        grid.setSpacing(SPACING)
        for number, modality in enumerate(brats.MODALITIES):
            switch = ModalitySwitch(modality)
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
        self.body.addWidget(self.pass_bar)
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

    def set_price(self, seconds: float | None) -> None:
        """Say what a subset costs that was not shown before; None where none costs a pass."""
        self._price = seconds
        self.show_subset([name for name, switch in self.switches.items() if switch.isChecked()])

    def show_pass(self, done: int, total: int, message: str, shown: str) -> None:
        """Show how far the pass of the subset that was switched to is, while another one is `shown`."""
        if self._price is not None:
            if shown:
                self.hint.setText(
                    f"Labels and volumes are still those of {shown}. Switch back to stop the pass."
                )
            self.pass_bar.setVisible(True)
            self.pass_bar.setRange(0, total)
            self.pass_bar.setValue(done)
            self.pass_bar.setFormat(f"{message} (%v of %m)" if total else message)

    def end_pass(self) -> None:
        """Show no pass any more."""
        self.pass_bar.setVisible(False)
        self.show_subset([name for name, switch in self.switches.items() if switch.isChecked()])

    @property
    def passing(self) -> bool:
        """Whether a pass is shown."""
        return not self.pass_bar.isHidden()

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
        absent = ", ".join(name for name in self._present if name not in chosen)
        said = "All that the patient has." if full else f"Without {absent}."
        if self._price is None:
            return said
        return f"{said} Each new subset is a pass of about {duration(max(1, self._price))}."

    def _tooltip(self, modality: str, last: bool) -> str:
        if not self._present:
            return "Run the model first"
        if modality not in self._present:
            return f"The patient has no {modality}, or the model does not know it"
        if last:
            return "At least one modality stays on"
        key = self._keys.get(modality)
        said = f"Use {modality} or leave it out" + (f" (key {key})" if key else "")
        return said if self._price is None else f"{said}. This model looks at a subset's images together."
