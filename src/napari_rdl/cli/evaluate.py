"""`napari-rdl evaluate`: the paper's table of a model, or of several."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_rdl.cli.console import (
    progress_bar,
    refuse_failures,
    refuse_unusable_folder,
    say_log,
    stdout_for_results,
    write,
    write_json,
)
from napari_rdl.cli.options import Device, Json, Labels, Out, Resample
from napari_rdl.errors import ConfigError, first_fault


def evaluate(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Folder of patients, split file, or phantom:N.")
    ],
    out: Out,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="A checkpoint, or the name of bundled weights; shipped by default. Several are compared.",
            show_default=False,
        ),
    ] = None,
    modalities: Annotated[
        str | None, typer.Option(metavar="T1c,FLAIR", help="Use these alone, and their subsets.")
    ] = None,
    part: Annotated[str, typer.Option(help="List of a split file: train, validation or test.")] = "test",
    smallest_et: Annotated[
        int,
        typer.Option(metavar="VOXELS", help="Take smaller enhancing tumour away first; the field uses 500."),
    ] = 0,
    distances: Annotated[bool, typer.Option("--hd95/--no-hd95", help="Measure HD95 too; slower.")] = True,
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
        from napari_rdl.cohort import comparison, comparison_page
        from napari_rdl.cohort import evaluate as evaluation
        from napari_rdl.models import load_model
        from napari_rdl.segment import SegmentSettings

        models = [load_model(source) for source in (model or [None])]  # type: ignore[list-item]
        comparison.refuse_unlike_models(models)
        loaded = models[0]
        known = loaded.card.network.modalities
        try:
            settings = evaluation.EvaluationSettings(
                modalities=None if modalities is None else parse_subset(modalities, known),
                distances=distances,
                smallest_et=smallest_et,
                part=part,
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
            evaluation.evaluate(
                data,
                one,
                out / folder_name(one.name) if len(models) > 1 else out,
                settings=settings,
                progress=progress,
            )
            for one in models
        ]
    found = {one.name: result for one, result in zip(models, results, strict=True) if result is not None}
    if len(found) < len(models):
        return  # another process reports
    result = found[loaded.name]
    if len(models) > 1:
        together = comparison.compare(found)
        about = {key: result.about[key] for key in ("protocol", "data", "post_processing", "empty_masks")}
        text = comparison_page.write_comparison(together, about, out)
        if as_json:
            write_json({"about": about, **comparison_page.comparison_content(together), "folder": str(out)})
        else:
            write(text)
        failed = {name: why for one in found.values() for name, why in one.failed.items()}
        refuse_failures(failed, len(failed) + together.patients, "could not be evaluated")
        return
    from napari_rdl.cohort.report import evaluation_markdown, evaluation_tables

    tables = evaluation_tables(result)
    if as_json:
        content = {"about": result.about, "tables": [vars(table) for table in tables]}
        write_json(content | {"failed": result.failed, "folder": str(out)})
    else:
        write(evaluation_markdown(result, tables))
    refuse_failures(result.failed, len(result.failed) + len(result.scores), "could not be evaluated")


def folder_name(model: str) -> str:
    """Return a model's name as a folder may have it."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in model) or "model"
