"""The one layer that a human corrects: a copy of the prediction, whether it was saved since, and where to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels
from psygnal import Signal

from napari_rdl import brats
from napari_rdl.errors import CaseError, OutputError
from napari_rdl.files import plain_name
from napari_rdl.plugin.parts.waiting import while_the_window_lives
from napari_rdl.plugin.viewer.appearance import class_appearance, placement
from napari_rdl.plugin.viewer.layer_list import layers_added
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role, case_of, plugin_metadata, role_metadata, role_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.case import Case
    from napari_rdl.plugin.viewer.prediction import PredictionLayer


CORRECTED_ENDING = "_seg_corrected"
"""What the name of a saved correction ends with, before the file's ending."""

_KEPT = "kept"
"""Key in what the plugin knows of a corrected layer."""


@dataclass
class _Kept:
    """What of a corrected layer is saved, where, and whether somebody holds it; lies with the layer."""

    saved: NDArray[np.generic]
    path: Path | None = None
    continued: Path | None = None
    held: bool = False


class CorrectedLayer:
    """Holds the corrected layer of the patient that is open.

    It is held even if a user deletes the layer from napari's list, so that it can still be saved.

    Signals
    -------
    changed : no value
        There is another layer, or none.

    Attributes
    ----------
    layer : Labels or None
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._kept: _Kept | None = None
        self.layer: Labels | None = None

    @property
    def path(self) -> Path | None:
        """Where it was saved last, or opened from."""
        return self._kept.path if self._kept is not None else None

    @property
    def continued(self) -> Path | None:
        """The saved correction that it goes on with; None for a copy of a prediction."""
        return self._kept.continued if self._kept is not None else None

    @property
    def unsaved(self) -> bool:
        """Whether something was edited since the copy was made or last saved."""
        # Compared rather than listened for: napari tells of strokes, but not of undoing them.
        if self.layer is None or self._kept is None:
            return False
        return not np.array_equal(self.layer.data, self._kept.saved)

    @property
    def default_name(self) -> str:
        """The file name under which it is saved by default: the one that it has, if it has one."""
        if self.path is not None:
            return self.path.name
        return corrected_name(self.layer) if self.layer is not None else ""

    def start(self, prediction: PredictionLayer) -> Labels:
        """Make a new copy of the prediction shown; an earlier copy leaves the viewer."""
        self.let_go()
        layer = correct_a_copy(self._viewer, prediction.layer)
        self._hold(layer, _Kept(np.array(layer.data)))
        return layer

    def adopt(self, layer: Labels, case: Case) -> None:
        """Go on with a correction that was saved and is open again, in place of the last one."""
        if self.layer is not layer:
            self.let_go()
        path = plugin_metadata(layer).get("path")
        layer.metadata = {**layer.metadata, **role_metadata(Role.CORRECTED, case)}
        layer.name = f"{case.name} corrected"
        self._hold(layer, _Kept(np.array(layer.data), path, path))

    def take_up(
        self,
        case: Case,
        classes: NDArray[np.uint8],
        saved: NDArray[np.uint8],
        continued: Path | None = None,
    ) -> Labels:
        """Go on with labels that were corrected before.

        Parameters
        ----------
        classes : NDArray of uint8, shape (X, Y, Z)
            Class indices on the case's grid.
        saved : NDArray of uint8, shape (X, Y, Z)
            What of them counts as saved.
        continued : Path, optional
            The saved correction that they went on with, if they did.
        """
        self.let_go()
        layer = _add_corrected(self._viewer, case, np.array(classes))
        self._hold(layer, _Kept(np.array(saved), continued=continued))
        return layer

    def rejoin(self, case: Case) -> Labels | None:
        """Go on with a patient's corrected layer that another holder, closed since, left in napari's list."""
        if self.layer is not None:
            return None
        left = [layer for layer in self._viewer.layers if _is_left_of(layer, case)]
        if not left:
            return None
        layer = left[-1]
        kept = plugin_metadata(layer)[_KEPT]
        layer.metadata = {**layer.metadata, **role_metadata(Role.CORRECTED, case)}
        self._hold(layer, kept)
        return layer

    def _hold(self, layer: Labels, kept: _Kept) -> None:
        layer.metadata[LAYER_KEY][_KEPT] = kept
        kept.held = True
        self.layer, self._kept = layer, kept
        self.changed.emit()

    def bring_back(self) -> None:
        """Put the layer into napari's list again, should it have been taken out."""
        if self.layer is not None and self.layer not in self._viewer.layers:
            with layers_added(self._viewer):
                self._viewer.add_layer(self.layer)

    def save(self, path: Path) -> Path:
        """Write the layer to its patient's native grid; packing it takes place in a thread.

        Raises
        ------
        OutputError
            If it holds values that are no class, or cannot be written.
        """
        if self.layer is None or self._kept is None:
            raise RuntimeError("There is no corrected layer.")
        layer, kept, data = self.layer, self._kept, np.array(self.layer.data)
        written = while_the_window_lives(
            lambda _progress: save_corrected(layer, path, data), takes_input=False
        )
        # What a stroke under way added meanwhile is not in the file.
        kept.saved, kept.path = data, written
        return written

    def hide(self) -> None:
        """Take the layer out of sight, where a new prediction is to be seen; it stays what it is."""
        if self.layer is not None:
            self.layer.visible = False

    def leave(self) -> None:
        """Leave the layer where it is, for whoever comes next to go on with."""
        if self._kept is not None:
            self._kept.held = False

    def let_go(self) -> None:
        """Take the layer out of the viewer and forget it; the caller asks first."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
        had_one = self.layer is not None
        self.layer = self._kept = None
        if had_one:
            self.changed.emit()


def is_correction_of(layer: Layer, case: Case) -> bool:
    """Return whether a layer was read from a saved correction of this patient, on this grid."""
    known = plugin_metadata(layer)
    if role_of(layer) is not Role.MASK or not known.get("corrected"):
        return False
    same = known["case"] in (case.name, plain_name(case.name))
    return same and case.grid.difference(known["native"].grid) is None


def _is_left_of(layer: Layer, case: Case) -> bool:
    """Return whether a layer was held as the corrected one of this patient, on this grid, and is not now."""
    source, kept = case_of(layer), plugin_metadata(layer).get(_KEPT)
    if role_of(layer) is not Role.CORRECTED or source is None or kept is None or kept.held:
        return False
    return source.name == case.name and case.grid.difference(source.grid) is None


def correct_a_copy(viewer: Viewer, prediction: Labels) -> Labels:
    """Add an editable copy of the prediction shown; no switch and no run ever writes to it."""
    known = plugin_metadata(prediction)
    return _add_corrected(viewer, known["source"], np.array(prediction.data))


def _add_corrected(viewer: Viewer, case: Case, classes: NDArray[np.uint8]) -> Labels:
    layer = Labels(
        classes,
        name=f"{case.name} corrected",
        metadata=role_metadata(Role.CORRECTED, case),
        **class_appearance(),
        **placement(case.grid),
    )
    with layers_added(viewer):
        viewer.add_layer(layer)
        viewer.layers.selection.active = layer
    return layer


def corrected_name(layer: Labels) -> str:
    """Return the file name that a corrected layer is saved under by default."""
    return f"{plain_name(plugin_metadata(layer).get('case', layer.name))}{CORRECTED_ENDING}.nii.gz"


def save_corrected(layer: Labels, path: str | Path, data: NDArray[np.generic] | None = None) -> Path:
    """Write a layer of class indices to its case's native grid, in the case's label convention.

    A record lies beside it, by which it is known again when it is opened. An existing file is replaced: the
    caller asks first. It is kept beside the new one as ``.before``; a patient's own files are never replaced.

    Parameters
    ----------
    data : NDArray, optional
        A copy of the layer's data to write in their place, where this runs in a thread.

    Raises
    ------
    OutputError
        If the layer holds values that are no class, or the file or its record cannot be written, or it is one
        of the patient's own.
    CaseError
        If the layer does not come from a case.
    """
    from napari_rdl.case import save_correction

    case = case_of(layer)
    if case is None:
        raise CaseError(f"The layer '{layer.name}' does not come from a patient: save it with napari's Save.")
    classes = checked_classes(layer.data if data is None else data, layer.name)
    return save_correction(classes, case, Path(path))


def checked_classes(data: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    """Return `data` as uint8 class indices.

    Raises
    ------
    OutputError
        If it holds a value that is no class.
    """
    data = np.asarray(data)
    strangers = [int(value) for value in np.unique(data) if not 0 <= value < len(brats.CLASSES)]
    if strangers:
        raise OutputError(
            f"The layer '{name}' holds the label {', '.join(map(str, strangers[:5]))}, which is no class: "
            "use 1 (NCR), 2 (ED), 3 (ET) and 0 for background."
        )
    return data.astype(np.uint8, copy=False)
