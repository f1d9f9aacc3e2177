"""Scores of many patients as one table, and its means: rows and columns as the paper's tables have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_rdl.brats import MODALITIES, REGIONS, all_subsets, subset_name
from napari_rdl.compare.export import MEASURES

if TYPE_CHECKING:
    import pandas as pd

    from napari_rdl.compare.study import SubsetRow

WORST_MM = 373.13
"""What BraTS takes for an HD95 where one mask is empty: the diagonal of its volumes."""

HEADINGS = {measure.name: measure.heading for measure in MEASURES} | {
    "hd95_worst": f"HD95 (mm), {WORST_MM} where one mask is empty and 0 where both are",
    "hd95_pooled": "HD95 (mm), both surfaces pooled",
    "surface_dice": "Surface Dice at 1 mm (%)",
    "lesion_dice": "Lesion-wise Dice (%)",
    "lesion_hd95": "Lesion-wise HD95 (mm)",
    "calibration_error": "Expected calibration error (%)",
    "dice_without_small_et": "Dice (%), ET under 500 voxels taken away",
    "soft_dice": "Soft Dice (%)",
}
"""Every measure that a pooled table can have, and how a reader knows it."""

FURTHER = (
    *("hd95_pooled", "surface_dice", "lesion_dice", "lesion_hd95", "calibration_error"),
    *("dice_without_small_et", "soft_dice"),
)
"""Measures that are there only when asked for, in the order of the tables."""

IN_PER_CENT = frozenset(name for name, heading in HEADINGS.items() if "(%)" in heading)
"""Measures that are shares, and shown in per cent."""

KEYS = ("patient", "subset", "region")
"""The columns that name a line of scores; measures and `reference_empty` are the others."""


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

    @property
    def heading(self) -> str:
        """The measure and its unit, such as ``HD95 (mm)``."""
        return HEADINGS[self.measure]

    @property
    def remarks(self) -> list[str]:
        """How many patients stand behind the means, and how many values were left out, as sentences."""
        counts = sorted({count for row in self.counts.values() for count in row})
        if len(counts) == 1:
            said = [f"Each mean is over {counts[0]} patient{'' if counts[0] == 1 else 's'}."]
        else:
            said = [
                f"Means are over {counts[0]} to {counts[-1]} patients: not everyone has every subset or a "
                "value there."
            ]
        if self.undefined == 1:
            said.append("One value is undefined because a mask is empty; it is left out.")
        elif self.undefined:
            said.append(f"{self.undefined} values are undefined because a mask is empty; they are left out.")
        return said


def scores_of_rows(rows_of: Mapping[str, Sequence[SubsetRow]]) -> pd.DataFrame:
    """Return the scores of studied patients: name -> its rows; measures that a row lacks are missing.

    Returns
    -------
    DataFrame
        A line for each patient, subset and region: `KEYS`, each of `MEASURES`, ``reference_empty``.
    """
    lines = [
        (
            *(name, row.name, region, *(measure.of(row, region) for measure in MEASURES)),
            *(_worst_of_row(row, region), _is_empty(row, region)),
        )
        for name, rows in rows_of.items()
        for row in rows
        for region in REGIONS
    ]
    return _frame(lines, [*KEYS, *(measure.name for measure in MEASURES), "hd95_worst", "reference_empty"])


def scores_of_mapping(
    scores: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]],
) -> pd.DataFrame:
    """Return the scores of evaluated patients: name -> subset's name -> region -> measure -> value."""
    rows = [
        (name, subset, region, row)
        for name, subsets in scores.items()
        for subset, regions in subsets.items()
        for region, row in regions.items()
    ]
    further = [measure for measure in FURTHER if any(measure in row for *_, row in rows)]
    lines = [
        (
            *(name, subset, region, row.get("dice"), row.get("hd95")),
            worst_hd95(row.get("dice"), row["hd95"]) if "hd95" in row else None,
            *(row.get(measure) for measure in further),
        )
        for name, subset, region, row in rows
    ]
    return _frame(lines, [*KEYS, "dice", "hd95", "hd95_worst", *further])


