"""The paper's table from an evaluation: CSV, JSON, Markdown and a heat map."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_rdl.brats import MODALITIES, REGIONS, all_subsets, subset_name
from napari_rdl.case import write_atomically

if TYPE_CHECKING:
    from napari_rdl.training.evaluate import Evaluation, EvaluationSettings


@dataclass(frozen=True)
class Table:
    """Means over patients, one row a region and one column a subset, as in Tables II and III.

    Attributes
    ----------
    measure : str
        ``dice`` (in per cent, as the paper prints it) or ``hd95`` (mm).
    columns : tuple of str
        Headings of the subsets in the paper's order; the mean over them stands last, as ``Avg.``
    values : dict
        Region -> means; None where no patient has a value.
    counts : dict
        Region -> number of patients behind each mean.
    undefined : int
        How many values were left out because a mask was empty (HD95).
    """

    measure: str
    columns: tuple[str, ...]
    values: dict[str, list[float | None]]
    counts: dict[str, list[int]]
    undefined: int


def column_title(subset: Sequence[str], modalities: Sequence[str]) -> str:
    """Return a subset's heading in the paper's words: Fl, T2+Fl, ~T1, Full."""
    if tuple(modalities) == MODALITIES:
        if len(subset) == 4:
            return "Full"
        if len(subset) == 3:
            return "~" + _short(next(name for name in MODALITIES if name not in subset))
    return "+".join(_short(name) for name in subset)


def make_table(evaluation: Evaluation, modalities: Sequence[str], measure: str) -> Table:
    """Return the means of one measure over all patients that have a subset."""
    subsets = all_subsets(modalities)
    values: dict[str, list[float | None]] = {}
    counts: dict[str, list[int]] = {}
    undefined = 0
    for region in REGIONS:
        row: list[float | None] = []
        counts[region] = []
        for subset in subsets:
            found = [
                scores[subset_name(subset)][region].get(measure)
                for scores in evaluation.scores.values()
                if subset_name(subset) in scores
            ]
            defined = [value for value in found if value is not None]
            undefined += len(found) - len(defined)
            factor = 100 if measure == "dice" else 1
            row.append(factor * float(np.mean(defined)) if defined else None)
            counts[region].append(len(defined))
        known = [value for value in row if value is not None]
        values[region] = [*row, float(np.mean(known)) if known else None]
    columns = (*(column_title(subset, modalities) for subset in subsets), "Avg.")
    return Table(measure, columns, values, counts, undefined)


def tables_of(evaluation: Evaluation, modalities: Sequence[str], settings: EvaluationSettings) -> list[Table]:
    """Return the Dice table and, if distances were measured, the HD95 table."""
    used = tuple(name for name in modalities if settings.modalities is None or name in settings.modalities)
    measures = ("dice", "hd95") if settings.distances else ("dice",)
    return [make_table(evaluation, used, measure) for measure in measures]


def markdown(evaluation: Evaluation, tables: Sequence[Table]) -> str:
    """Return header and tables as Markdown."""
    lines = ["# Evaluation", ""]
    titles = {
        "model": "Model",
        "weights_sha256": "Weights (SHA-256)",
        "trained_on": "Trained on",
        "protocol": "Protocol",
        "data": "Data and split",
        "patients": "Patients",
        "failed": "Patients without scores",
        "post_processing": "Post-processing",
        "empty_masks": "Empty masks",
    }
    lines += [
        f"- {title}: {evaluation.about[key]}" for key, title in titles.items() if key in evaluation.about
    ]
    for table in tables:
        unit = "Dice (%)" if table.measure == "dice" else "HD95 (mm)"
        lines += ["", f"## {unit}", "", "| | " + " | ".join(table.columns) + " |"]
        lines.append("|---" * (len(table.columns) + 1) + "|")
        for region, row in table.values.items():
            cells = ["-" if value is None else f"{value:.1f}" for value in row]
            lines.append(f"| {region} | " + " | ".join(cells) + " |")
        if table.undefined:
            lines += [
                "",
                f"{table.undefined} values are undefined because a mask is empty; they are left out.",
            ]
    for name, reason in evaluation.failed.items():
        lines += ["", f"No scores for {name}: {reason}"]
    return "\n".join(lines) + "\n"


def write_report(
    evaluation: Evaluation, out: Path, modalities: Sequence[str], settings: EvaluationSettings
) -> list[Table]:
    """Write ``report.md``, ``table.csv``, ``patients.csv``, ``results.json`` and ``heatmap.png`` to `out`.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    tables = tables_of(evaluation, modalities, settings)
    text = markdown(evaluation, tables)
    content = {
        "about": evaluation.about,
        "settings": settings.model_dump(mode="json"),
        "tables": [vars(table) for table in tables],
        "patients": evaluation.scores,
        "failed": evaluation.failed,
    }
    write_atomically(out / "report.md", lambda path: _write_text(path, text))
    write_atomically(out / "results.json", lambda path: _write_text(path, json.dumps(content, indent=1)))
    write_atomically(out / "table.csv", lambda path: _write_rows(path, _table_rows(tables, evaluation)))
    write_atomically(out / "patients.csv", lambda path: _write_rows(path, _patient_rows(evaluation)))
    write_atomically(out / "heatmap.png", lambda path: _draw(path, tables[0], evaluation))
    return tables


def _short(name: str) -> str:
    return "Fl" if name == "FLAIR" else name


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def _write_rows(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _table_rows(tables: Sequence[Table], evaluation: Evaluation) -> list[list[Any]]:
    # The header travels with the figures; readers skip it with comment="#".
    rows: list[list[Any]] = [[f"# {key}: {value}"] for key, value in evaluation.about.items()]
    rows.append(["measure", "region", *tables[0].columns])
    for table in tables:
        for region, values in table.values.items():
            rows.append(
                [table.measure, region, *("" if value is None else f"{value:.4f}" for value in values)]
            )
    return rows


def _patient_rows(evaluation: Evaluation) -> list[list[Any]]:
    rows: list[list[Any]] = [["patient", "subset", "region", "dice", "hd95"]]
    for patient, subsets in evaluation.scores.items():
        for subset, regions in subsets.items():
            for region, row in regions.items():
                distance = row.get("hd95")
                rows.append([patient, subset, region, row["dice"], "" if distance is None else distance])
    return rows


def _draw(path: Path, table: Table, evaluation: Evaluation) -> None:
    """Draw the Dice table as a heat map."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [[np.nan if value is None else value for value in row] for row in table.values.values()]
    figure = Figure(figsize=(1.5 + 0.62 * len(table.columns), 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(np.array(rows), vmin=0, vmax=100, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(table.columns)), table.columns, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), list(table.values))
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            if not np.isnan(value):
                axes.text(
                    x,
                    y,
                    f"{value:.1f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="black" if value > 60 else "white",
                )
    about = evaluation.about
    axes.set_title(
        f"Hard Dice (%), {about.get('model', '')}, {about.get('patients', 0)} patients", fontsize=9
    )
    figure.colorbar(image, ax=axes, fraction=0.03)
    figure.savefig(path, dpi=150, format="png")
