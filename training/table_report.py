"""A table of the paper's from runs that are scored: means and spreads, tests by patient, files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import MODALITIES, REGIONS, SUBSETS, subset_name
from napari_rdl.cohort.significance import holm, signed_rank_p
from napari_rdl.files import write_text

if TYPE_CHECKING:
    from run_table import Experiment, Run

COLUMNS = {
    "regions": ("WT", "TC", "ET", "Avg."),
    "missing": ("3 missing", "2 missing", "1 missing", "0 missing", "Avg."),
}


Scores = NDArray[np.float64]
"""(15, 3) hard Dice in per cent: subsets in the paper's order, regions WT, TC, ET."""

PatientScores = dict[str, dict[str, dict[str, float]]]
"""Patient -> subset's name -> region -> hard Dice."""


def mean_over_patients(patients: PatientScores) -> Scores:
    """Return the mean over patients that have a subset, in per cent."""
    table = []
    for subset in SUBSETS:
        rows = [
            patient[subset_name(subset)] for patient in patients.values() if subset_name(subset) in patient
        ]
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


def steps_taken(experiment: Experiment, runs: list[Run]) -> dict[str, int]:
    """Return row -> steps, the mean over its runs that are scored."""
    taken = {
        row.name: [run.steps() for run in runs if run.row == row and run.scores() is not None]
        for row in experiment.rows
    }
    return {name: round(float(np.mean(steps))) for name, steps in taken.items() if steps}


def threads_of(run: Run) -> int | str:
    """Return how many threads a run had."""
    config = json.loads((run.folder / "config.json").read_text("utf-8"))
    return config["hardware"]["threads"] or "all"


def write_tables(experiment: Experiment, benchmark: str, runs: list[Run], out: Path, command: str) -> None:
    """Write the table as Markdown and CSV, and each patient's scores beside it as ``...-patients.csv``."""
    lines = list(report(experiment, runs))
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
    taken = steps_taken(experiment, runs)
    if len(set(taken.values())) > 1:
        text += [
            "",
            f"Steps, mean over runs: {', '.join(f'{name} {steps}' for name, steps in taken.items())}.",
        ]
    text += ["", *(f"Made with {machine}." for machine in machines(runs))]
    if experiment.note:
        text += ["", experiment.note]
    markdown = "\n".join(text) + "\n"
    write_text(out.with_name(f"{out.name}.md"), markdown)
    write_text(out.with_name(f"{out.name}.csv"), _csv(lines))
    write_text(out.with_name(out.name + "-patients.csv"), _csv(list(patients_table(experiment, runs))))


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
