"""What the hand reaches for: the class, the tools, and what they may touch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_rdl import brats
from napari_rdl.correct import Protection
from napari_rdl.correct.protection import ANYWHERE, NESTED
from napari_rdl.plugin.parts.inputs import leave_the_wheel_alone, narrow_combo
from napari_rdl.plugin.parts.section import SPACING, SWATCH, Section, WrappedLabel
from napari_rdl.plugin.viewer.class_colours import class_colours

TOOLS: dict[str, tuple[str, str, str]] = {
    "grow": ("Grow", "Let the class grow all round", "Alt+G"),
    "shrink": ("Shrink", "Take the outer layer of the class away", "Alt+K"),
    "smooth": ("Smooth", "Round the surface of the class off", "Alt+M"),
    "fill": (
        "Fill holes",
        "Fill what is shut in: with ED in the tumour, with NCR or ET in the core",
        "Alt+H",
    ),
    "interpolate": (
        "Between slices",
        "Fill the class in between the slices that you painted, in the plane shown",
        "Alt+I",
    ),
    "copy": ("Copy to next", "Give the next slice the class as it stands in this one, and go there", "Alt+N"),
    "keep": ("Keep a piece", "Click a piece of tumour then: all others are taken away", ""),
    "drop": ("Drop a piece", "Click a piece of tumour then: it is taken away", ""),
    "predicted": ("As predicted", "Bring this slice back to what the prediction says", "Alt+P"),
    "box": (
        "Prediction in box",
        "Drag a box on the picture then: inside it, Reach to either side of the slice, the labels become "
        "what the prediction shown says",
        "Alt+B",
    ),
    "doubt": ("Next doubt", "Go to the next place where the model is unsure, the largest first", "Alt+D"),
}
"""Tool -> its button's text, its tooltip and its key."""
BACK_TO_OPENED = ("As opened", "Bring this slice back to what the labels were when they were opened")
"""What *As predicted* is called where a saved correction is gone on with."""
ON_REPRESENTATIONS = ("doubt", "box")
WAITING = ("keep", "drop", "box")
"""Tools that wait for the mouse."""
_SIZED = ("grow", "shrink", "smooth")


