"""`napari-rdl evaluate`: the paper's table of a model, or of several."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from napari_rdl.cli.console import (
    listed_failures,
    progress_bar,
    refuse_failures,
    say_log,
    stdout_for_results,
    write,
    write_json,
)
from napari_rdl.cli.options import Device, Json, Labels, Out, Resample
from napari_rdl.cli.several import Models, folder_of, load_models, report_comparison
from napari_rdl.errors import ConfigError, first_fault
from napari_rdl.files import refuse_unusable_folder


def evaluate(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Folder of patients, split file, or phantom:N.")
    ],
    out: Out,
    model: Models = None,
    modalities: Annotated[
        str | None, typer.Option(metavar="T1c,FLAIR", help="Use these alone, and their subsets.")
    ] = None,
    part: Annotated[str, typer.Option(help="List of a split file: train, validation or test.")] = "test",
    smallest_et: Annotated[
        int,
        typer.Option(metavar="VOXELS", help="Take smaller enhancing tumour away first; the field uses 500."),
    ] = 0,
    distances: Annotated[bool, typer.Option("--hd95/--no-hd95", help="Measure HD95 too; slower.")] = True,
    scores: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Further scores, which take longer: surface, lesions, calibration, without_small_et, soft, "
            "by commas, or all.",
            show_default=False,
        ),
    ] = "",
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="rfnet: hard Dice of each patient; authors: soft Dice of two at once, best checkpoint.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    labels: Labels = None,
    resample: Resample = False,
    as_json: Json = False,
) -> None:
    """Score a model on every subset of every patient: the paper's table.

    Run again with the same --out, it goes on where it was.
    """
    refuse_unusable_folder(out)
    say_log()
    with stdout_for_results(), progress_bar("Evaluation", log=True) as progress:
        from pydantic import ValidationError

        from napari_rdl.brats import parse_subset
        from napari_rdl.cohort import evaluate as evaluation
        from napari_rdl.segment import SegmentSettings

        models = load_models(model)
        loaded = models[0]
        known = loaded.card.network.modalities
        try:
            settings = evaluation.EvaluationSettings(
                modalities=None if modalities is None else parse_subset(modalities, known),
                distances=distances,
                smallest_et=smallest_et,
                scores=further(scores, protocol),
                part=part,  # type: ignore[arg-type]
                labels=labels,
                resample=resample,
                segment=SegmentSettings(device=device),
            )
        except ValidationError as error:
            where, what = first_fault(error)
            given = error.errors()[0]["input"]
            raise ConfigError(f"{where}: {what} (given: {given!r}).") from None
        except ValueError as error:
            raise ConfigError(str(error)) from None
        results = [
            evaluation.evaluate(data, one, folder_of(one, out, models), settings=settings, progress=progress)
            for one in models
        ]
    found = {one.name: result for one, result in zip(models, results, strict=True) if result is not None}
    if len(found) < len(models):
        return  # another process reports
    result = found[loaded.name]
    if protocol is not None:
        from napari_rdl.cohort.protocols import write_protocol

        about = {key: result.about[key] for key in ("data", "patients", "post_processing", "empty_masks")}
        text = write_protocol(protocol, found, about, out)  # type: ignore[arg-type]
        write(text if not as_json else (out / "protocol.json").read_text("utf-8"))
        failed = {name: why for one in found.values() for name, why in one.failed.items()}
        refuse_failures(failed, len(failed) + len(result.scores), "could not be evaluated")
        return
    if len(models) > 1:
        about = {key: result.about[key] for key in ("protocol", "data", "post_processing", "empty_masks")}
        report_comparison(found, about, out, as_json=as_json, verb="evaluated")
        return
    from napari_rdl.cohort.report import evaluation_markdown, evaluation_tables

    tables = evaluation_tables(result)
    if as_json:
        content = {"about": result.about, "tables": [vars(table) for table in tables]}
        write_json(content | {"failures": listed_failures(result.failed), "folder": str(out)})
    else:
        write(evaluation_markdown(result, tables))
    refuse_failures(result.failed, len(result.failed) + len(result.scores), "could not be evaluated")


def further(names: str, protocol: str | None) -> tuple[str, ...]:
    """Return the further scores that a user named, and those that a protocol needs.

    Raises
    ------
    ConfigError
        If there is no such protocol.
    """
    from napari_rdl.cohort.further_scores import Further
    from napari_rdl.cohort.protocols import NEEDS

    if protocol is not None and protocol not in NEEDS:
        raise ConfigError(f"There is no protocol {protocol!r}: use {' or '.join(NEEDS)}.")
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if wanted == ["all"]:
        wanted = list(get_args(Further))
    return tuple(dict.fromkeys([*wanted, *(NEEDS[protocol] if protocol is not None else ())]))  # type: ignore[index]
