"""What the subsets are compared with: chosen in a box, read in a worker's thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QWidget

from napari_rdl.errors import CaseError
from napari_rdl.plugin.parts.inputs import narrow_combo, small_button
from napari_rdl.plugin.parts.section import SPACING
from napari_rdl.plugin.viewer.appearance import scale_translate, world_affine
from napari_rdl.plugin.viewer.roles import Role, role_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Case
    from napari_rdl.compare import Reference, SubsetStudy
    from napari_rdl.plugin.compare.study_runner import MakeReference

NOTHING, TRUTH, FULL = "none", "truth", "full"
_ASK_FILE, _ASK_CHECKPOINT = "ask for a file", "ask for a checkpoint"


@dataclass(frozen=True, eq=False)
class ReferenceChoice:
    """What a user chose.

    Attributes
    ----------
    kind : str
        ``none``, ``truth``, ``full``, ``layer``, ``file`` or ``checkpoint``.
    title : str
        As it stands in the list and in tables.
    what : Labels or Path, optional
        The layer or the file.
    resample : bool
        Bring a file on another grid onto the patient's.
    """

    kind: str
    title: str
    what: Any = None
    resample: bool = False

    @property
    def entry(self) -> str:
        """The title as it begins a line; a file's name stays as it is."""
        return self.title if isinstance(self.what, Path) else self.title[:1].upper() + self.title[1:]

    def same_as(self, other: ReferenceChoice) -> bool:
        """Whether both name the same thing."""
        same = self.what is other.what or self.what == other.what
        return self.kind == other.kind and same and self.resample == other.resample


def label_layers(viewer: Viewer) -> list[Labels]:
    """Return the label layers that can be a reference, top first: corrected ones, experts', anyone's."""
    return [
        layer
        for layer in reversed(viewer.layers)
        if isinstance(layer, Labels)
        and layer.ndim == 3
        and not layer.multiscale
        and ((role := role_of(layer)) is None or role.is_reference)
    ]


def choices_for(case: Case | None, viewer: Viewer, extra: list[ReferenceChoice]) -> list[ReferenceChoice]:
    """Return what can be chosen for a patient; `extra` are files chosen before."""
    choices = [ReferenceChoice(NOTHING, "none: volumes alone")]
    if case is not None and case.mask_file is not None:
        choices.append(ReferenceChoice(TRUTH, "expert mask"))
    choices.append(ReferenceChoice(FULL, "full set"))
    for layer in label_layers(viewer):
        corrected = role_of(layer) is Role.CORRECTED
        choices.append(
            ReferenceChoice("layer", "corrected layer" if corrected else f"layer {layer.name}", layer)
        )
    return choices + extra


def maker_of(choice: ReferenceChoice, case: Case) -> MakeReference:
    """Return what reads the reference in a worker; a layer's data are copied now, on the GUI's thread.

    Raises
    ------
    CaseError
        If a layer does not lie on the case's grid.
    """
    data = layer_labels(choice.what, case) if choice.kind == "layer" else None

    def make(study: SubsetStudy, progress: Progress, cancelled: IsCancelled) -> Reference | None:
        from napari_rdl.compare import Reference, expert_reference, labels_of_checkpoint, read_labels

        if choice.kind == NOTHING:
            return None
        progress(0, 0, f"Reading the {choice.title}" if choice.kind != FULL else "Comparing")
        if choice.kind == TRUTH:
            return expert_reference(case)
        if choice.kind == FULL:
            return study.full_reference()
        if data is not None:
            return Reference(data, case.grid, choice.title)
        if choice.kind == "file":
            labels = read_labels(choice.what, case, resample=choice.resample)
            return Reference(labels, case.grid, choice.title)
        labels = labels_of_checkpoint(
            case, choice.what, study.modalities, progress=progress, cancelled=cancelled
        )
        return Reference(labels, case.grid, choice.title)

    return make


def layer_labels(layer: Labels, case: Case) -> np.ndarray:
    """Return a copy of a label layer's data.

    Raises
    ------
    CaseError
        If it does not lie on the case's grid.
    """
    from napari_rdl.case import Grid

    scale, translate = scale_translate(case.grid)
    here = np.diag([*scale, 1.0])
    here[:3, 3] = translate
    apart = Grid(case.grid.shape, here).difference(Grid(tuple(layer.data.shape), world_affine(layer)))
    if apart is not None:
        raise CaseError(
            f"The layer '{layer.name}' is not on the grid of {case.name} ({apart}): "
            "choose labels drawn on these images, or open their file as the reference."
        )
    return np.array(layer.data)


