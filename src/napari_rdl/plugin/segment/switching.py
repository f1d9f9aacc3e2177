"""Modalities at work: the subset switched to is shown, with its volumes, their change and its worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_rdl.brats import subset_name
from napari_rdl.plugin.parts.section import settle_layouts
from napari_rdl.plugin.segment.modality_box import ModalitySwitches
from napari_rdl.plugin.segment.prediction_updater import PredictionUpdater
from napari_rdl.plugin.segment.session import Session
from napari_rdl.plugin.segment.volumes_table import ExpectationLabel, VolumesTable

if TYPE_CHECKING:
    from napari_rdl.segment import Representations, Segmentation


class Switching(QObject):
    """Does what the switches say, and keeps the box true to what is shown.

    Attributes
    ----------
    switches : ModalitySwitches
        The box.
    volumes_table, expectation : VolumesTable, ExpectationLabel
        In the box.
    """

    def __init__(self, session: Session, updater: PredictionUpdater, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._updater = updater
        self._full: Mapping[str, float] = {}
        self.switches = ModalitySwitches()
        self.volumes_table = VolumesTable()
        self.expectation = ExpectationLabel()
        self.switches.body.addWidget(self.volumes_table)
        self.switches.body.addWidget(self.expectation)
        self.switches.flipped.connect(session.flip)
        self.switches.all_asked.connect(session.use_all)
        session.case_changed.connect(self._on_case)
        session.representations_changed.connect(self._on_representations)
        session.subset_changed.connect(self._on_subset)
        updater.settled.connect(self._on_settled)
        updater.progressed.connect(self._on_progress)
        updater.failed.connect(lambda _error: self._end_pass())

    def set_full(self, volumes: Mapping[str, float]) -> None:
        """Take the volumes of all modalities, region -> ml, with which the others are compared."""
        self._full = dict(volumes)

    def _on_case(self, case: object) -> None:
        self._full = {}
        self.volumes_table.volumes.set_volumes({}, {})
        self.expectation.set_expectation(None)

    def _on_representations(self, representations: Representations | None) -> None:
        self.switches.set_present(representations.modalities if representations else ())
        self.switches.set_price(representations.pass_seconds if representations else None)

    def _on_subset(self, subset: tuple[str, ...]) -> None:
        self.switches.show_subset(subset)
        if self._session.representations is not None:
            self._updater.show(self._session.representations, subset)
        settle_layouts()

    def _on_progress(self, done: int, total: int, message: str) -> None:
        shown = self._updater.segmentation
        self.switches.show_pass(done, total, message, subset_name(shown.modalities) if shown else "")
        # What is below belongs to the subset before.
        self.volumes_table.setEnabled(not self.switches.passing)
        self.expectation.setEnabled(not self.switches.passing)

    def _end_pass(self) -> None:
        self.switches.end_pass()
        self.volumes_table.setEnabled(True)
        self.expectation.setEnabled(True)

    def _on_settled(self, segmentation: Segmentation) -> None:
        self.volumes_table.volumes.set_volumes(segmentation.volumes_ml(), self._full)
        self.expectation.set_expectation(segmentation.expected)
        self._end_pass()
        if (representations := self._session.representations) is not None:
            self.switches.set_price(representations.pass_seconds)
        settle_layouts()
