"""Train and score the rows of one of the paper's tables: ``python training/run_table.py table6``.

Rows, seeds and the paper's figures stand in ``experiments/*.toml``. Runs that are finished are not
repeated, and those that were interrupted go on; rows of several tables that ask for the same run share
it. Mean and standard deviation over seeds (and splits) go to ``results/<table>-<benchmark>.md`` and ``.csv``,
each patient's scores to ``results/<table>-<benchmark>-patients.csv``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.brats import MODALITIES, REGIONS, SUBSETS, subset_name
from napari_rdl.cohort.significance import holm, signed_rank_p
from napari_rdl.files import write_json, write_text

HERE = Path(__file__).parent
COLUMNS = {
    "regions": ("WT", "TC", "ET", "Avg."),
    "missing": ("3 missing", "2 missing", "1 missing", "0 missing", "Avg."),
}

Scores = NDArray[np.float64]
"""(15, 3) hard Dice in per cent: subsets in the paper's order, regions WT, TC, ET."""

PatientScores = dict[str, dict[str, dict[str, float]]]
"""Patient -> subset's name -> region -> hard Dice."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Part):
    """One line of a table: what it changes in the benchmark's recipe, and the paper's figures."""

    name: str
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
    def evaluated(self) -> bool:
        """Whether `napari-rdl evaluate` scores it; phantoms are scored by the run itself."""
        return not self.source.startswith("phantom:")

    def arguments(self) -> list[str]:
        """Return what follows ``napari-rdl train``."""
        if (self.folder / "config.json").exists():
            return ["--resume", str(self.folder)]
        changes = [word for change in self.changes for word in ("--set", change)]
        return [
            *("--recipe", self.benchmark.recipe, "--data", self.source),
            *(*changes, "--out", str(self.folder)),
        ]

    def is_trained(self) -> bool:
        """Return whether the last step is done and its weights are written."""
        from napari_rdl.training.config import TrainingConfig
        from napari_rdl.training.step.schedule import Length

        # A run that was stopped before its first line of metrics has weights all the same.
        if not all((self.folder / name).exists() for name in ("last.safetensors", "metrics.jsonl")):
            return False
        config = TrainingConfig.model_validate_json((self.folder / "config.json").read_text("utf-8"))
        patients = json.loads((self.folder / "split.json").read_text("utf-8"))["train"]
        return self._last_validation().get("step") == Length.of(config, len(patients)).steps

    def patients(self) -> PatientScores | None:
        """Return each patient's hard Dice, or None while there is none."""
        path = self.folder / ("evaluation/results.json" if self.evaluated else "scores.json")
        if not path.exists():
            return None
        found = json.loads(path.read_text("utf-8"))["patients"]
        if not self.evaluated:
            return found
        return {
            patient: {
                name: {region: value["dice"] for region, value in row.items()} for name, row in rows.items()
            }
            for patient, rows in found.items()
        }

    def scores(self) -> Scores | None:
        """Return the mean over patients, or None while there is none."""
        patients = self.patients()
        return None if patients is None else _as_array(list(patients.values()))

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
                config = load_recipe(self.benchmark.recipe, self.changes, data__source=self.source)
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
        settings = {"tile": config.tile, "overlap": config.validation.overlap}
        scores = {
            patient.name: mean_scores(*validate(network, [cache.get(patient)], **settings), modalities)
            for patient in patients
        }
        write_json(self.folder / "scores.json", {"patients": scores})

    def _last_validation(self) -> dict[str, Any]:
        lines = (self.folder / "metrics.jsonl").read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines if '"validation"' in line]
        return found[-1] if found else {}


def _as_array(patients: list[dict[str, dict[str, float]]]) -> Scores:
    """Return the mean over patients that have a subset, in per cent."""
    table = []
    for subset in SUBSETS:
        rows = [patient[subset_name(subset)] for patient in patients if subset_name(subset) in patient]
        table.append([100 * np.mean([row[region] for row in rows]) for region in REGIONS])
    return np.array(table)


def summarise(scores: Scores, columns: str) -> Scores:
    """Return one table's figures from (15, 3): (4,), (5,) or (3, 16)."""
    if columns == "regions":
        return np.append(scores.mean(0), scores.mean())
    if columns == "missing":
        absent = np.array([len(MODALITIES) - len(subset) for subset in SUBSETS])
        return np.array([*(scores[absent == count].mean() for count in (3, 2, 1, 0)), scores.mean()])
    return np.concatenate((scores, scores.mean(0, keepdims=True))).T


