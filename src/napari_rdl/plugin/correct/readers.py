"""Two readers of the patient that is open: read beside the window, shown, walked through, and agreed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_rdl.correct import Edit
from napari_rdl.plugin.correct.desk import Desk
from napari_rdl.plugin.correct.place import go_to
from napari_rdl.plugin.correct.readers_box import ReadersBox
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.viewer.appearance import keep_read_only, placement
from napari_rdl.plugin.viewer.layer_list import selection_kept
from napari_rdl.plugin.viewer.roles import Role, role_metadata

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Case
    from napari_rdl.compare.readers import Disagreement, RegionAgreement

CORRECTED, EXPERT, PREDICTED = "corrected", "expert", "predicted"
_COLOURS: dict[int | None, str] = {
    None: "transparent",
    0: "transparent",
    1: "#ee7733",
    2: "#0077bb",
    3: "#bbbbbb",
}


@dataclass(frozen=True, eq=False)
class Read:
    """Two readers' labels and what is said of them."""

    whose: list[object]
    labels: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    agreement: dict[str, RegionAgreement]
    places: list[Disagreement]


class Readers(QObject):
    """Carries out what is asked of two readers.

    Signals
    -------
    failed : Exception
    """

    failed = Signal(object)

    def __init__(self, viewer: Viewer, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._desk = desk
        self._widget = parent
        self._files: list[Path] = []
        self._next = 0
        self._outdated = False
        self._layer: Labels | None = None
        self.read: Read | None = None
        self.box = ReadersBox()
        self.worker = LatestTask(self)
        self.worker.failed.connect(self._on_failed)
        self.box.readers_chosen.connect(self.compare)
        self.box.file_asked.connect(self._ask_for_file)
        self.box.next_asked.connect(self.go_to_next)
        self.box.consensus_asked.connect(self.agree)
        self.box.difference_switched.connect(self._show_difference)
        self._list()
        desk.patient_changed.connect(self._on_patient)
        desk.work_changed.connect(self._on_work)
        desk.changed.connect(lambda: self._on_change_of(CORRECTED))
        desk.prediction_changed.connect(lambda: self._on_change_of(PREDICTED))

    def shut_down(self) -> None:
        """Stop all work and take the layer away."""
        self.worker.shut_down()
        self._remove()

    def add_file(self, path: Path, number: int = 1) -> None:
        """Let a label file be reader A (0) or B (1), and compare."""
        if path not in self._files:
            self._files.append(path)
        wanted = self.box.chosen
        wanted[number] = path
        self._list(wanted=wanted)
        self.compare()

    def compare(self) -> None:
        """Read both readers' labels and say how well they agree."""
        case, chosen = self._desk.case, self.box.chosen
        if case is None or any(what is None for what in chosen):
            return
        if self.read is not None and self.read.whose != chosen:
            self._forget()
        sources = [self._source_of(what, case) for what in chosen]
        self._outdated = False

        def compare(progress: Progress, cancelled: IsCancelled) -> Read:
            from napari_rdl.compare.readers import disagreements, reader_agreement

            first, second = (source() for source in sources)
            agreement = reader_agreement(first, second, case.grid.spacing)
            return Read(chosen, (first, second), agreement, disagreements(first, second, case.grid.voxel_ml))

        self.box.status.setText("Comparing…")
        self.worker.ask(compare, self._on_read)

    def go_to_next(self) -> None:
        """Show the next place where they disagree."""
        case, read = self._desk.case, self.read
        if case is None or read is None:
            return
        if not read.places:
            self.box.status.setText("They agree everywhere.")
            return
        number = self._next % len(read.places)
        self._next += 1
        place = read.places[number]
        go_to(self._viewer, case.grid, place.voxel)
        self.box.status.setText(
            f"{number + 1} of {len(read.places)}: {place.ml:.2f} ml, A {place.first}, B {place.second}."
        )

    def agree(self, how: str) -> None:
        """Make the corrected labels what both say, as one step of their history."""
        read, recorder = self.read, self._desk.recorder
        if read is None or recorder is None:
            return

        def decide(progress: Progress, cancelled: IsCancelled) -> NDArray[np.uint8]:
            from napari_rdl.compare import readers

            return readers.staple(read.labels) if how == "staple" else readers.majority(read.labels)

        def decided(labels: NDArray[np.uint8]) -> None:
            if self._desk.recorder is not recorder:
                return
            recorder.settle()
            changed = recorder.apply(Edit.between(recorder.history.labels, labels), f"consensus, {how}")
            case = self._desk.case
            ml = changed * case.grid.voxel_ml if case is not None else 0
            self.box.status.setText(f"Consensus ({how}): {ml:.2f} ml of the corrected labels changed.")

        self.worker.ask(decide, decided)

    # --- Whose labels

    def _source_of(self, what: object, case: Case) -> Callable[[], NDArray[np.uint8]]:
        """Return what reads a reader's labels in a worker; those that are shown are copied now."""
        if isinstance(what, Path):
            path = what

            def read() -> NDArray[np.uint8]:
                from napari_rdl.case.label_record import record_of
                from napari_rdl.compare import read_labels

                record = record_of(path)
                return read_labels(path, case, record.convention.name if record is not None else None)

            return read
        if what == EXPERT:
            from napari_rdl.compare import expert_reference

            return lambda: expert_reference(case).classes
        if what == PREDICTED and self._desk.segment is not None and self._desk.segment.updater.segmentation:
            labels = self._desk.segment.updater.segmentation.labels
        elif self._desk.recorder is not None:
            self._desk.recorder.settle()
            labels = self._desk.recorder.history.labels.copy()
        else:
            labels = np.zeros(case.grid.shape, np.uint8)
        return lambda: labels

    def _list(self, wanted: list[object] | None = None) -> None:
        case = self._desk.case
        choices: list[tuple[str, object]] = []
        if self._desk.recorder is not None:
            choices.append(("Corrected labels", CORRECTED))
        if case is not None and case.mask_file is not None:
            choices.append(("Expert's mask", EXPERT))
        if self._desk.representations is not None:
            choices.append(("Prediction", PREDICTED))
        choices += [(path.name, path) for path in self._files]
        self.box.set_choices(choices, wanted or ())
        self.box.setVisible(case is not None)
        if self.read is not None and self.read.whose != self.box.chosen:
            # What is said must be of those who are named.
            self._forget()
        self._show_agreement()

    def _on_work(self) -> None:
        # Whoever begins to correct is reader A, unless another file was chosen for that.
        first, second = self.box.chosen
        own = self._desk.recorder is not None and not isinstance(first, Path)
        self._list(wanted=[CORRECTED if own else first, second])

    def _ask_for_file(self, number: int) -> None:
        case = self._desk.case
        folders = [file.parent for file in case.files.values()] if case is not None else []
        start = str(folders[0] if folders else Path.home())
        name, _ = QFileDialog.getOpenFileName(
            self._widget, "Another reader's labels", start, "NIfTI (*.nii.gz *.nii)"
        )
        if name:
            self.add_file(Path(name), number)
        else:
            self._list()

    def _on_patient(self) -> None:
        self._files.clear()
        self._forget()
        self.box.difference_box.setChecked(False)
        self._list()

    def _forget(self) -> None:
        self.worker.drop()
        self.read, self._outdated = None, False
        self.box.status.setText("")
        self._remove()
        self._show_agreement()

    def _on_change_of(self, whose: str) -> None:
        if whose in self.box.chosen and (self.read is not None or self.worker.busy):
            self._outdated = True
            self._show_agreement()

    def _show_agreement(self) -> None:
        self.box.show_agreement(
            self.read.agreement if self.read is not None else None,
            corrected=self._desk.recorder is not None,
            outdated=self._outdated,
        )

    def _on_read(self, read: Read) -> None:
        self.read, self._next = read, 0
        self.box.status.setText("")
        self._show_agreement()
        self._show_difference(self.box.difference_box.isChecked())

    def _on_failed(self, error: Exception) -> None:
        self.box.status.setText("")
        self.failed.emit(error)

    # --- The layer

    def _show_difference(self, on: bool) -> None:
        self._remove()
        case, read = self._desk.case, self.read
        if not on or case is None or read is None:
            return
        from napari_rdl.compare import difference

        self._layer = Labels(
            difference(*read.labels, "WT"),
            name=f"{case.name} two readers",
            colormap=DirectLabelColormap(color_dict=_COLOURS),
            features={"index": [0, 1, 2, 3], "voxels": ["neither", "only A", "only B", "both"]},
            opacity=0.7,
            metadata=role_metadata(Role.COMPARISON, case, subject="readers"),
            **placement(case.grid),
        )
        keep_read_only(self._layer)
        with selection_kept(self._viewer):
            self._viewer.add_layer(self._layer)

    def _remove(self) -> None:
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None
