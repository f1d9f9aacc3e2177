"""What the subsets are compared with: chosen in a box, read in a worker's thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_rdl.errors import CaseError
from napari_rdl.plugin.viewer.layers import plugin_metadata, scale_translate, world_affine

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Case
    from napari_rdl.compare import Reference, SubsetStudy
    from napari_rdl.plugin.compare.runner import MakeReference

NOTHING, TRUTH, FULL = "none", "truth", "full"
_OF_THE_PLUGIN = ("prediction", "outline", "twin", "compare", "side")


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
    """

    kind: str
    title: str
    what: Any = None

    def same_as(self, other: ReferenceChoice) -> bool:
        """Whether both name the same thing."""
        return self.kind == other.kind and (self.what is other.what or self.what == other.what)


def label_layers(viewer: Viewer) -> list[Labels]:
    """Return the label layers that can be a reference, top first: corrected ones, experts', anyone's."""
    return [
        layer
        for layer in reversed(viewer.layers)
        if isinstance(layer, Labels)
        and layer.ndim == 3
        and not layer.multiscale
        and plugin_metadata(layer).get("role") not in _OF_THE_PLUGIN
    ]


def choices_for(case: Case | None, viewer: Viewer, extra: list[ReferenceChoice]) -> list[ReferenceChoice]:
    """Return what can be chosen for a patient; `extra` are files chosen before."""
    choices = [ReferenceChoice(NOTHING, "none: volumes alone")]
    if case is not None and case.mask_file is not None:
        choices.append(ReferenceChoice(TRUTH, "expert mask"))
    choices.append(ReferenceChoice(FULL, "full set"))
    for layer in label_layers(viewer):
        corrected = plugin_metadata(layer).get("role") == "corrected"
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
        if choice.kind == "layer":
            return Reference(data, case.grid, choice.title)
        if choice.kind == "file":
            return Reference(read_labels(choice.what, case), case.grid, choice.title)
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


def file_choice(kind: str, path: Path) -> ReferenceChoice:
    """Return a label file or a checkpoint as a choice."""
    return ReferenceChoice(kind, path.name, path)
