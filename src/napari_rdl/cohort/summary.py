"""What a study of many patients comes to: pooled tables, mean Shapley values, and their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from napari_rdl.brats import REGIONS
from napari_rdl.cohort.finished import FinishedStudy
from napari_rdl.cohort.tables import PooledTable, pool, scores_of_rows
from napari_rdl.compare.export import MEASURES
from napari_rdl.compare.shapley import ModalityWorth

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
"""What a study's header says, with the titles that a reader sees."""


def tables_of(study: FinishedStudy) -> list[PooledTable]:
    """Return the pooled tables: Dice, HD95 and volume errors where there are references, volumes always."""
    scores = scores_of_rows({patient.name: patient.rows for patient in study.patients})
    with_reference = any(patient.reference for patient in study.patients)
    names = [
        measure.name
        for measure in MEASURES
        if measure.name == "volume_ml"
        or (with_reference and (measure.name != "hd95" or study.settings.distances))
    ]
    if "hd95" in names:
        # A model that finds nothing has no distances: the mean alone would praise it.
        names.insert(names.index("hd95") + 1, "hd95_worst")
    return [pool(scores, study.modalities, name) for name in names]


def pooled_worth(study: FinishedStudy) -> dict[str, ModalityWorth]:
    """Return the mean Shapley values over patients, by measure; only patients that have all modalities count.

    A modality's value depends on which others there are, so patients who lack one are no mean with the rest.
    """
    pooled = {}
    for measure in ("dice", "ml"):
        worths = [
            patient.worth
            for patient in study.patients
            if patient.worth.measure == measure and patient.modalities == study.modalities
        ]
        if not worths:
            continue
        values: dict[str, dict[str, float] | None] = {}
        ends: dict[str, dict[str, float | None]] = {"full": {}, "empty": {}}
        for region in REGIONS:
            known = [one.values[region] for one in worths if one.values[region] is not None]
            values[region] = (
                {name: fmean(one[name] for one in known if one is not None) for name in study.modalities}
                if known
                else None
            )
            for end, kept in ends.items():
                found = [getattr(one, end)[region] for one in worths]
                numbers = [one for one in found if one is not None]
                kept[region] = fmean(numbers) if numbers else None
        pooled[measure] = ModalityWorth(measure, values, ends["full"], ends["empty"])
    return pooled


def remarks_of(study: FinishedStudy, table: PooledTable) -> list[str]:
    """Return what a reader of a table must know, as sentences."""
    empty = empty_remark(study) if table.measure == "dice" else None
    return table.remarks + ([empty] if empty else [])


def empty_remark(study: FinishedStudy) -> str | None:
    """Return in how many patients a region is empty in the reference, so that Dice is only a rule there."""
    parts = []
    known = [patient for patient in study.patients if patient.reference is not None]
    for region in REGIONS:
        empty = sum(patient.rows[0].scores[region].reference_empty for patient in known)
        if empty:
            parts.append(f"{region} in {empty} of {len(known)} patients")
    if not parts:
        return None
    return (
        f"Empty in the reference: {', '.join(parts)}. Dice is 1 there where the labels are empty too and 0 "
        "elsewhere, and counts in the means; no modality has a Shapley value there."
    )


def worth_heading(worth: ModalityWorth) -> str:
    """Return the heading of a table of Shapley values."""
    unit = "Dice points" if worth.measure == "dice" else "ml"
    return f"What a modality is worth (Shapley, {unit})"


def worth_cells(study: FinishedStudy, worth: ModalityWorth) -> list[tuple[str, list[str]]]:
    """Return region -> cells of its row: a value for each modality, and their sum; dashes for no value."""
    factor = 100 if worth.measure == "dice" else 1
    rows = []
    for region, values in worth.values.items():
        if values is None:
            rows.append((region, ["–"] * (len(study.modalities) + 1)))
        else:
            numbers = [factor * values[name] for name in study.modalities]
            rows.append((region, [f"{number:+.1f}" for number in (*numbers, sum(numbers))]))
    return rows


def header_of(about: Mapping[str, Any], titles: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Return what is known of a result, with the titles that a reader sees, in their order."""
    return [(title, about[key]) for key, title in titles.items() if key in about]


def shown_table(table: PooledTable, remarks: Sequence[str]) -> dict[str, Any]:
    """Return a pooled table as a template shows it."""
    counted = table.measure in ("hd95", "hd95_pooled")
    rows = [
        (
            region,
            [
                "–" if value is None else f"{value:.1f} ({count})" if counted else f"{value:.1f}"
                for value, count in zip(values, _counts(table, region), strict=True)
            ],
        )
        for region, values in table.values.items()
    ]
    heads = {"heading": table.heading, "measure": table.measure, "columns": table.columns}
    return {**heads, "rows": rows, "remarks": remarks}


def _counts(table: PooledTable, region: str) -> list[int]:
    """Return how many values stand behind each cell of a row, the last of them the mean over subsets."""
    return [*table.counts[region], sum(table.counts[region])]


def shown_tables(study: FinishedStudy, tables: Sequence[PooledTable]) -> list[dict[str, Any]]:
    """Return a study's pooled tables as templates show them."""
    return [shown_table(table, remarks_of(study, table)) for table in tables]


def shown_worths(study: FinishedStudy) -> list[dict[str, Any]]:
    """Return a study's Shapley values as templates show them."""
    return [
        {
            "heading": worth_heading(worth),
            "measure": worth.measure,
            "columns": (*study.modalities, "Sum"),
            "rows": worth_cells(study, worth),
            "remarks": (),
        }
        for worth in pooled_worth(study).values()
    ]
