"""What a study of many patients comes to: pooled tables, mean Shapley values, and their words."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from napari_rdl.brats import REGIONS
from napari_rdl.cohort.finished import FinishedStudy, pooled_scores
from napari_rdl.cohort.pooled import PooledTable, pool
from napari_rdl.compare.export import MEASURES
from napari_rdl.compare.shapley import ModalityWorth


def tables_of(study: FinishedStudy) -> list[PooledTable]:
    """Return the pooled tables: Dice, HD95 and volume errors where there are references, volumes always."""
    scores = pooled_scores(study)
    with_reference = any(patient.reference for patient in study.patients)
    names = [
        measure.name
        for measure in MEASURES
        if measure.name == "volume_ml"
        or (with_reference and (measure.name != "hd95" or study.settings.get("distances", True)))
    ]
    return [pool(_having(scores, name), study.modalities, name) for name in names]


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


def heading_of(table: PooledTable) -> str:
    """Return a table's heading, such as ``HD95 (mm)``."""
    return next(measure.heading for measure in MEASURES if measure.name == table.measure)


def undefined_remark(table: PooledTable) -> str | None:
    """Return how many values were left out, in words."""
    if not table.undefined:
        return None
    if table.undefined == 1:
        return "One value is undefined because a mask is empty; it is left out."
    if table.undefined == 1:
        return "One value is undefined because a mask is empty; it is left out."
    return f"{table.undefined} values are undefined because a mask is empty; they are left out."


def count_remark(table: PooledTable) -> str:
    """Return how many patients stand behind the means, in words."""
    counts = sorted({count for row in table.counts.values() for count in row})
    if len(counts) == 1:
        return f"Each mean is over {counts[0]} patient{'' if counts[0] == 1 else 's'}."
    few, most = counts[0], counts[-1]
    return f"Means are over {few} to {most} patients: not everyone has every subset or a value there."


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
    return "What a modality is worth " + (
        "(Shapley, Dice points)" if worth.measure == "dice" else "(Shapley, ml)"
    )


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


def _having(scores: dict[str, Any], measure: str) -> dict[str, Any]:
    """Return the patients that have a measure: no Dice for want of a reference is not an undefined one."""
    return {
        name: subsets
        for name, subsets in scores.items()
        if any(measure in regions["WT"] for regions in subsets.values())
    }
