"""Corrected labels as a DICOM segmentation of the series that the images came from."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_rdl.errors import NapariRdlError
from napari_rdl.files import plain_name
from napari_rdl.plugin.correct.desk import Desk
from napari_rdl.plugin.parts.waiting import while_the_window_lives
from napari_rdl.plugin.settings import plugin_settings


class DicomExport(QObject):
    """Asks for a series and a file, and writes the desk's labels.

    Signals
    -------
    saved : Path
    failed : Exception
    """

    saved = Signal(object)
    failed = Signal(object)

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._desk = desk
        self._widget = parent

    def ask(self) -> None:
        """Let the user choose the series and the file, and write it."""
        case = self._desk.case
        if case is None:
            return
        folders = [file.parent for file in case.files.values()]
        start = str(folders[0] if folders else Path.home())
        series = QFileDialog.getExistingDirectory(
            self._widget, "The DICOM series that the images came from", start
        )
        if not series:
            return
        proposed = str(Path(series).parent / f"{plain_name(case.name)}_seg_corrected.dcm")
        name, _ = QFileDialog.getSaveFileName(self._widget, "Save as DICOM SEG", proposed, "DICOM (*.dcm)")
        if name:
            self.save(Path(series), Path(name))

    def save(self, series: Path, path: Path) -> bool:
        """Write the corrected labels as DICOM SEG of a series; True if that worked."""
        case, recorder = self._desk.case, self._desk.recorder
        if case is None or recorder is None:
            return False
        recorder.settle()
        labels, annotator = recorder.history.labels.copy(), plugin_settings().annotator

        def write(_progress: object) -> Path:
            from napari_rdl.case.dicom_seg import save_dicom_seg

            return save_dicom_seg(labels, case, series, path, annotator=annotator)

        try:
            written = while_the_window_lives(write, takes_input=False)
        except NapariRdlError as error:
            self.failed.emit(error)
            return False
        self.saved.emit(written)
        return True
