"""`napari-rdl train`: train a model; also ``python -m napari_rdl.training``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_rdl.cli.console import progress_bar, say_log, write
from napari_rdl.errors import ConfigError, DeviceError, Remedy

if TYPE_CHECKING:
    from napari_rdl.callbacks import Progress
    from napari_rdl.training.before_after import BeforeAndAfter
    from napari_rdl.training.config import TrainingConfig
    from napari_rdl.training.run.session import Outcome

# Torch is loaded inside the commands: asking for help must not wait for it.


def train(
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A recipe (laptop, shipped, gated, deep_sets, synthetic, brats2018, brats2020) or a TOML "
            "file."
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder of patients, split file or worklist (.json), or phantom:N. Several are mixed; a "
            "share of the visits and other settings follow a comma, as in DIR,share=0.35. A worklist alone "
            "means: learn from its corrections, beginning with the shipped weights."
        ),
    ] = None,
    validation: Annotated[
        list[str] | None,
        typer.Option(help="Validation patients, as --data; also phantom:N:held-out:FIRST_SEED."),
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
        if recipe or data or validation or out or changes or labels or resample or dry_run:
            raise ConfigError(
                "--resume goes on with the run's own configuration: leave out --recipe, --data, "
                "--validation, --out, --set, --labels, --resample and --dry-run."
            )
    elif not data and recipe is None and not changes:
        raise ConfigError("There are no training data", Remedy.GIVE_DATA)
    elif out is None and not dry_run:
        raise ConfigError("Give --out a new folder for the run (or --dry-run).")
    say_log()

    from napari_rdl.training.run.status import status_told

    with progress_bar("Training", log=True) as bar, status_told(bar) as progress:
        session = _session()
        if resume is not None:
            outcome = session.resume_training(resume, progress=progress)
        else:
            config = _config_of(
                recipe,
                data or [],
                changes or [],
                **named_data(data or [], validation or []),
                data__labels=labels,
                data__resample=resample or None,
            )
            if not config.data.every_source:
                raise ConfigError("There are no training data", Remedy.GIVE_DATA)
            if dry_run:
                _report_dry_run(session.dry_run(config, progress=progress), as_json)
                return
            assert out is not None
            outcome = session.run_training(config, out, progress=progress)
        comparison = _compared(outcome, progress) if session.is_first_process() else None
    if session.is_first_process():
        _report(outcome, comparison, as_json)


def _config_of(recipe: str | None, data: list[str], changes: list[str], **settings: Any) -> TrainingConfig:
    """Return what is to be trained: by a recipe, or by a worklist alone, from its corrections."""
    from napari_rdl.cohort.worklist_file import is_worklist
    from napari_rdl.training.learning import learning_config
    from napari_rdl.training.recipe import load_recipe

    if recipe is None and len(data) == 1 and is_worklist(data[0]):
        settings.pop("data__source")
        return learning_config(data[0], changes=changes, **settings)
    return load_recipe(recipe, changes, **settings)


def _compared(outcome: Outcome, progress: Progress) -> BeforeAndAfter | None:
    """Compare a run that learnt from corrections with what it began with."""
    from napari_rdl.training.before_after import compare_run
    from napari_rdl.training.learning import learns
    from napari_rdl.training.run.folder import RunFolder

    if not outcome.finished or not learns(RunFolder(outcome.folder).read_config()):
        return None
    return compare_run(outcome.folder, progress=progress)


def named_data(data: list[str], validation: list[str]) -> dict[str, Any]:
    """Return the settings of what --data and --validation name; one plain source stays a plain setting."""
    from napari_rdl.training.config import read_source

    settings: dict[str, Any] = {}
    sources = [read_source(text) for text in data]
    if len(sources) == 1 and sources[0].keys() == {"source"}:
        settings["data__source"] = data[0]
    elif sources:
        settings["data__sources"] = sources
    if len(validation) == 1:
        settings["data__validation"] = validation[0]
    elif validation:
        settings["data__validation_sources"] = validation
    return settings


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


def _report(outcome: Outcome, comparison: BeforeAndAfter | None, as_json: bool) -> None:
    if as_json:
        compared = {"comparison": comparison.model_dump()} if comparison is not None else {}
        write(json.dumps({**vars(outcome), "folder": str(outcome.folder), **compared}))
        return
    how = "Finished" if outcome.finished else f"Stopped (go on with --resume {outcome.folder})"
    best = (
        f"; best mean Dice {outcome.best:.4f} in {outcome.folder / 'best.safetensors'}"
        if outcome.best >= 0
        else ""
    )
    write(f"{how} at step {outcome.step} of {outcome.steps}{best}.")
    if comparison is not None:
        write(comparison.words())


def _report_dry_run(report: object, as_json: bool) -> None:
    from napari_rdl.training.run.session import DryRun

    assert isinstance(report, DryRun)
    if as_json:
        write(json.dumps({**vars(report), "hours": report.hours}))
        return
    for name, reason in report.left_out.items():
        write(f"left out: {name}: {reason}")
    write(
        f"{report.train} training and {report.validation} validation patients; "
        f"{report.parameters:,} parameters; {report.steps} steps of {report.seconds_per_step:.2f} s, "
        f"so about {report.hours:.1f} h beside validation; "
        f"peak memory {report.memory_mb:.0f} MB."
    )
