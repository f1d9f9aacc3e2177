"""Opening a patient: from a folder, files or layers, once more on one grid, or with images added to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_rdl.plugin.segment.patient_source import (
    OpenedCase,
    checked,
    layer_image,
    patients_below,
    read_layers,
    read_paths,
    read_with,
    shared_case_of,
)
from napari_rdl.plugin.segment.session import RunChoice, Session
from napari_rdl.plugin.viewer.next_picture import LIMIT_MS, NextPicture

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.segment import Representations, Segmentation

    Encoded = tuple[Representations, Segmentation]
    """A patient's representations, and what all of its modalities together give."""

    Opened = tuple[OpenedCase, Encoded | None]
    """A patient that was checked, with what was encoded before."""

ReadPatient = Callable[[bool], OpenedCase | tuple[Path, ...]]
"""Reads a patient, resampled to one grid or not; the patients' folders where there are several."""


class Opening(QObject):
    """Reads patients off the GUI's thread, and remembers how the last one is read again.

    Signals
    -------
    read : OpenedCase
        A patient whose pictures can be shown; it is not checked yet.
    opened : OpenedCase, tuple or None
        The same, checked, and what was encoded of it before.
    several_found : tuple of Path
        The folders of several patients, of which one is to be chosen.

    Parameters
    ----------
    session : Session
    start_task : callable
        Starts a task, with what to do with its result.
    may_begin : callable
        Returns whether another patient may take the place of the one that is open.
    choice : callable
        Returns with which model a patient would be run.
    parent : QWidget

    Attributes
    ----------
    folder : Path or None
        The folder or file that was opened, where it was one.
    run_after : bool
        Whether the model is to run once the patient is open.
    """

    read = Signal(object)
    opened = Signal(object, object)
    several_found = Signal(object)

    def __init__(
        self,
        session: Session,
        start_task: Callable[[Callable[..., object], Callable[..., None]], None],
        may_begin: Callable[[], bool],
        choice: Callable[[], RunChoice],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._start_task = start_task
        self._may_begin = may_begin
        self._choice = choice
        self._read: ReadPatient | None = None
        self.folder: Path | None = None
        self.run_after = False
        self._drawn = threading.Event()
        self._picture = NextPicture(self._drawn.set, parent, self)

    def from_files(
        self, source: Path | str | Iterable[Path | str], *, resample: bool = False, run: bool = False
    ) -> None:
        """Open a patient's folder or NIfTI files; a folder of several patients offers their list."""
        paths = [Path(source)] if isinstance(source, str | Path) else [Path(path) for path in source]

        def read(resample: bool) -> OpenedCase | tuple[Path, ...]:
            several = patients_below(paths)
            if len(several) > 1:
                return several
            return read_paths(several or paths, resample=resample)

        self._open(read, resample=resample, run=run, folder=paths[0] if len(paths) == 1 else None)

    def from_layers(self, assigned: dict[str, Image], *, resample: bool = False, run: bool = False) -> None:
        """Take open image layers, modality -> layer, as the patient."""
        shared = shared_case_of(assigned)
        taken = {modality: layer_image(layer) for modality, layer in assigned.items()}
        self._open(
            lambda resample: read_layers(taken, shared_case=shared, resample=resample),
            resample=resample,
            run=run,
        )

    def again_resampled(self) -> None:
        """Open the last patient once more, all of its images on one grid."""
        if self._read is not None:
            self._open(self._read, resample=True, run=self.run_after, folder=self.folder)

    def with_more(self, more: dict[str, Path]) -> None:
        """Open the patient once more with images that its folder's names do not explain."""
        case = self._session.case
        if case is not None:
            self._open(
                lambda resample: read_with(case, more, resample=resample),
                resample=case.resampled or case.fit_mask,
                run=False,
                folder=self.folder,
            )

    def shut_down(self) -> None:
        """Keep no task waiting for a picture."""
        self._picture.stop()
        self._drawn.set()

    def _open(self, read: ReadPatient, *, resample: bool, run: bool, folder: Path | None = None) -> None:
        if not self._may_begin():
            return
        self._read, self.run_after, self.folder = read, run, folder

        def read_patient(progress: Progress, cancelled: IsCancelled) -> OpenedCase | tuple[Path, ...]:
            progress(0, 0, "Reading the patient")
            return read(resample)

        self._start_task(read_patient, self._on_read)

    def _on_read(self, patient: OpenedCase | tuple[Path, ...]) -> None:
        if not isinstance(patient, OpenedCase):
            self.several_found.emit(patient)
            return
        self.read.emit(patient)
        choice = self._choice()
        self._drawn.clear()
        self._picture.wait()

        def look(progress: Progress, cancelled: IsCancelled) -> Opened:
            progress(0, 0, "Checking the patient")
            # The picture has both cores until it is there.
            self._drawn.wait(LIMIT_MS / 1000)
            known = self._session.recall(patient.case, choice)
            encoded = (known, known.combine()) if known is not None else None
            return checked(patient), encoded

        # The pictures stand while it is looked at closely.
        self._start_task(look, lambda opened: self.opened.emit(*opened))
