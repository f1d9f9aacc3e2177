"""Train and score the rows of one of the paper's tables: ``python training/run_table.py table6``.

Rows, seeds and the paper's figures stand in ``experiments/*.toml``. Runs that are finished are not
repeated, and those that were interrupted go on; rows of several tables that ask for the same run share
it. Mean and standard deviation over seeds (and splits) go to ``results/<table>-<benchmark>.md`` and ``.csv``,
each patient's scores to ``results/<table>-<benchmark>-patients.csv``.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel, ConfigDict, Field
from table_report import PatientScores, Scores, mean_over_patients, write_tables

from napari_rdl.cli.app import run_script
from napari_rdl.files import write_json
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.running import Ended, read_record

HERE = Path(__file__).parent


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Part):
    """One line of a table: what it changes in a recipe, the benchmark's or its own; the paper's figures."""

    name: str
    recipe: str | None = None
    set: tuple[str, ...] = ()
    paper: tuple[float, ...] = ()


class Experiment(_Part):
    """One table."""

    title: str
    benchmark: str
    columns: Literal["subsets", "regions", "missing"]
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    reference: str | None = None
    note: str = ""
    cited: dict[str, dict[str, tuple[float, ...]]] = Field(default_factory=dict)


class Benchmark(_Part):
    """Data, recipe and size that a table's rows share."""

    recipe: str
    data: str | None = None
    set: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One training: a row on one source with one seed."""

    row: Row
    benchmark: Benchmark
    source: str
    seed: int
    folder: Path

    @property
    def changes(self) -> tuple[str, ...]:
        """Settings that differ from the recipe's, in the words of ``--set``."""
        return (*self.benchmark.set, *self.row.set, f"seed={self.seed}")

    @property
    def recipe(self) -> str:
        """The recipe that is changed: the row's own or the benchmark's."""
        return self.row.recipe or self.benchmark.recipe

    @property
    def evaluated(self) -> bool:
        """Whether `napari-rdl evaluate` scores it; phantoms are scored by the run itself."""
        return not self.source.startswith("phantom:")

    def arguments(self) -> list[str]:
        """Return what follows ``napari-rdl train``."""
        if (self.folder / "config.json").exists():
            return ["--resume", str(self.folder)]
        changes = [word for change in self.changes for word in ("--set", change)]
        return [
            *("--recipe", self.recipe, "--data", self.source),
            *(*changes, "--out", str(self.folder)),
        ]

    def is_trained(self) -> bool:
        """Return whether the last step is done, by number or by the clock, and its weights are written."""
        ended = read_record(RunFolder(self.folder).ended, Ended)
        return ended is not None and ended.finished and RunFolder(self.folder).last.exists()

    def steps(self) -> int:
        """Return the steps taken, 0 before the end."""
        ended = read_record(RunFolder(self.folder).ended, Ended)
        return ended.step if ended is not None else 0

    def patients(self) -> PatientScores | None:
        """Return each patient's hard Dice, or None while there is none."""
        path = self.folder / ("evaluation/results.json" if self.evaluated else "scores.json")
        if not path.exists():
            return None
        found = json.loads(path.read_text("utf-8"))["patients"]
        return dice_of(found) if self.evaluated else found

    def scores(self) -> Scores | None:
        """Return the mean over patients, or None while there is none."""
        patients = self.patients()
        return None if patients is None else mean_over_patients(patients)

    def train(self) -> None:
        """Train, or go on with a run that was interrupted; then score it."""
        from napari_rdl.cohort.evaluate import EvaluationSettings, evaluate
        from napari_rdl.models import load_model
        from napari_rdl.training.recipe import load_recipe
        from napari_rdl.training.run.session import resume_training, run_training

        if not self.is_trained():
            if (self.folder / "config.json").exists():
                outcome = resume_training(self.folder)
            else:
                config = load_recipe(self.recipe, self.changes, data__source=self.source)
                outcome = run_training(config, self.folder)
            if not outcome.finished:
                # SIGTERM, Ctrl-C or a stop file: the same command goes on from here.
                raise typer.Exit(1)
        if self.evaluated:
            model = load_model(self.folder / "best.safetensors")
            evaluate(self.source, model, self.folder / "evaluation", settings=EvaluationSettings())
        else:
            self._score_phantoms()

    def _score_phantoms(self) -> None:
        """Score the last weights on all validation patients, on the grid that was trained on."""
        from napari_rdl.models import load_model
        from napari_rdl.training.config import TrainingConfig
        from napari_rdl.training.data.cache import PatientCache
        from napari_rdl.training.data.sources import choose_patients
        from napari_rdl.training.step.validate import mean_scores, validate

        config = TrainingConfig.model_validate_json((self.folder / "config.json").read_text("utf-8"))
        network = load_model(self.folder / "last.safetensors").network
        modalities = network.config.modalities
        cache = PatientCache(config.data, modalities)
        patients = choose_patients(config.data, config.seed, config.validation.patients).validation
        tile, overlap = config.tile, config.validation.overlap
        scores = {
            patient.name: mean_scores(
                *validate(network, [cache.get(patient)], tile=tile, overlap=overlap), modalities
            )
            for patient in patients
        }
        write_json(self.folder / "scores.json", {"patients": scores})


