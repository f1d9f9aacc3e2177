"""The report of a study: tables as CSV, JSON and Markdown, charts as PNG, and one HTML page."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from napari_rdl.brats import REGIONS, subset_name
from napari_rdl.cohort import charts
from napari_rdl.cohort.charts import Colours
from napari_rdl.cohort.finished import FinishedStudy, pooled_scores
from napari_rdl.cohort.page import html_page
from napari_rdl.cohort.pooled import PooledTable, subset_title
from napari_rdl.cohort.summary import (
    count_remark,
    empty_remark,
    heading_of,
    pooled_worth,
    tables_of,
    undefined_remark,
    worth_cells,
    worth_heading,
)
from napari_rdl.compare.export import MEASURES
from napari_rdl.files import write_bytes, write_json, write_text

ABOUT_TITLES = {
    "model": "Model",
    "weights_sha256": "Weights (SHA-256)",
    "trained_on": "Trained on",
    "data": "Data",
    "patients": "Patients",
    "without_reference": "Patients without reference",
    "failed": "Patients that failed",
    "reference": "Reference",
    "protocol": "Protocol",
    "empty_masks": "Empty masks",
    "worth": "What a modality is worth",
}


def write_report(study: FinishedStudy) -> None:
    """Write ``report.md``, ``report.html``, ``table.csv``, ``patients.csv``, ``results.json`` and the charts.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    out = study.folder
    tables = tables_of(study)
    write_text(out / "report.md", markdown(study, tables))
    write_text(out / "table.csv", table_csv(study, tables))
    write_text(out / "patients.csv", patients_csv(study))
    content = {
        "about": study.about,
        "settings": study.settings,
        "tables": [vars(table) for table in tables],
        "worth": {measure: vars(worth) for measure, worth in pooled_worth(study).items()},
        "patients": {
            patient.name: patient.model_dump(mode="json", include={"modalities", "rows", "worth", "remark"})
            for patient in study.patients
        },
        "failed": study.failed,
    }
    write_json(out / "results.json", content, indent=1)
    light = chart_images(study, tables, charts.LIGHT)
    dark = chart_images(study, tables, charts.DARK)
    for name, image in light.items():
        write_bytes(out / f"{name}.png", image)
    write_text(out / "report.html", html_page(study, tables, ABOUT_TITLES, light, dark))


def markdown(study: FinishedStudy, tables: Sequence[PooledTable]) -> str:
    """Return header, pooled tables, worth and a line for each patient as Markdown."""
    lines = ["# Subset study", ""]
    lines += [f"- {title}: {study.about[key]}" for key, title in ABOUT_TITLES.items() if key in study.about]
    for table in tables:
        lines += ["", f"## {heading_of(table)}", "", "| | " + " | ".join(table.columns) + " |"]
        lines.append("|---" * (len(table.columns) + 1) + "|")
        for region, row in table.values.items():
            cells = ["–" if value is None else f"{value:.1f}" for value in row]
            lines.append(f"| {region} | " + " | ".join(cells) + " |")
        texts = (
            count_remark(table),
            undefined_remark(table),
            table.measure == "dice" and empty_remark(study),
        )
        remarks = [text for text in texts if text]
        lines += ["", " ".join(remarks)]
    for worth in pooled_worth(study).values():
        lines += ["", f"## {worth_heading(worth)}", "", "| | " + " | ".join(study.modalities) + " | Sum |"]
        lines.append("|---" * (len(study.modalities) + 2) + "|")
        lines += [f"| {region} | " + " | ".join(cells) + " |" for region, cells in worth_cells(study, worth)]
    lines += ["", "## Patients, worst first", ""]
    for patient in study.patients:
        score = "no reference" if patient.score is None else f"mean Dice {100 * patient.score:.1f} %"
        lines.append(f"- {patient.name}: {score}" + (f". {patient.remark}" if patient.remark else ""))
    for name, reason in study.failed.items():
        lines += ["", f"Failed: {name}: {reason}"]
    return "\n".join(lines) + "\n"


def table_csv(study: FinishedStudy, tables: Sequence[PooledTable]) -> str:
    """Return the pooled tables as CSV; the header stands before them after ``#``."""
    text = io.StringIO()
    text.writelines(f"# {key}: {' '.join(str(value).split())}\n" for key, value in study.about.items())
    writer = csv.writer(text, lineterminator="\n")
    if tables:
        writer.writerow(["measure", "region", *tables[0].columns])
    for table in tables:
        for region, values in table.values.items():
            writer.writerow([table.measure, region, *("" if one is None else f"{one:.4f}" for one in values)])
    return text.getvalue()


def patients_csv(study: FinishedStudy) -> str:
    """Return a line for each patient, subset and region, all digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["patient", "subset", "region", *(measure.name for measure in MEASURES), "reference_empty"]
    )
    for patient in study.patients:
        for row in patient.rows:
            for region in REGIONS:
                values = [measure.of(row, region) for measure in MEASURES]
                score = row.scores.get(region)
                empty = "" if score is None else int(score.reference_empty)
                cells = ["" if value is None else value for value in values]
                writer.writerow([patient.name, row.name, region, *cells, empty])
    return text.getvalue()


def chart_images(study: FinishedStudy, tables: Sequence[PooledTable], colours: Colours) -> dict[str, bytes]:
    """Return the charts as PNG by name: ``heatmap_dice``, ``boxes_dice``, ``worth_dice`` and the like."""
    images = {}
    titles = [subset_title(subset, study.modalities) for subset in study.subsets]
    scores = pooled_scores(study)
    for table in tables:
        if table.measure not in ("dice", "hd95", "volume_ml"):
            continue
        figure = charts.heat_map(
            table, heading_of(table), colours=colours, dots=study.subsets, modalities=study.modalities
        )
        images[f"heatmap_{table.measure}"] = charts.png(figure)
        points = _points(scores, study, table.measure)
        if any(len(values) > 1 for by_column in points.values() for values in by_column.values()):
            most = 100.0 if table.measure == "dice" else None
            images[f"boxes_{table.measure}"] = charts.png(
                charts.boxes(
                    points, titles, f"{heading_of(table)}, one point a patient", colours=colours, most=most
                )
            )
    for measure, worth in pooled_worth(study).items():
        own = _worth_points(study, measure)
        images[f"worth_{measure}"] = charts.png(
            charts.worth_bars(worth, colours=colours, points=own, size=(6.0, 3.0), title=worth_heading(worth))
        )
    return images


def _points(scores: dict[str, Any], study: FinishedStudy, measure: str) -> dict[str, dict[str, list[float]]]:
    factor = 100 if measure == "dice" else 1
    points: dict[str, dict[str, list[float]]] = {region: {} for region in REGIONS}
    for region, by_column in points.items():
        for subset in study.subsets:
            found = [
                patient[subset_name(subset)][region].get(measure)
                for patient in scores.values()
                if subset_name(subset) in patient
            ]
            by_column[subset_title(subset, study.modalities)] = [
                factor * value for value in found if value is not None
            ]
    return points


def _worth_points(study: FinishedStudy, measure: str) -> dict[str, dict[str, list[float]]]:
    points: dict[str, dict[str, list[float]]] = {
        region: {name: [] for name in study.modalities} for region in REGIONS
    }
    for patient in study.patients:
        if patient.worth.measure == measure and patient.modalities == study.modalities:
            for region, values in patient.worth.values.items():
                for name, value in (values or {}).items():
                    points[region][name].append(value)
    return points
