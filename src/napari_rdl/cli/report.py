"""`napari-rdl report`: one look at a patient, as a page to print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.cli.console import (
    listed_failures,
    progress_bar,
    refuse_failures,
    say_findings,
    stdout_for_results,
    write,
    write_json,
)
from napari_rdl.cli.options import Cases, Device, Json, Labels, Model, Resample
from napari_rdl.cli.sources import Source, find_sources
from napari_rdl.cli.wording import sentence_of
from napari_rdl.errors import NapariRdlError
from napari_rdl.files import plain_name, refuse_unusable_folder

if TYPE_CHECKING:
    from napari_rdl.callbacks import Progress
    from napari_rdl.models import Model as LoadedModel

Folder = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="The folder to write the pages into; this one by default."),
]


def report(
    cases: Cases = None,
    out: Folder = Path(),
    model: Model = None,
    device: Device = "auto",
    labels: Labels = None,
    resample: Resample = False,
    as_json: Json = False,
) -> None:
    """Summarise a patient on a page: volumes, worth, doubt, warnings.

    Writes NAME_report.html, which opens offline and prints.
    """
    refuse_unusable_folder(out)
    pages: list[dict[str, str]] = []
    failures: dict[str, str] = {}
    with stdout_for_results():
        sources = find_sources(cases)
        from napari_rdl.models import load_model

        loaded = load_model(model)
        for source in sources:
            try:
                with progress_bar(source.title) as progress:
                    pages.append(_report(source, loaded, out, device, labels, resample, progress))
            except NapariRdlError as error:
                if len(sources) == 1:
                    raise
                failures[source.title] = sentence_of(error)
    if as_json:
        write_json(
            dict(pages[0]) if len(sources) == 1 else {"reports": pages, "failures": listed_failures(failures)}
        )
    else:
        for page in pages:
            write(page["path"])
    refuse_failures(failures, len(sources), "could not be summarised")


def _report(
    source: Source,
    model: LoadedModel,
    out: Path,
    device: str,
    labels: str | None,
    resample: bool,
    progress: Progress,
) -> dict[str, str]:
    from napari_rdl.case import check_case, load_case
    from napari_rdl.cohort.patient_card import patient_card, write_patient_card
    from napari_rdl.compare import expert_reference, study_subsets
    from napari_rdl.errors import CaseError
    from napari_rdl.segment import SegmentSettings, encode

    case = load_case(source.files, name=source.name, labels=labels, resample=resample)
    findings = check_case(case)
    say_findings(case, findings)
    representations = encode(case, model, settings=SegmentSettings(device=device), progress=progress)
    try:
        reference = expert_reference(case) if case.mask_file is not None else None
    except CaseError:
        reference = None  # the findings say why
    study = study_subsets(representations, reference, progress=progress)
    path = out / f"{plain_name(case.name)}_report.html"
    page = patient_card(representations, study, findings)
    return {"case": case.name, "path": str(write_patient_card(path, page, representations, study))}