def plan(experiment: Experiment, benchmark: str, sources: list[str], runs: Path) -> list[Run]:
    """Return every run of a table, one seed after the other so that rows stay comparable meanwhile."""
    chosen = Benchmark.model_validate(_read("benchmarks")[benchmark])
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

    config = load_recipe(benchmark.recipe, (*benchmark.set, *row.set), data__source=source)
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:10]
    return f"{digest}-seed{seed}"


def report(experiment: Experiment, runs: list[Run]) -> Iterator[list[str]]:
    """Yield the lines of the table: first its heading."""
    subsets = experiment.columns == "subsets"
    headings = [*_subset_titles(), "Avg."] if subsets else list(COLUMNS[experiment.columns])
    yield [*(("row", "region") if subsets else ("row",)), "runs", *headings, *_difference_title(experiment)]
    found = {
        row.name: {(run.source, run.seed): run.scores() for run in runs if run.row == row}
        for row in experiment.rows
    }
    known = {name: {k: v for k, v in row.items() if v is not None} for name, row in found.items()}
    told = tests_by_patient(experiment, runs)
    for row in experiment.rows:
        values = np.array([summarise(scores, experiment.columns) for scores in known[row.name].values()])
        if not len(values):
            yield [row.name, *(("",) if subsets else ()), "0", *("not measured" for _ in headings)]
        elif subsets:
            for index, region in enumerate(REGIONS):
                yield [row.name, region, str(len(values)), *_mean_and_spread(values[:, index])]
        else:
            line = [row.name, str(len(values)), *_mean_and_spread(values)]
            if experiment.reference is not None:
                line += [_difference(known[row.name], known[experiment.reference]), told[row.name]]
            yield line
        if row.paper:
            blank = ["", ""] if experiment.reference is not None else []
            yield [f"{row.name}: paper", "", *(f"{value:.1f}" for value in row.paper), *blank]
    for name, regions in experiment.cited.items():
        for region, figures in regions.items():
            yield [f"{name}: paper", region, "", *(f"{value:.1f}" for value in figures)]


def tests_by_patient(experiment: Experiment, runs: list[Run]) -> dict[str, str]:
    """Return row -> p of its mean Dice against the reference's, with Holm's correction over the rows.

    Wilcoxon's signed ranks over patients, each with the mean over seeds, subsets and regions; only seeds and
    splits that both rows have count.
    """
    told = {row.name: "" for row in experiment.rows}
    if experiment.reference is None:
        return told
    means = {row.name: _means_by_patient([run for run in runs if run.row == row]) for row in experiment.rows}
    reference = means[experiment.reference]
    found = {}
    for name, own in means.items():
        shared = [key for key in own if key in reference]
        if name != experiment.reference and shared:
            apart: dict[str, list[float]] = {}
            for key in shared:
                apart.setdefault(key[-1], []).append(own[key] - reference[key])
            found[name] = signed_rank_p(np.array([np.mean(values) for values in apart.values()]))
    corrected = holm(list(found.values()))
    return told | {name: f"{p:.2g}" for name, p in zip(found, corrected, strict=True)}


def _means_by_patient(runs: Sequence[Run]) -> dict[tuple[str, int, str], float]:
    """Return (source, seed, patient) -> mean Dice in per cent over subsets and regions."""
    return {
        (run.source, run.seed, patient): 100
        * float(np.mean([value for row in rows.values() for value in row.values()]))
        for run in runs
        for patient, rows in (run.patients() or {}).items()
    }


def patients_table(experiment: Experiment, runs: list[Run]) -> Iterator[list[str]]:
    """Yield each run's patients, a line a region: hard Dice in per cent of the fifteen subsets."""
    yield ["row", "source", "seed", "patient", "region", *(subset_name(subset) for subset in SUBSETS)]
    for row in experiment.rows:
        for run in runs:
            for patient, rows in ((run.patients() or {}) if run.row == row else {}).items():
                for region in REGIONS:
                    values = [rows.get(subset_name(subset), {}).get(region) for subset in SUBSETS]
                    shown = ["" if value is None else f"{100 * value:.2f}" for value in values]
                    yield [row.name, Path(run.source).name, str(run.seed), patient, region, *shown]


