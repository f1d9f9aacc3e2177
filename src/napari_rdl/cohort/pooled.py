"""Means over patients: one row a region and one column a subset, as in the paper's Tables II and III."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_rdl.brats import MODALITIES, REGIONS, all_subsets, subset_name

Scores = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]]
"""Patient -> subset's name -> region -> measure -> value, None where it is undefined."""


@dataclass(frozen=True)
class PooledTable:
    """Means over patients.

    Attributes
    ----------
    measure : str
        ``dice`` (in per cent, as the paper prints it), ``hd95`` (mm), or a volume in ml.
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


def subset_title(subset: Sequence[str], modalities: Sequence[str] = MODALITIES) -> str:
    """Return a subset's heading in the paper's words: Fl, T2+Fl, ~T1, Full."""
    if tuple(modalities) == MODALITIES:
        if len(subset) == 4:
            return "Full"
        if len(subset) == 3:
            return "~" + _short(next(name for name in MODALITIES if name not in subset))
    return "+".join(_short(name) for name in subset)


def pool(scores: Scores, modalities: Sequence[str], measure: str) -> PooledTable:
    """Return the means of one measure over all patients that have a subset.

    Parameters
    ----------
    scores : Mapping
        Patient -> subset's name -> region -> measure -> value.
    modalities : sequence of str
        Their subsets are the columns.
    measure : str
        A key of the innermost mapping.
    """
    subsets = all_subsets(modalities)
    values: dict[str, list[float | None]] = {}
    counts: dict[str, list[int]] = {}
    undefined = 0
    for region in REGIONS:
        row: list[float | None] = []
        counts[region] = []
        for subset in subsets:
            found = [
                patient[subset_name(subset)][region].get(measure)
                for patient in scores.values()
                if subset_name(subset) in patient
            ]
            defined = [value for value in found if value is not None]
            undefined += len(found) - len(defined)
            factor = 100 if measure == "dice" else 1
            row.append(factor * float(np.mean(defined)) if defined else None)
            counts[region].append(len(defined))
        known = [value for value in row if value is not None]
        values[region] = [*row, float(np.mean(known)) if known else None]
    columns = (*(subset_title(subset, modalities) for subset in subsets), "Avg.")
    return PooledTable(measure, columns, values, counts, undefined)


def _short(name: str) -> str:
    return "Fl" if name == "FLAIR" else name
