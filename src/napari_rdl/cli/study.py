"""`napari-rdl study`: every subset of every patient, and what each modality is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.cli.console import (
    listed_failures,
    progress_bar,
    refuse_failures,
    stdout_for_results,
    write,
    write_json,
)
from napari_rdl.cli.options import Device, Json, Labels, Out, Resample
from napari_rdl.cli.several import Models, folder_of, load_models, report_comparison
from napari_rdl.files import refuse_unusable_folder
from napari_rdl.training.run.status import status_told

if TYPE_CHECKING:
    from napari_rdl.cohort.asked import Asked


class ReferenceChoice(StrEnum):
    """What the rows are compared with."""

    truth = "truth"
    full = "full"


@contextmanager
def ended_when_asked(asked: Asked) -> Iterator[None]:
    """Take away what was asked of the study once it has ended."""
    try:
        yield
    finally:
        asked.forget()


def study(
    data: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder of patients, or one patient's.", show_default=False),
    ],
    out: Out,
    model: Models = None,
    reference: Annotated[
        ReferenceChoice,
        typer.Option(help="truth: the expert's mask; full: what all modalities say together."),
    ] = ReferenceChoice.truth,
    device: Device = "auto",
    distances: Annotated[bool, typer.Option("--hd95/--no-hd95", help="Measure HD95 too; slower.")] = True,
    labels: Labels = None,
    resample: Resample = False,
    as_json: Json = False,
) -> None:
    """Study all subsets of modalities, and what each modality is worth.

    Writes tables, charts and report.html; with several models also the table with a row for each. Run again
    with the same --out, it goes on where it was. A file PAUSE in that folder holds it before the next
    patient, a file STOP ends it there.
    """
    refuse_unusable_folder(out)
    from napari_rdl.cohort.asked import Asked

    asked = Asked(out)
    with (
        stdout_for_results(),
        progress_bar("Study") as shown,
        status_told(shown) as told,
        ended_when_asked(asked),
    ):
        progress = asked.holding(told)
        from napari_rdl.cohort.patients import folder_patients
        from napari_rdl.cohort.study import StudySettings, evaluation_of, study_cohort
        from napari_rdl.segment import SegmentSettings

        folder_patients(data)  # before the model is loaded, which takes longer
        settings = StudySettings(
            reference=reference.value, distances=distances, labels=labels, resample=resample
        )
        models = load_models(model)
        studies = {
            one.name: study_cohort(
                data,
                one,
                folder_of(one, out, models),
                settings=settings,
                segment=SegmentSettings(device=device),
                progress=progress,
                cancelled=asked.cancelled,
            )
            for one in models
        }
    found = {name: study for name, study in studies.items() if study is not None}
    if len(found) < len(models):
        return  # another process reports
    finished = found[models[0].name]
    if len(models) > 1:
        about = {key: finished.about[key] for key in ("protocol", "data", "reference", "empty_masks")}
        evaluations = {name: evaluation_of(study) for name, study in found.items()}
        report_comparison(evaluations, about, out, as_json=as_json, verb="studied")
        return
    from napari_rdl.cohort.report import study_markdown
    from napari_rdl.cohort.summary import pooled_worth, tables_of

    tables = tables_of(finished)
    if as_json:
        write_json(
            {
                "about": finished.about,
                "tables": [vars(table) for table in tables],
                "worth": {measure: vars(worth) for measure, worth in pooled_worth(finished).items()},
                "patients": [patient.name for patient in finished.patients],
                "failures": listed_failures(finished.failed),
                "folder": str(out),
                "report": str(out / "report.html"),
            }
        )
    else:
        write(study_markdown(finished, tables) + f"\nReport: {out / 'report.html'}")
    total = len(finished.failed) + len(finished.patients)
    refuse_failures(finished.failed, total, "could not be studied")