def _difference_title(experiment: Experiment) -> list[str]:
    return [] if experiment.reference is None else [f"Avg. minus {experiment.reference}", "p"]


def _difference(mine: dict[Any, Scores], reference: dict[Any, Scores]) -> str:
    """Return the paired difference of the means: the same seed draws the same crops and weights."""
    pairs = [mine[key].mean() - reference[key].mean() for key in mine if key in reference]
    return _mean_and_spread(np.array(pairs)[:, None])[0] if pairs else ""


def _mean_and_spread(values: Scores) -> list[str]:
    spread = values.std(0, ddof=1) if len(values) > 1 else None
    means = values.mean(0)
    if spread is None:
        return [f"{mean:.1f}" for mean in means]
    return [f"{mean:.1f} ± {std:.1f}" for mean, std in zip(means, spread, strict=True)]


def _subset_titles() -> list[str]:
    from napari_rdl.cohort.tables import subset_title

    return [subset_title(subset, MODALITIES) for subset in SUBSETS]


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / "experiments" / f"{name}.toml").read_text("utf-8"))


def machines(runs: list[Run]) -> list[str]:
    """Return where the runs that are there were made, each machine and version once."""
    found = set()
    for run in runs:
        path = run.folder / "environment.json"
        if path.exists():
            about = json.loads(path.read_text("utf-8"))
            versions = ", ".join(f"{name} {about['versions'][name]}" for name in ("napari-rdl", "torch"))
            where = ", ".join(about["gpus"]) or f"{about['processor']} CPU, {threads_of(run)} thread(s)"
            found.add(f"{versions}, Python {about['python']}; {about['platform']}; {where}")
    return sorted(found)


def threads_of(run: Run) -> int | str:
    """Return how many threads a run had."""
    config = json.loads((run.folder / "config.json").read_text("utf-8"))
    return config["hardware"]["threads"] or "all"


def write(
    experiment: Experiment,
    benchmark: str,
    lines: list[list[str]],
    out: Path,
    command: str,
    machines: list[str],
) -> None:
    """Write the table as Markdown and CSV."""
    heading, *rows = lines
    text = [f"# {experiment.title}", "", f"Benchmark `{benchmark}`. Hard Dice in per cent, mean ± standard "]
    text[-1] += "deviation over runs (seeds, splits); lines marked *paper* are the paper's own, on BraTS."
    if experiment.reference is not None:
        text[-1] += (
            " p: Wilcoxon's signed ranks over patients (mean over runs, subsets and regions) against "
            f"{experiment.reference}, Holm's correction over rows."
        )
    text += ["", f"    {command}", "", "| " + " | ".join(heading) + " |", "|---" * len(heading) + "|"]
    text += ["| " + " | ".join(row) + " |" for row in rows]
    text += ["", *(f"Made with {machine}." for machine in machines)]
    if experiment.note:
        text += ["", experiment.note]
    markdown = "\n".join(text) + "\n"
    write_text(out.with_suffix(".md"), markdown)
    write_text(out.with_suffix(".csv"), _csv(lines))


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def main(
    tables: Annotated[list[str], typer.Argument(help="table2 ... table6; several share their runs.")],
    benchmark: Annotated[str | None, typer.Option(help="synthetic, brats2018 or brats2020.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="Folder or split file; once for each split.")] = None,
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    commands: Annotated[
        bool, typer.Option("--commands", help="Print the runs to do, a line each, and train nothing.")
    ] = False,
    collect: Annotated[bool, typer.Option("--collect", help="Only gather what is there.")] = False,
    results: Annotated[Path, typer.Option(help="Where tables go.")] = HERE / "results",
) -> None:
    """Train and score what is not done yet, and write the tables."""
    experiments = {name: Experiment.model_validate(_read(name)) for name in tables}
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
        lines = list(report(experiment, planned[name]))
        out = results / f"{name}-{used}"
        write(experiment, used, lines, out, command, machines(planned[name]))
        write_text(
            out.with_name(out.name + "-patients.csv"), _csv(list(patients_table(experiment, planned[name])))
        )


if __name__ == "__main__":
    typer.run(main)
