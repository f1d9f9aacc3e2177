"""The part of the widget where a model and a device are chosen and a run is started and cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_rdl.models import bundled_model_path, bundled_models, bundled_name
from napari_rdl.plugin.parts.devices import device_title, likely_devices
from napari_rdl.plugin.parts.folded import FoldedText
from napari_rdl.plugin.parts.inputs import add_header, narrow_combo
from napari_rdl.plugin.parts.model_card import card_method, card_name, card_summary
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.parts.work_bar import WorkBar
from napari_rdl.plugin.segment.session import RunChoice

_FROM_FILE = "from file"
RECENT_MODELS = 5


class RunBox(Section):
    """Model, device, Run, Cancel, progress.

    Signals
    -------
    run_asked, cancel_asked : no value
    choice_changed : no value
        Another model or device was chosen.
    """

    run_asked = Signal()
    cancel_asked = Signal()
    choice_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Segment", parent)
        self._busy = False
        self._has_case = False
        self._model_index = 0
        self.model_box = narrow_combo(
            "The weights that segment: those shipped with the plugin, or a checkpoint"
        )
        self.device_box = narrow_combo("Where the model runs. Automatic takes a GPU if there is one.")
        self.card_label = FoldedText("What the model was trained on, and what it is for")
        self.run_button = QPushButton("Run")
        self.run_button.setToolTip("Segment the patient with all of its modalities")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop at the next step; what is shown stays as it is")
        self.progress_bar = WorkBar()
        self.progress_bar.setVisible(False)
        self.status = WrappedLabel()
        self._ran = ""

        form = QGridLayout()
        form.setSpacing(SPACING)
        form.setColumnStretch(1, 1)
        for row, (title, box) in enumerate((("Model", self.model_box), ("Device", self.device_box))):
            label = QLabel(title)
            label.setBuddy(box)
            form.addWidget(label, 2 * row, 0, Qt.AlignmentFlag.AlignLeft)
            form.addWidget(box, 2 * row, 1)
        form.addWidget(self.card_label, 1, 0, 1, 2)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACING)
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        self.body.addLayout(form)
        self.body.addLayout(buttons)
        self.body.addWidget(self.progress_bar)
        self.body.addWidget(self.status)

        self._list_models(None, ())
        self.set_devices(likely_devices(), "auto")
        self.model_box.activated.connect(self._on_model_activated)
        self.device_box.activated.connect(lambda _index: self.choice_changed.emit())
        self.run_button.clicked.connect(self.run_asked)
        self.cancel_button.clicked.connect(self.cancel_asked)
        self._update_buttons()

    @property
    def choice(self) -> RunChoice:
        """The model and the device chosen."""
        return RunChoice(model=self.model_box.currentData(), device=self.device_box.currentData())

    @property
    def models(self) -> tuple[Path, ...]:
        """The checkpoints listed besides the bundled ones, the chosen one first."""
        listed = [self.model_box.itemData(index) for index in range(self.model_box.count())]
        paths = [path for path in listed if isinstance(path, Path) and bundled_name(path) is None]
        chosen = self.model_box.currentData()
        return tuple(sorted(paths, key=lambda path: path != chosen))

    def set_choice(self, choice: RunChoice, recent_models: Iterable[Path] = ()) -> None:
        """Choose a model and a device."""
        self._list_models(choice.model, recent_models)
        devices = [self.device_box.itemData(index) for index in range(self.device_box.count())]
        self.set_devices(devices, choice.device)

    def choose_model(self, path: Path) -> None:
        """Choose a checkpoint, as if it had been picked from a file."""
        self._list_models(path, self.models)
        self.choice_changed.emit()

    def set_devices(self, devices: Iterable[str], chosen: str | None = None) -> None:
        """List these devices, `chosen` (as before if left out) among them."""
        chosen = chosen or self.device_box.currentData()
        names = list(dict.fromkeys(["auto", *devices, chosen]))
        self.device_box.clear()
        for name in names:
            self.device_box.addItem(device_title(name), name)
        self.device_box.setCurrentIndex(names.index(chosen))

    def set_has_case(self, has_case: bool) -> None:
        """Allow Run once there is a patient."""
        self._has_case = has_case
        self._update_buttons()

    def set_busy(self, busy: bool) -> None:
        """Show progress and Cancel while work runs."""
        self._busy = busy
        self.progress_bar.setVisible(busy)
        if busy:
            self.progress_bar.setRange(0, 0)
            self.progress_bar.setFormat("")
        # What was run stands there again when other work, such as saving, has ended.
        self.status.setText("" if busy else self._ran)
        for box in (self.model_box, self.device_box):
            box.setEnabled(not busy)
        self._update_buttons()

    def show_ran(self, sentence: str) -> None:
        """Say what was run, until another patient or run comes."""
        self._ran = sentence
        self.status.setText(sentence)

    def show_progress(self, done: int, total: int, message: str) -> None:
        """Show how far the work is."""
        if self._busy:
            self.progress_bar.setRange(0, total)
            self.progress_bar.setValue(done)
            self.status.setText(f"{message} ({done} of {total})" if total else f"{message}…")

    def show_cancelling(self) -> None:
        """Say that Cancel was heard."""
        if self._busy:
            self.cancel_button.setEnabled(False)
            self.status.setText("Cancelling…")

    def _update_buttons(self) -> None:
        self.run_button.setEnabled(self._has_case and not self._busy)
        self.cancel_button.setEnabled(self._busy)

    def _list_models(self, chosen: Path | None, recent: Iterable[Path]) -> None:
        bundled = {bundled_model_path(name): name for name in bundled_models()[1:]}
        others = dict.fromkeys([*([chosen] if chosen else []), *recent])
        paths = [path for path in others if path not in bundled][:RECENT_MODELS]
        shipped = bundled_model_path()
        titles: dict[Path | None, str] = {None: f"Bundled: {card_name(shipped)}"}
        titles |= {path: f"Bundled: {name}" for path, name in bundled.items()}
        titles |= {path: f"{card_name(path)} ({path.name})" for path in paths}
        methods: dict[str, list[Path | None]] = {}
        for path in titles:
            methods.setdefault(card_method(path or shipped), []).append(path)
        self.model_box.clear()
        for method, group in methods.items():
            if len(methods) > 1:
                add_header(self.model_box, method or "Cannot be read")
            for path in group:
                self.model_box.addItem(titles[path], path)
                if path in paths:
                    last = self.model_box.count() - 1
                    self.model_box.setItemData(last, str(path), Qt.ItemDataRole.ToolTipRole)
        self.model_box.insertSeparator(self.model_box.count())
        self.model_box.addItem("From file…", _FROM_FILE)
        listed = [self.model_box.itemData(index) for index in range(self.model_box.count())]
        self._model_index = listed.index(chosen)
        self.model_box.setCurrentIndex(self._model_index)
        self.card_label.setText(card_summary(chosen or bundled_model_path()))

    def _on_model_activated(self, index: int) -> None:
        chosen = self.model_box.itemData(index)
        if chosen == _FROM_FILE:
            before = self.model_box.itemData(self._model_index)
            own = isinstance(before, Path) and bundled_name(before) is None
            folder = str(before.parent if own else Path.home())
            name, _ = QFileDialog.getOpenFileName(
                self, "Choose a checkpoint", folder, "Checkpoints (*.safetensors)"
            )
            if not name:
                self.model_box.setCurrentIndex(self._model_index)
                return
            chosen = Path(name)
        self._list_models(chosen, self.models)
        self.choice_changed.emit()
