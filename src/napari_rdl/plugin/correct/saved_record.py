"""The record beside corrected labels: who changed what, and what the labels were made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_rdl.correct import CorrectionRecord, History, summarise
from napari_rdl.files import plain_name
from napari_rdl.plugin.settings import plugin_settings

if TYPE_CHECKING:
    from napari_rdl.case import Case
    from napari_rdl.segment import Segmentation


def save_record(
    path: Path, case: Case, history: History, corrects: Segmentation | None, continued: Path | None
) -> None:
    """Write the record of corrected labels beside their file.

    Parameters
    ----------
    path : Path
        The labels' file.
    case : Case
    history : History
        All that was changed.
    corrects : Segmentation or None
        The prediction that was corrected, if it was one.
    continued : Path or None
        The saved correction that was gone on with, if it was one.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from napari_rdl.case.label_record import record_path
    from napari_rdl.case.provenance import current_versions

    CorrectionRecord(
        case=plain_name(case.name),
        output=path.name,
        labels=case.convention.name,
        versions=current_versions(),
        annotator=plugin_settings().annotator.strip(),
        edits=summarise(history, case.grid.voxel_ml),
        prediction=corrects.provenance() if corrects is not None else None,
        continued=plain_name(continued.name) if continued is not None else "",
    ).save(record_path(path))
