"""A patient's rows as a table: CSV, Markdown, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from napari_rdl.brats import MODALITIES, REGIONS
from napari_rdl.compare.study import SubsetRow


@dataclass(frozen=True)
class Measure:
    """A number that a row has for each region.

    Attributes
    ----------
    name : str
        As it stands in files: ``dice``, ``hd95``, ``volume_ml``.
    title, unit : str
        What a reader sees.
    digits : int
        Decimals shown; files keep them all.
    factor : float
        By which the number is multiplied when shown.
    """

    name: str
    title: str
    unit: str
    digits: int
    factor: float = 1.0

    @property
    def heading(self) -> str:
        """Title and unit, such as ``HD95 (mm)``."""
        return f"{self.title} ({self.unit})"

    def of(self, row: SubsetRow, region: str) -> float | None:
        """Return a row's number, None where it is undefined, not measured, or there is no reference."""
        if self.name == "volume_ml":
            return row.volumes_ml[region]
        score = row.scores.get(region)
        return None if score is None else getattr(score, self.name)

    def text(self, value: float | None) -> str:
        """Return a number as it is shown; a dash for None."""
        return "–" if value is None else f"{self.factor * value:.{self.digits}f}"

    def cell(self, row: SubsetRow, region: str) -> str:
        """Return a row's number as it is shown, with `BY_RULE` where Dice is one only by the rule."""
        text = self.text(self.of(row, region))
        score = row.scores.get(region)
        return text + BY_RULE if self.name == "dice" and score and score.reference_empty else text


BY_RULE = "†"
"""Marks a Dice of a region that is empty in the reference: the rule's 1 or 0, no measurement."""

BY_RULE_NOTE = f"{BY_RULE} Empty in the reference: Dice is 1 where the labels are empty too, else 0."
"""What the mark means, for the foot of a table."""

MEASURES: tuple[Measure, ...] = (
    Measure("dice", "Dice", "%", 1, 100.0),
    Measure("hd95", "HD95", "mm", 1),
    Measure("volume_ml", "Volume", "ml", 1),
    Measure("volume_error_ml", "Volume error", "ml", 1),
    Measure("false_positive_ml", "False positive", "ml", 1),
    Measure("false_negative_ml", "False negative", "ml", 1),
)
"""All measures, in the order in which tables have them."""


def measures_of(rows: Sequence[SubsetRow]) -> tuple[Measure, ...]:
    """Return the measures that have something to show.

    Without a reference these are volumes alone; HD95 is one once it is measured.
    """
    return tuple(
        measure
        for measure in MEASURES
        if measure.name == "volume_ml"
        or any(
            row.scores and (measure.name != "hd95" or any(one.hd95_measured for one in row.scores.values()))
            for row in rows
        )
    )


def rows_to_csv(rows: Sequence[SubsetRow], notes: Sequence[str] = ()) -> str:
    """Return the rows as CSV: a line for each subset and region, all digits, empty where undefined.

    Parameters
    ----------
    rows : sequence of SubsetRow
    notes : sequence of str
        Sentences to put before the heading, each after ``#``; readers skip them with ``comment="#"``.
    """
    text = io.StringIO()
    text.writelines(f"# {' '.join(note.split())}\n" for note in notes)
    writer = csv.writer(text, lineterminator="\n")
    measures = measures_of(rows)
    writer.writerow(["subset", "region", *(measure.name for measure in measures), "reference_empty"])
    for row in rows:
        for region in REGIONS:
            values = [measure.of(row, region) for measure in measures]
            score = row.scores.get(region)
            empty = "" if score is None else int(score.reference_empty)
            writer.writerow([row.name, region, *("" if value is None else value for value in values), empty])
    return text.getvalue()


def rows_to_markdown(
    rows: Sequence[SubsetRow], notes: Sequence[str] = (), measures: Sequence[Measure] | None = None
) -> str:
    """Return the rows as one Markdown table: dots for the modalities present, then each measure's regions.

    Parameters
    ----------
    rows : sequence of SubsetRow
    notes : sequence of str
        Sentences to put below the table.
    measures : sequence of Measure, optional
        Those to show; Dice and HD95, or volumes where there is no reference, if left out.
    """
    if measures is None:
        shown = measures_of(rows)
        measures = [measure for measure in shown if measure.name in ("dice", "hd95")] or shown
    names = [name for name in MODALITIES if any(name in row.subset for row in rows)]
    heads = [f"{measure.title} {region} ({measure.unit})" for measure in measures for region in REGIONS]
    lines = ["| " + " | ".join([*names, *heads]) + " |"]
    lines.append("|" + ":-:|" * len(names) + "--:|" * len(heads))
    for row in rows:
        dots = ["●" if name in row.subset else "○" for name in names]
        cells = [measure.cell(row, region) for measure in measures for region in REGIONS]
        lines.append("| " + " | ".join([*dots, *cells]) + " |")
    if any(BY_RULE in line for line in lines[2:]):
        notes = [BY_RULE_NOTE, *notes]
    for note in notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"