def dice_of(evaluated: dict[str, Any]) -> PatientScores:
    """Return the Dice alone of an evaluation's patients."""
    return {
        patient: {
            name: {region: value["dice"] for region, value in row.items()} for name, row in rows.items()
        }
        for patient, rows in evaluated.items()
    }


def load_experiment(table: str) -> Experiment:
    """Return a table by its name in ``experiments/``."""
    known = sorted(path.stem for path in (HERE / "experiments").glob("*.toml") if path.stem != "benchmarks")
    if table not in known:
        raise typer.BadParameter(f"There is no table {table!r}: use {', '.join(known)}.")
    return Experiment.model_validate(_read(table))


def plan(experiment: Experiment, benchmark: str, sources: list[str], runs: Path) -> list[Run]:
    """Return every run of a table, one seed after the other so that rows stay comparable meanwhile."""
    benchmarks = _read("benchmarks")
    if benchmark not in benchmarks:
        raise typer.BadParameter(f"There is no benchmark {benchmark!r}: use {', '.join(benchmarks)}.")
    chosen = Benchmark.model_validate(benchmarks[benchmark])
    sources = sources or ([chosen.data] if chosen.data else [])
    if not sources:
        raise typer.BadParameter(f"The benchmark {benchmark} needs --data: a folder or split files.")
    return [
        Run(row, chosen, source, seed, runs / benchmark / _folder_name(chosen, row, source, seed))
        for seed in experiment.seeds
        for source in sources
        for row in experiment.rows
    ]


def _folder_name(benchmark: Benchmark, row: Row, source: str, seed: int) -> str:
    """Return a name that is the same for the same training, whichever table asks for it."""
    from napari_rdl.training.recipe import load_recipe

    config = load_recipe(row.recipe or benchmark.recipe, (*benchmark.set, *row.set), data__source=source)
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:10]
    return f"{digest}-seed{seed}"


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / "experiments" / f"{name}.toml").read_text("utf-8"))


def main(
    tables: Annotated[
        list[str], typer.Argument(help="Names of experiments/, such as table4; several share their runs.")
    ],
    benchmark: Annotated[
        str | None, typer.Option(help="One of experiments/benchmarks.toml; the table's own by default.")
    ] = None,
    data: Annotated[list[str] | None, typer.Option(help="Folder or split file; once for each split.")] = None,
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    commands: Annotated[
        bool, typer.Option("--commands", help="Print the runs to do, a line each, and train nothing.")
    ] = False,
    collect: Annotated[bool, typer.Option("--collect", help="Only gather what is there.")] = False,
    results: Annotated[Path, typer.Option(help="Where tables go.")] = HERE / "results",
) -> None:
    """Train and score what is not done yet, and write the tables."""
    experiments = {name: load_experiment(name) for name in tables}
    planned = {
        name: plan(experiment, benchmark or experiment.benchmark, data or [], runs)
        for name, experiment in experiments.items()
    }
    # One seed after the other, over all tables: whenever it is ended, rows that are there are comparable.
    every = sorted((run for name in tables for run in planned[name]), key=lambda run: run.seed)
    todo = list({run.folder: run for run in every}.values())
    for number, run in enumerate(todo):
        if commands:
            if not run.is_trained():
                typer.echo(shlex.join(run.arguments()))
        elif not collect and run.scores() is None:
            typer.echo(f"{number + 1}/{len(todo)} {run.row.name}, seed {run.seed}: {run.folder}", err=True)
            run.train()
            _write_all(experiments, planned, benchmark, results)
    if not commands:
        _write_all(experiments, planned, benchmark, results)


def _write_all(
    experiments: dict[str, Experiment],
    planned: dict[str, list[Run]],
    benchmark: str | None,
    results: Path,
) -> None:
    for name, experiment in experiments.items():
        used = benchmark or experiment.benchmark
        sources = dict.fromkeys(run.source for run in planned[name])
        command = shlex.join(
            ["python", "training/run_table.py", name, "--benchmark", used]
            + [word for source in sources for word in ("--data", source)]
        )
        write_tables(experiment, used, planned[name], results / f"{name}-{used}", command)


if __name__ == "__main__":
    run_script(main)
