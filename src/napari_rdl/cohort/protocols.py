"""Two ways in which the paper's tables were scored, by name, so that the gap between them can be measured.

``rfnet``: hard Dice of each patient, their mean, and ET also with fewer than 500 voxels taken away, as
RFNet's public code has it (https://github.com/dyh127/RFNet, commit 6938e79, predict.py). ``authors``: soft
Dice of the regions' probabilities, of two patients at once, and the best of several checkpoints on the
patients that are scored; nothing is claimed here of anybody's code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_rdl.brats import REGIONS, all_subsets, subset_name
from napari_rdl.cohort.further_scores import Further
from napari_rdl.cohort.rendering import render
from napari_rdl.cohort.tables import subset_title
from napari_rdl.files import write_json, write_text

if TYPE_CHECKING:
    from napari_rdl.cohort.evaluate import Evaluation, SubsetScores

Protocol = Literal["rfnet", "authors"]

NEEDS: dict[Protocol, tuple[Further, ...]] = {"rfnet": ("without_small_et",), "authors": ("soft",)}
"""What each protocol measures beside hard Dice."""

BATCH = 2
"""Patients whose soft Dice is taken together."""

Row = list[float | None]


def protocol_rows(protocol: Protocol, evaluations: Mapping[str, Evaluation]) -> dict[str, dict[str, Row]]:
    """Return region -> row's title -> per cent for each subset and their mean.

    Parameters
    ----------
    protocol : str
    evaluations : Mapping[str, Evaluation]
        Model's name -> its scores, measured with what the protocol needs. For ``authors`` they are
        checkpoints of one training, of which the best is told.
    """
    if protocol == "rfnet":
        return {
            region: {
                f"{name}{said}": _mean_row(one, region, measure)
                for name, one in evaluations.items()
                for measure, said in _hard(region)
            }
            for region in REGIONS
        }
    best = best_checkpoint(evaluations)
    one = evaluations[best]
    return {
        region: {
            f"soft, batches of {BATCH}, {best}": _batch_row(one, region),
            f"soft, each patient, {best}": _mean_row(one, region, "soft_dice"),
            f"hard, each patient, {best}": _mean_row(one, region, "dice"),
        }
        for region in REGIONS
    }


def best_checkpoint(evaluations: Mapping[str, Evaluation]) -> str:
    """Return the model with the best mean soft Dice over regions and subsets on the very patients scored."""

    def mean(name: str) -> float:
        rows = [_batch_row(evaluations[name], region) for region in REGIONS]
        return float(np.mean([row[-1] for row in rows if row[-1] is not None]))

    return max(evaluations, key=mean)


def write_protocol(
    protocol: Protocol, evaluations: Mapping[str, Evaluation], about: Mapping[str, Any], out: Path
) -> str:
    """Write ``protocol.md`` and ``protocol.json`` to `out`, and return the former's text.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    first = next(iter(evaluations.values()))
    rows = protocol_rows(protocol, evaluations)
    columns = (*(subset_title(subset, first.modalities) for subset in all_subsets(first.modalities)), "Avg.")
    header = {**about, "protocol": _SAID[protocol], "checkpoints": ", ".join(evaluations)}
    text = render(
        "report.md",
        title=f"Protocol {protocol}",
        header=list(header.items()),
        tables=[
            {
                "heading": f"Dice (%), {region}",
                "columns": columns,
                "rows": [(title, [_cell(value) for value in row]) for title, row in of_region.items()],
                "remarks": [],
            }
            for region, of_region in rows.items()
        ],
        patients=None,
        failed={},
        failed_title="",
    )
    write_text(out / "protocol.md", text)
    write_json(out / "protocol.json", {"about": header, "columns": columns, "rows": rows}, indent=1)
    return text


_SAID: dict[Protocol, str] = {
    "rfnet": "hard Dice of each patient, mean over patients; ET also with fewer than 500 voxels taken away",
    "authors": "soft Dice 2 Σ p g / (Σ p + Σ g) of the regions' probabilities, two patients at once in the "
    "order of the list, mean over batches; the best of the checkpoints on these patients",
}


def _hard(region: str) -> list[tuple[str, str]]:
    plain = [("dice", "")]
    return [*plain, ("dice_without_small_et", ", under 500 voxels none")] if region == "ET" else plain


def _mean_row(evaluation: Evaluation, region: str, measure: str) -> Row:
    return _row(
        evaluation,
        lambda name: [
            value
            for rows in evaluation.scores.values()
            if (value := rows.get(name, {}).get(region, {}).get(measure)) is not None
        ],
    )


def _batch_row(evaluation: Evaluation, region: str) -> Row:
    return _row(evaluation, lambda name: _batches([*evaluation.scores.values()], name, region))


def _batches(patients: Sequence[SubsetScores], name: str, region: str) -> list[float]:
    """Return the soft Dice of each two patients that have a subset; the last may be alone."""
    found = []
    known = [rows[name][region] for rows in patients if name in rows]
    for first in range(0, len(known), BATCH):
        batch = known[first : first + BATCH]
        shared = sum(row["soft_shared"] or 0.0 for row in batch)
        total = sum(row["soft_total"] or 0.0 for row in batch)
        found.append(2 * shared / total if total else 1.0)
    return found


def _row(evaluation: Evaluation, values_of: Callable[[str], list[float]]) -> Row:
    row: Row = []
    for subset in all_subsets(evaluation.modalities):
        values = values_of(subset_name(subset))
        row.append(100 * float(np.mean(values)) if values else None)
    known = [value for value in row if value is not None]
    return [*row, float(np.mean(known)) if known else None]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
