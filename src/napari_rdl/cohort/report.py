"""The reports of a study and of an evaluation: tables as CSV, JSON and Markdown, charts, one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_rdl.brats import REGIONS, subset_name
from napari_rdl.cohort import charts
from napari_rdl.cohort.charts import Colours
from napari_rdl.cohort.page import html_page
from napari_rdl.cohort.rendering import render
from napari_rdl.cohort.summary import (
    ABOUT_TITLES,
    header_of,
    pooled_worth,
    shown_table,
    shown_tables,
    shown_worths,
    tables_of,
    worth_heading,
)
from napari_rdl.cohort.tables import (
    FURTHER,
    PooledTable,
    pool,
    scores_csv,
    scores_of_mapping,
    scores_of_rows,
    subset_title,
    tables_csv,
)
from napari_rdl.files import write_bytes, write_json, write_text

if TYPE_CHECKING:
    import pandas as pd

    from napari_rdl.cohort.evaluate import Evaluation
    from napari_rdl.cohort.finished import FinishedStudy

EVALUATION_TITLES = {
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
"""What an evaluation's header says, with the titles that a reader sees."""


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """Write ``report.md``, ``table.csv``, ``patients.csv``, ``results.json`` and ``heatmap.png`` to `out`.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    tables = evaluation_tables(evaluation)
    about = evaluation.about
    content = {
        "about": about,
        "settings": evaluation.settings.model_dump(mode="json"),
        "tables": [vars(table) for table in tables],
        "patients": evaluation.scores,
        "failed": evaluation.failed,
    }
    scores = scores_of_mapping(evaluation.scores)
    title = f"Hard Dice (%), {about.get('model', '')}, {about.get('patients', 0)} patients"
    write_text(out / "report.md", evaluation_markdown(evaluation, tables))
    write_json(out / "results.json", content, indent=1)
    write_text(out / "table.csv", tables_csv(tables, about))
    write_text(out / "patients.csv", scores_csv(scores))
    write_bytes(out / "heatmap.png", charts.png(charts.heat_map(tables[0], title)))


def evaluation_tables(evaluation: Evaluation) -> list[PooledTable]:
    """Return the tables of Dice, of HD95 with its worst case if measured, and of what else was."""
    scores = scores_of_mapping(evaluation.scores)
    measures = ["dice", *(("hd95", "hd95_worst") if evaluation.settings.distances else ())]
    measures += [measure for measure in FURTHER if measure in scores]
    return [pool(scores, evaluation.modalities, measure) for measure in measures]


def evaluation_markdown(evaluation: Evaluation, tables: Sequence[PooledTable]) -> str:
    """Return header and tables as Markdown."""
    return render(
        "report.md",
        title="Evaluation",
        header=header_of(evaluation.about, EVALUATION_TITLES),
        tables=[shown_table(table, table.remarks) for table in tables],
        patients=None,
        failed=evaluation.failed,
        failed_title="No scores for",
    )


def write_study(study: FinishedStudy) -> None:
    """Write ``report.md``, ``report.html``, ``table.csv``, ``patients.csv``, ``results.json`` and the charts.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    out = study.folder
    tables = tables_of(study)
    scores = scores_of_rows({patient.name: patient.rows for patient in study.patients})
    content = {
        "about": study.about,
        "settings": study.settings.model_dump(mode="json"),
        "tables": [vars(table) for table in tables],
        "worth": {measure: vars(worth) for measure, worth in pooled_worth(study).items()},
        "patients": {
            patient.name: patient.model_dump(mode="json", include={"modalities", "rows", "worth", "remark"})
            for patient in study.patients
        },
        "failed": study.failed,
    }
    write_text(out / "report.md", study_markdown(study, tables))
    write_text(out / "table.csv", tables_csv(tables, study.about))
    write_text(out / "patients.csv", scores_csv(scores))
    write_json(out / "results.json", content, indent=1)
    light, dark = (chart_images(study, tables, scores, one) for one in (charts.LIGHT, charts.DARK))
    for name, image in light.items():
        write_bytes(out / f"{name}.png", image)
    write_text(out / "report.html", html_page(study, tables, light, dark))


def study_markdown(study: FinishedStudy, tables: Sequence[PooledTable]) -> str:
    """Return header, pooled tables, worth and a line for each patient as Markdown."""
    return render(
        "report.md",
        title="Subset study",
        header=header_of(study.about, ABOUT_TITLES),
        tables=shown_tables(study, tables) + shown_worths(study),
        patients=[
            {"name": patient.name, "score": patient.score_title, "remark": patient.remark}
            for patient in study.patients
        ],
        failed=study.failed,
        failed_title="Failed:",
    )


def chart_images(
    study: FinishedStudy, tables: Sequence[PooledTable], scores: pd.DataFrame, colours: Colours
) -> dict[str, bytes]:
    """Return the charts as PNG by name: ``heatmap_dice``, ``boxes_dice``, ``worth_dice`` and the like."""
    images = {}
    titles = [subset_title(subset, study.modalities) for subset in study.subsets]
    for table in tables:
        if table.measure not in ("dice", "hd95", "volume_ml"):
            continue
        figure = charts.heat_map(
            table, table.heading, colours=colours, dots=study.subsets, modalities=study.modalities
        )
        images[f"heatmap_{table.measure}"] = charts.png(figure)
        points = _points(scores, study, table.measure)
        if any(len(values) > 1 for by_column in points.values() for values in by_column.values()):
            most = 100.0 if table.measure == "dice" else None
            heading = f"{table.heading}, one point a patient"
            figure = charts.boxes(points, titles, heading, colours=colours, most=most)
            images[f"boxes_{table.measure}"] = charts.png(figure)
    for measure, worth in pooled_worth(study).items():
        own = _worth_points(study, measure)
        images[f"worth_{measure}"] = charts.png(
            charts.worth_bars(worth, colours=colours, points=own, size=(6.0, 3.0), title=worth_heading(worth))
        )
    return images


def _points(scores: pd.DataFrame, study: FinishedStudy, measure: str) -> dict[str, dict[str, list[float]]]:
    """Return region -> subset's title -> values of the patients."""
    known = scores.dropna(subset=[measure])
    factor = 100 if measure == "dice" else 1
    grouped: dict[Any, list[float]] = (
        (factor * known[measure]).groupby([known["region"], known["subset"]]).agg(list).to_dict()
    )
    return {
        region: {
            subset_title(subset, study.modalities): grouped.get((region, subset_name(subset)), [])
            for subset in study.subsets
        }
        for region in REGIONS
    }


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