def worst_hd95(dice: float | None, hd95: float | None) -> float | None:
    """Return HD95 with 0 where both masks are empty and the worst where one is; None without a reference."""
    if hd95 is not None or dice is None:
        return hd95
    return 0.0 if dice == 1 else WORST_MM


def pool(scores: pd.DataFrame, modalities: Sequence[str], measure: str) -> PooledTable:
    """Return the means of one measure over all patients that have a subset.

    Parameters
    ----------
    scores : DataFrame
        As `scores_of_rows` or `scores_of_mapping` returns them.
    modalities : sequence of str
        Their subsets are the columns.
    measure : str
        A column of `scores`.
    """
    subsets = all_subsets(modalities)
    names = [subset_name(subset) for subset in subsets]
    here = scores[scores["subset"].isin(names)]
    if measure != "volume_ml":
        # Without a reference there is no Dice at all: that is not a value left undefined.
        here = here[here["dice"].notna()]
    grouped = here.groupby(["region", "subset"])[measure]
    means, counts = (
        table.unstack().reindex(index=list(REGIONS), columns=names)
        for table in (grouped.mean(), grouped.count())
    )
    if measure in IN_PER_CENT:
        means = 100 * means
    means["Avg."] = means.mean(axis=1)
    return PooledTable(
        measure,
        (*(subset_title(subset, modalities) for subset in subsets), "Avg."),
        {region: [none_if_missing(value) for value in means.loc[region]] for region in REGIONS},
        {region: [int(count) for count in counts.loc[region].fillna(0)] for region in REGIONS},
        int(here[measure].isna().sum()),
    )


def subset_title(subset: Sequence[str], modalities: Sequence[str] = MODALITIES) -> str:
    """Return a subset's heading in the paper's words: Fl, T2+Fl, ~T1, Full."""
    if tuple(modalities) == MODALITIES:
        if len(subset) == 4:
            return "Full"
        if len(subset) == 3:
            return "~" + _short(next(name for name in MODALITIES if name not in subset))
    return "+".join(_short(name) for name in subset)


def scores_csv(scores: pd.DataFrame) -> str:
    """Return a line for each patient, subset and region, all digits, empty where undefined."""
    import pandas as pd

    shown = scores.copy()
    shown["patient"] = [safe_cell(name) for name in shown["patient"]]
    if "reference_empty" in shown:
        shown["reference_empty"] = shown["reference_empty"].astype(pd.Int64Dtype())
    return shown.to_csv(index=False, lineterminator="\n")


def tables_csv(tables: Sequence[PooledTable], about: Mapping[str, Any]) -> str:
    """Return pooled tables as CSV; what is known of them stands before, after ``#``.

    Readers skip the header with ``comment="#"``.
    """
    import pandas as pd

    text = "".join(f"# {key}: {' '.join(str(value).split())}\n" for key, value in about.items())
    lines = [[table.measure, region, *values] for table in tables for region, values in table.values.items()]
    if not lines:
        return text
    frame = pd.DataFrame(lines, columns=["measure", "region", *tables[0].columns])
    return text + frame.to_csv(index=False, lineterminator="\n", float_format="%.4f")


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: such a one gets an apostrophe in front."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def none_if_missing(value: float) -> float | None:
    """Return a number as a plain one, and None for a missing one."""
    return None if value != value else float(value)


def _frame(lines: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(lines, columns=columns)
    measured = [column for column in columns if column not in (*KEYS, "reference_empty")]
    return frame.astype(dict.fromkeys(measured, float))


def _worst_of_row(row: SubsetRow, region: str) -> float | None:
    score = row.scores.get(region)
    return None if score is None or not score.hd95_measured else worst_hd95(score.dice, score.hd95)


def _is_empty(row: SubsetRow, region: str) -> int | None:
    score = row.scores.get(region)
    return None if score is None else int(score.reference_empty)


def _short(name: str) -> str:
    return "Fl" if name == "FLAIR" else name
