"""The one layer that a human corrects: whether it was saved since, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_rdl.plugin.viewer.layers import correct_a_copy, corrected_name, save_corrected

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_rdl.plugin.viewer.prediction import PredictionLayer


class CorrectedLayer:
    """Holds the corrected layer of the patient that is open.

    It is held even if a user deletes the layer from napari's list, so that it can still be saved.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._saved: np.ndarray | None = None
        self.layer: Labels | None = None

    @property
    def unsaved(self) -> bool:
        """Whether something was edited since the copy was made or last saved."""
        # Compared rather than listened for: napari tells of strokes, but not of undoing them.
        return self.layer is not None and not np.array_equal(self.layer.data, self._saved)

    @property
    def default_name(self) -> str:
        """The file name under which it is saved by default."""
        return corrected_name(self.layer) if self.layer is not None else ""

    def start(self, prediction: PredictionLayer) -> Labels:
        """Make a new copy of the prediction shown; an earlier copy leaves the viewer."""
        self.let_go()
        self.layer = correct_a_copy(self._viewer, prediction.layer)
        self._saved = np.array(self.layer.data)
        return self.layer

    def save(self, path: Path) -> Path:
        """Write the layer to its patient's native grid.

        Raises
        ------
        OutputError
            If it holds values that are no class, or cannot be written.
        """
        if self.layer is None:
            raise RuntimeError("There is no corrected layer.")
        written = save_corrected(self.layer, path)
        self._saved = np.array(self.layer.data)
        return written

    def let_go(self) -> None:
        """Take the layer out of the viewer and forget it; the caller asks first."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
        self.layer = None
        self._saved = None
