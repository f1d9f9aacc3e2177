"""Several models in one command: a folder for each, and their table with a row for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_rdl.cli.console import refuse_failures, write, write_json

if TYPE_CHECKING:
    from napari_rdl.cohort.evaluate import Evaluation
    from napari_rdl.models import Model

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="PATH",
        help="A checkpoint, or the name of bundled weights; shipped by default. Several are compared.",
        show_default=False,
    ),
]


def load_models(sources: Sequence[str] | None) -> list[Model]:
    """Return the models that a user named, the shipped weights if none.

    Raises
    ------
    NapariRdlError
        If one cannot be read, two share a name, or they do not answer the same.
    """
    from napari_rdl.cohort.comparison import refuse_unlike_models
    from napari_rdl.models import load_model

    models = [load_model(source) for source in sources or [None]]  # type: ignore[list-item]
    refuse_unlike_models(models)
    return models


def folder_of(model: Model, out: Path, models: Sequence[Model]) -> Path:
    """Return where a model's own results go: `out` itself where it is the only one."""
    if len(models) == 1:
        return out
    name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in model.name)
    return out / (name or "model")


def report_comparison(
    found: Mapping[str, Evaluation], about: Mapping[str, Any], out: Path, *, as_json: bool, verb: str
) -> None:
    """Compare models, write the comparison to `out` and say it; end with an error where patients failed."""
    from napari_rdl.cohort.comparison import compare
    from napari_rdl.cohort.comparison_page import comparison_content, write_comparison

    together = compare(found)
    text = write_comparison(together, about, out)
    if as_json:
        write_json({"about": about, **comparison_content(together), "folder": str(out)})
    else:
        write(text)
    failed = {name: why for one in found.values() for name, why in one.failed.items()}
    refuse_failures(failed, len(failed) + together.patients, f"could not be {verb}")