def file_choice(kind: str, path: Path, *, resample: bool = False) -> ReferenceChoice:
    """Return a label file or a checkpoint as a choice."""
    title = f"{path.name}, resampled (nearest)" if resample else path.name
    return ReferenceChoice(kind, title, path, resample)


def was_edited(choice: ReferenceChoice, reference: Reference | None) -> bool:
    """Return whether a layer holds other labels than were read from it."""
    if choice.kind != "layer" or reference is None:
        return False
    return not np.array_equal(choice.what.data, reference.classes)


class ReferenceBox(QWidget):
    """A list of references, and a button that reads an edited layer again.

    Signals
    -------
    chosen : ReferenceChoice
        By the user; the same one again if it is to be read again.
    """

    chosen = Signal(object)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._case: Case | None = None
        self._extra: list[ReferenceChoice] = []
        self._choices: list[ReferenceChoice] = []
        self._current = ReferenceChoice(NOTHING, "")
        self.start_folders: dict[str, Path | None] = {}
        self.box = narrow_combo("What every subset is compared with")
        label = QLabel("Reference")
        label.setBuddy(self.box)
        self.again_button = small_button(
            "Read again", "The layer was edited after it was read: compare with it as it is now"
        )
        self.again_button.clicked.connect(lambda: self.chosen.emit(self._current))
        self.again_button.setVisible(False)
        self.label = label
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACING)
        row.addWidget(self.box, 1)
        row.addWidget(self.again_button)
        self.box.activated.connect(self._on_activated)
        viewer.layers.events.inserted.connect(self.refresh)
        viewer.layers.events.removed.connect(self.refresh)
        self.refresh()

    @property
    def current(self) -> ReferenceChoice:
        """What is chosen."""
        return self._current

    @property
    def choices(self) -> list[ReferenceChoice]:
        """What can be chosen."""
        return list(self._choices)

    def set_case(self, case: Case | None, preferred: str) -> None:
        """List what another patient can be compared with; `preferred` is chosen if it has it."""
        self._case = case
        # A label file belongs to one patient; a checkpoint serves all.
        self._extra = [choice for choice in self._extra if choice.kind == "checkpoint"]
        self._current = next(
            (choice for choice in choices_for(case, self._viewer, []) if choice.kind == preferred),
            ReferenceChoice(NOTHING, ""),
        )
        self.refresh()

    def set_current(self, choice: ReferenceChoice) -> None:
        """Choose without saying so."""
        self._current = choice
        if choice.kind in ("file", "checkpoint") and not any(choice.same_as(one) for one in self._extra):
            self._extra.append(choice)
        self.refresh()

    def refresh(self, event: object = None) -> None:
        """List the viewer's layers again; a layer that has gone stays chosen until another is."""
        del event
        self._choices = choices_for(self._case, self._viewer, self._extra)
        if not any(choice.same_as(self._current) for choice in self._choices):
            self._choices.append(self._current)
        with QSignalBlocker(self.box):
            self.box.clear()
            for choice in self._choices:
                self.box.addItem(choice.entry, choice)
            self.box.insertSeparator(self.box.count())
            self.box.addItem("NIfTI file…", _ASK_FILE)
            self.box.addItem("Another checkpoint…", _ASK_CHECKPOINT)
            self._mark_current()
        self.offer_again(False)

    def offer_again(self, offer: bool) -> None:
        """Offer to read the layer again, since it was edited after it was read, or no longer."""
        self.again_button.setVisible(offer)

    def release(self) -> None:
        """Stop following the viewer."""
        self._viewer.layers.events.inserted.disconnect(self.refresh)
        self._viewer.layers.events.removed.disconnect(self.refresh)

    def _mark_current(self) -> None:
        places = [number for number, one in enumerate(self._choices) if one.same_as(self._current)]
        self.box.setCurrentIndex(places[0])

    def _on_activated(self, index: int) -> None:
        choice = self.box.itemData(index)
        if choice in (_ASK_FILE, _ASK_CHECKPOINT):
            chosen = self._ask(choice)
            if chosen is None:
                self._mark_current()
                return
            choice = chosen
        if isinstance(choice, ReferenceChoice):
            self.set_current(choice)
            self.chosen.emit(choice)

    def _ask(self, what: str) -> ReferenceChoice | None:
        if what == _ASK_FILE:
            kind, title, filters = "file", "Compare with labels", "NIfTI (*.nii.gz *.nii)"
        else:
            kind, title, filters = (
                "checkpoint",
                "Compare with another checkpoint",
                "Checkpoints (*.safetensors)",
            )
        # Not where napari happened to be started from.
        start = str(self.start_folders.get(kind) or Path.home())
        name, _ = QFileDialog.getOpenFileName(self, title, start, filters)
        return file_choice(kind, Path(name)) if name else None