class ToolsBox(Section):
    """The class that is painted, and a button for each tool.

    Signals
    -------
    class_chosen : int
    tool_asked : str
        A key of `TOOLS`.
    mapping_asked : int, int
        A value that is no class, and the class that it is to become.
    """

    class_chosen = Signal(int)
    tool_asked = Signal(str)
    mapping_asked = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Paint and tools", parent)
        self.classes = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        for value, name in ((1, "NCR"), (2, "ED"), (3, "ET"), (0, "none")):
            button = QPushButton(name)
            button.setCheckable(True)
            button.setToolTip(f"Paint {brats.CLASS_TITLES.get(name, 'no tumour: takes labels away')}")
            if value:
                button.setIcon(_swatch(class_colours[value]))
            self.classes.addButton(button, value)
            row.addWidget(button)
        self.size = QDoubleSpinBox()
        self.size.setRange(0.5, 10)
        self.size.setSingleStep(0.5)
        self.size.setValue(1)
        self.size.setSuffix(" mm")
        self.size.setToolTip("How far Grow, Shrink and Smooth reach; a voxel at least")
        leave_the_wheel_alone(self.size)
        self.buttons: dict[str, QPushButton] = {}
        self._tips = {tool: tip for tool, (_, tip, _) in TOOLS.items()}
        self._keys: dict[str, str] = {}
        grid = QGridLayout()
        grid.setSpacing(SPACING)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        for number, (tool, (text, _tip, _key)) in enumerate(TOOLS.items()):
            button = QPushButton(text)
            button.setCheckable(tool in WAITING)
            button.clicked.connect(lambda _checked, tool=tool: self.tool_asked.emit(tool))
            grid.addWidget(button, *divmod(number, 2))
            self.buttons[tool] = button
        reach = QHBoxLayout()
        reach.addWidget(QLabel("Reach"))
        reach.addWidget(self.size, 1)
        self.status = WrappedLabel()
        self.odd_label = WrappedLabel()
        self.odd_values = QWidget()
        mapping = QHBoxLayout(self.odd_values)
        mapping.setContentsMargins(0, 0, 0, 0)
        mapping.setSpacing(SPACING)
        self.odd_value = narrow_combo("A value that is no class")
        self.odd_class = narrow_combo("What it becomes")
        for value, name in ((1, "NCR"), (2, "ED"), (3, "ET"), (0, "none")):
            self.odd_class.addItem(f"becomes {name}", value)
        self.map_button = QPushButton("Map")
        self.map_button.setToolTip("Make all voxels of this value that class; a step that can be taken back")
        for part in (self.odd_value, self.odd_class, self.map_button):
            mapping.addWidget(part)
        self.map_button.clicked.connect(self._on_map)
        self.show_strangers({})
        self.body.addLayout(row)
        self.body.addLayout(reach)
        self.body.addLayout(grid)
        for part in (self.status, self.odd_label, self.odd_values):
            self.body.addWidget(part)
        self.classes.idClicked.connect(self.class_chosen)
        self.show_keys({tool: key for tool, (_, _, key) in TOOLS.items()})

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Let the tooltips tell the keys: tool -> key."""
        self._keys = dict(keys)
        for tool, tip in self._tips.items():
            key = keys.get(tool, "")
            self.buttons[tool].setToolTip(f"{tip} ({key})" if key else tip)

    def show_base(self, continued: bool) -> None:
        """Let the tool that brings a slice back tell to what: a prediction, or what was opened."""
        text, tip = BACK_TO_OPENED if continued else TOOLS["predicted"][:2]
        self.buttons["predicted"].setText(text)
        self._tips["predicted"] = tip
        self.show_keys(self._keys)

    def show_strangers(self, strangers: Mapping[int, int]) -> None:
        """List values that are no class, value -> voxels, to be mapped; nothing for none."""
        self.odd_values.setVisible(bool(strangers))
        listed = ", ".join(f"{value} ({count} voxels)" for value, count in strangers.items())
        self.odd_label.setText(
            f"Labels that are no class: {listed}. They are kept; saving needs each of them to become a class."
            if strangers
            else ""
        )
        chosen = self.odd_value.currentData()
        self.odd_value.clear()
        for value in strangers:
            self.odd_value.addItem(f"Label {value}", value)
        self.odd_value.setCurrentIndex(max(self.odd_value.findData(chosen), 0))

    def _on_map(self) -> None:
        value = self.odd_value.currentData()
        if value is not None:
            self.mapping_asked.emit(value, self.odd_class.currentData())

    def show_class(self, value: int) -> None:
        """Mark the class that napari paints now."""
        button = self.classes.button(value)
        self.classes.setExclusive(button is not None)
        for other in self.classes.buttons():
            other.setChecked(other is button)

    def show_waiting(self, tool: str) -> None:
        """Mark the tool that waits for a click; empty for none."""
        for name in WAITING:
            self.buttons[name].setChecked(name == tool)

    def set_possible(self, *, work: bool, representations: bool) -> None:
        """Enable what there is something for."""
        for button in self.classes.buttons():
            button.setEnabled(work)
        for tool, button in self.buttons.items():
            button.setEnabled(representations if tool in ON_REPRESENTATIONS else work)
        self.buttons["predicted"].setEnabled(work)


class ProtectBox(QWidget):
    """What painting and tools may touch.

    Signals
    -------
    changed : Protection
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._limits: dict[str, tuple[float, float]] = {}
        self.inside = narrow_combo("Where painting and tools change anything")
        for text, inside in (
            ("Anywhere", ANYWHERE),
            ("ET in core, NCR in tumour", NESTED),
            ("Inside WT only", "WT"),
            ("Inside TC only", "TC"),
            ("Inside ET only", "ET"),
        ):
            self.inside.addItem(text, inside)
        self.keep: dict[int, QCheckBox] = {}
        keep = QHBoxLayout()
        keep.setSpacing(SPACING)
        for value, name in ((1, "NCR"), (2, "ED"), (3, "ET")):
            box = QCheckBox(name)
            box.setToolTip(f"What is {name} stays {name}")
            box.toggled.connect(self._tell)
            keep.addWidget(box)
            self.keep[value] = box
        keep.addStretch(1)
        self.modality = narrow_combo("Change only voxels whose intensity in this modality lies in a range")
        self.modality.addItem("Any intensity", "")
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        for spin, tip in ((self.low, "Darkest that changes"), (self.high, "Brightest that changes")):
            spin.setDecimals(0)
            spin.setRange(-1e9, 1e9)
            spin.setToolTip(tip)
            # The range is wide, the dock is not.
            spin.setMinimumWidth(60)
            leave_the_wheel_alone(spin)
            spin.valueChanged.connect(self._tell)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        grid.addWidget(QLabel("Paint"), 0, 0)
        grid.addWidget(self.inside, 0, 1, 1, 2)
        grid.addWidget(QLabel("Keep"), 1, 0)
        grid.addLayout(keep, 1, 1, 1, 2)
        grid.addWidget(QLabel("Only"), 2, 0)
        grid.addWidget(self.modality, 2, 1, 1, 2)
        grid.addWidget(self.low, 3, 1)
        grid.addWidget(self.high, 3, 2)
        self.inside.currentIndexChanged.connect(self._tell)
        self.modality.currentIndexChanged.connect(self._on_modality)
        self._on_modality()

    @property
    def protection(self) -> Protection:
        """What is chosen."""
        return Protection(
            inside=self.inside.currentData(),
            keep=frozenset(value for value, box in self.keep.items() if box.isChecked()),
            modality=self.modality.currentData() or "",
            low=self.low.value(),
            high=self.high.value(),
        )

    def set_modalities(self, limits: Iterable[tuple[str, tuple[float, float]]]) -> None:
        """Offer these modalities, each with the range that the brain's intensities lie in."""
        self._limits = dict(limits)
        with QSignalBlocker(self.modality):
            while self.modality.count() > 1:
                self.modality.removeItem(1)
            for name in self._limits:
                self.modality.addItem(f"{name} between", name)
            self.modality.setCurrentIndex(0)
        self._on_modality()

    def _on_modality(self) -> None:
        name = self.modality.currentData()
        for spin in (self.low, self.high):
            spin.setVisible(bool(name))
        if name:
            for spin, value in zip((self.low, self.high), self._limits[name], strict=True):
                with QSignalBlocker(spin):
                    spin.setValue(value)
        self._tell()

    def _tell(self) -> None:
        self.changed.emit(self.protection)


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)
