"""`napari-rdl dicom`: labels as a DICOM segmentation of the series that the images came from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.cli.console import stdout_for_results, write
from napari_rdl.cli.options import Labels
from napari_rdl.cli.sources import one_patient


def dicom(
    mask: Annotated[Path, typer.Argument(metavar="LABELS", help="Labels as NIfTI, on the patient's grid.")],
    case: Annotated[str, typer.Option(metavar="DIR", help="The patient's folder of NIfTI files.")],
    series: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder of the DICOM series that the images came from."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The DICOM file to write.")],
    series_uid: Annotated[
        str | None, typer.Option(metavar="UID", help="Which series, where the folder has several.")
    ] = None,
    annotator: Annotated[str, typer.Option(help="Who drew or corrected the labels.")] = "",
    labels: Labels = None,
) -> None:
    """Write labels as a DICOM segmentation, so that a hospital's viewer opens them."""
    with stdout_for_results():
        from napari_rdl.case import load_case
        from napari_rdl.case.dicom_seg import save_dicom_seg
        from napari_rdl.case.label_record import record_of
        from napari_rdl.compare import read_labels

        patient = load_case(one_patient(case), labels=labels)
        record = record_of(mask)
        convention = labels or (record.convention.name if record is not None else None)
        classes = read_labels(mask, patient, convention)
        path = save_dicom_seg(classes, patient, series, out, annotator=annotator, series_uid=series_uid)
    write(path)
