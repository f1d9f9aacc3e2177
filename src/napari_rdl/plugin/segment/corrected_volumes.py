"""The volumes of the corrected layer, counted anew while it is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl import brats
from napari_rdl.plugin.viewer.roles import case_of

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_rdl.plugin.viewer.corrected import CorrectedLayer

_WAIT_MS = 300


class CorrectedVolumes(QObject):
    """Follows the corrected layer.

    Signals
    -------
    counted : dict of str to float
        Region -> ml; empty where there is no corrected layer.
    """

    counted = Signal(dict)

    def __init__(self, corrected: CorrectedLayer, parent: QObject) -> None:
        super().__init__(parent)
        self._corrected = corrected
        self._followed: Labels | None = None
        self._last: dict[str, float] = {}
        # A hand that paints must not wait for a volume to be counted.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._count)
        corrected.changed.connect(self._on_changed)

    def release(self) -> None:
        """Follow nothing."""
        self._timer.stop()
        self._corrected.changed.disconnect(self._on_changed)
        self._follow(None)

    def _on_changed(self) -> None:
        self._follow(self._corrected.layer)
        self._count()

    def _follow(self, layer: Labels | None) -> None:
        if self._followed is not None:
            self._followed.events.paint.disconnect(self._on_edited)
            self._followed.events.set_data.disconnect(self._on_edited)
        self._followed = layer
        if layer is not None:
            layer.events.paint.connect(self._on_edited)
            layer.events.set_data.connect(self._on_edited)

    def _on_edited(self, event: object = None) -> None:
        self._timer.start()

    def _count(self) -> None:
        layer = self._followed
        case = case_of(layer) if layer is not None else None
        volumes: dict[str, float] = {}
        if layer is not None and case is not None:
            data = np.asarray(layer.data)
            counts = [0, *(int(np.count_nonzero(data == index)) for index in range(1, len(brats.CLASSES)))]
            volumes = {
                region: sum(counts[index] for index in members) * case.grid.voxel_ml
                for region, members in brats.REGIONS.items()
            }
        if volumes != self._last:
            self._last = volumes
            self.counted.emit(volumes)
