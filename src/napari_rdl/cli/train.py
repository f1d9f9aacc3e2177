"""``napari-rdl train`` (also ``python -m napari_rdl.training``) and ``evaluate``. Thin: no science here."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.callbacks import Progress
from napari_rdl.errors import CaseError, ConfigError, DeviceError

if TYPE_CHECKING:
    from napari_rdl.training.run.session import Outcome

NO_DATA = "Give --data a folder of patients, a split file or phantom:N (or --resume RUN)."

# Torch is loaded inside the commands: asking for help must not wait for it.


def train(
    recipe: Annotated[
        str | None,
        typer.Option(help="Recipe: a name (laptop, shipped, brats2018, brats2020) or a TOML file."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Folder of patients, split file (.json), or phantom:N.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; new or empty.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run folder to go on with.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, such as optimizer.lr=1e-3.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Label convention, where names do not say it.", show_default=False)
    ] = None,
    resample: Annotated[bool, typer.Option("--resample", help="Bring modalities to one grid.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check data, memory and time; train nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Train a model on patients of your own, or on synthetic ones."""
    if resume is not None:
        if recipe or data or out or changes or labels or resample or dry_run:
            raise ConfigError(
                "--resume goes on with the run's own configuration: "
                "leave out --recipe, --data, --out, --set, --labels, --resample and --dry-run."
            )
    elif data is None and recipe is None and not changes:
        raise ConfigError(NO_DATA)
    elif out is None and not dry_run:
        raise ConfigError("Give --out a new folder for the run (or --dry-run).")
    _show_log()

    from napari_rdl.training.recipe import load_recipe
    from napari_rdl.training.run.status import status_told

    with _progress() as bar, status_told(bar) as progress:
        session = _session()
        if resume is not None:
            outcome = session.resume_training(resume, progress=progress)
        else:
            config = load_recipe(
                recipe,
                changes or (),
                data__source=data,
                data__labels=labels,
                data__resample=resample or None,
            )
            if not config.data.source:
                raise ConfigError(NO_DATA)
            if dry_run:
                _report_dry_run(session.dry_run(config, progress=progress), as_json)
                return
            assert out is not None
            outcome = session.run_training(config, out, progress=progress)
    if session.is_first_process():
        _report(outcome, as_json)


def _session() -> ModuleType:
    """Return the module that trains, which needs torch.

    Raises
    ------
    DeviceError
        If torch or what it needs cannot be loaded.
    """
    try:
        from napari_rdl.training.run import session
    except (ImportError, OSError) as error:
        # On Windows a library that torch lacks is an OSError.
        raise DeviceError(
            f"Training needs PyTorch, which {sys.executable} cannot load ({' '.join(str(error).split())}): "
            f"install it anew with `{sys.executable} -m pip install --force-reinstall torch`."
        ) from error
    return session


def _report(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**vars(outcome), "folder": str(outcome.folder)}))
        return
    how = "Finished" if outcome.finished else f"Stopped (go on with --resume {outcome.folder})"
    best = (
        f"; best mean Dice {outcome.best:.4f} in {outcome.folder / 'best.safetensors'}"
        if outcome.best >= 0
        else ""
    )
    typer.echo(f"{how} at step {outcome.step} of {outcome.steps}{best}.")


def _report_dry_run(report: object, as_json: bool) -> None:
    from napari_rdl.training.run.session import DryRun

    assert isinstance(report, DryRun)
    if as_json:
        typer.echo(json.dumps({**vars(report), "hours": report.hours}))
        return
    for name, reason in report.left_out.items():
        typer.echo(f"left out: {name}: {reason}")
    typer.echo(
        f"{report.train} training and {report.validation} validation patients; "
        f"{report.parameters:,} parameters; {report.steps} steps of {report.seconds_per_step:.2f} s, "
        f"so about {report.hours:.1f} h beside validation; "
        f"peak memory {report.memory_mb:.0f} MB."
    )


def _show_log() -> None:
    """Show what the program says of itself on stderr."""
    logger = logging.getLogger("napari_rdl")
    logger.setLevel(logging.INFO)
    if not logging.getLogger().handlers and not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show a bar on a terminal, and a line now and then elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=console) as bar:
            task = bar.add_task("Starting", total=None)

            def move(done: int, total: int, message: str) -> None:
                bar.update(task, completed=done, total=total, description=message)

            yield move
        return
    logger = logging.getLogger(__name__)
    started = time.monotonic()
    last = started - 60

    def line(done: int, total: int, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        # Often at first, for whoever waits for the beginning; a long run's log stays short.
        if now - last >= min(30, 1 + (now - started) / 20):
            last = now
            logger.info("%d/%d %s", done, total, message)

    yield line


def evaluate(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Folder of patients, split file, or phantom:N.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the report.")],
    model: Annotated[
        str | None, typer.Option(metavar="PATH", help="A checkpoint; the shipped weights by default.")
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
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    labels: Annotated[
        str | None, typer.Option(help="Label convention, where names do not say it.", show_default=False)
    ] = None,
    resample: Annotated[bool, typer.Option("--resample", help="Bring modalities to one grid.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Score a model on every subset of every patient: the paper's table."""
    _show_log()

    from pydantic import ValidationError

    from napari_rdl.brats import parse_subset
    from napari_rdl.models import load_model
    from napari_rdl.segment import SegmentSettings
    from napari_rdl.training import evaluate as evaluation
    from napari_rdl.training.report import markdown, tables_of

    loaded = load_model(model)
    try:
        settings = evaluation.EvaluationSettings(
            modalities=None
            if modalities is None
            else parse_subset(modalities, loaded.card.network.modalities),
            distances=distances,
            smallest_et=smallest_et,
            part=part,
            labels=labels,
            resample=resample,
            segment=SegmentSettings(device=device),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']} (given: {first['input']!r})."
        ) from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    with _progress() as progress:
        result = evaluation.evaluate(data, loaded, out, settings=settings, progress=progress)
    if result is None:
        return
    tables = tables_of(result, loaded.card.network.modalities, settings)
    if as_json:
        content = {
            "about": result.about,
            "tables": [vars(table) for table in tables],
            "failed": result.failed,
        }
        typer.echo(json.dumps({**content, "folder": str(out)}))
    else:
        typer.echo(markdown(result, tables))
    if result.failed:
        names = ", ".join(list(result.failed)[:5])
        raise CaseError(
            f"{len(result.failed)} patients could not be evaluated ({names}); the others are done."
        )
