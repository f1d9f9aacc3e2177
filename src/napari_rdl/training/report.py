"""The paper's table from an evaluation: CSV, JSON, Markdown and a heat map."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_rdl.cohort.charts import heat_map, png
from napari_rdl.cohort.pooled import PooledTable, pool
from napari_rdl.files import write_bytes, write_json, write_text

if TYPE_CHECKING:
    from napari_rdl.training.evaluate import Evaluation, EvaluationSettings


def make_table(evaluation: Evaluation, modalities: Sequence[str], measure: str) -> PooledTable:
    """Return the means of one measure over all patients that have a subset."""
    return pool(evaluation.scores, modalities, measure)


def tables_of(
    evaluation: Evaluation, modalities: Sequence[str], settings: EvaluationSettings
) -> list[PooledTable]:
    """Return the Dice table and, if distances were measured, the HD95 table."""
    used = tuple(name for name in modalities if settings.modalities is None or name in settings.modalities)
    measures = ("dice", "hd95") if settings.distances else ("dice",)
    return [make_table(evaluation, used, measure) for measure in measures]


def markdown(evaluation: Evaluation, tables: Sequence[PooledTable]) -> str:
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
) -> list[PooledTable]:
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
    write_text(out / "report.md", text)
    write_json(out / "results.json", content, indent=1)
    write_text(out / "table.csv", _csv(_table_rows(tables, evaluation)))
    write_text(out / "patients.csv", _csv(_patient_rows(evaluation)))
    write_bytes(out / "heatmap.png", _heat_map(tables[0], evaluation))
    return tables


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _table_rows(tables: Sequence[PooledTable], evaluation: Evaluation) -> list[list[Any]]:
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


def _heat_map(table: PooledTable, evaluation: Evaluation) -> bytes:
    about = evaluation.about
    title = f"Hard Dice (%), {about.get('model', '')}, {about.get('patients', 0)} patients"
    return png(heat_map(table, title))
