"""Several models on the same patients: the paper's table with a row for each, and whether they differ.

A mean has a bootstrap interval over patients. Two models are compared column by column on the patients
that both have (Wilcoxon's signed ranks, 1945), and a table's p-values are corrected together (Holm, 1979);
only what is left below 0.05 is called better. Models are ranked as BraTS ranks teams: for each patient,
column, region and measure, and the mean of all ranks counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from napari_rdl.brats import REGIONS, all_subsets, subset_name
from napari_rdl.cohort.intervals import Interval, mean_intervals, mean_of_columns
from napari_rdl.cohort.significance import LEVEL, holm, signed_rank_p
from napari_rdl.cohort.tables import FURTHER, IN_PER_CENT, WORST_MM, subset_title
from napari_rdl.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from napari_rdl.cohort.evaluate import Evaluation
    from napari_rdl.models import Model


@dataclass(frozen=True)
class Difference:
    """How one model's Dice differs from the first one's, over the patients that both have.

    Attributes
    ----------
    model, region, column : str
    difference : Interval
        Mean of the patients' differences in per cent, positive where `model` is better.
    p : float
        Of Wilcoxon's signed-rank test, two-sided; 1 where no patient differs.
    p_holm : float
        Corrected for all columns and regions of this model.
    """

    model: str
    region: str
    column: str
    difference: Interval
    p: float
    p_holm: float

    @property
    def told(self) -> bool:
        """Whether the test tells the two apart."""
        return self.p_holm < LEVEL


@dataclass(frozen=True)
class Comparison:
    """Several models' tables.

    Attributes
    ----------
    models : tuple of str
        The first is what the others are compared with.
    columns : tuple of str
        Headings of the subsets, and ``Avg.``
    patients : int
        How many all models have.
    dice : dict
        Region -> model -> an interval for each column, in per cent; None where nobody has a value.
    hd95 : dict
        Region -> model -> (mean in mm, of how many, mean with the worst for what is undefined) for each
        column; empty where distances were not measured.
    further : dict
        What else was asked for: measure -> region -> model -> an interval for each column, shares in
        per cent.
    differences : list of Difference
    ranks : dict
        Model -> its mean rank; 1 is best.
    """

    models: tuple[str, ...]
    columns: tuple[str, ...]
    patients: int
    dice: dict[str, dict[str, list[Interval | None]]]
    hd95: dict[str, dict[str, list[tuple[float | None, int, float | None]]]]
    further: dict[str, dict[str, dict[str, list[Interval | None]]]]
    differences: list[Difference]
    ranks: dict[str, float]


def refuse_unlike_models(models: Sequence[Model]) -> None:
    """Refuse models whose answers do not mean the same, or that share a name.

    Raises
    ------
    CheckpointError
        If classes or modalities differ.
    ConfigError
        If two have one name.
    """
    first = models[0]
    for model in models[1:]:
        for what in ("classes", "modalities"):
            ours, theirs = (getattr(one.card.network, what) for one in (first, model))
            if ours != theirs:
                raise CheckpointError(
                    f"The models {first.name!r} and {model.name!r} differ in their {what} "
                    f"({', '.join(ours)} and {', '.join(theirs)}): compare models that answer the same."
                )
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"Two models are called {twice!r}: give one of them another name.")


def compare(evaluations: Mapping[str, Evaluation]) -> Comparison:
    """Put the evaluations of several models side by side.

    Parameters
    ----------
    evaluations : Mapping[str, Evaluation]
        Model's name -> its evaluation, all of the same data and settings.

    Raises
    ------
    ConfigError
        If no patient is scored by all of them.
    """
    names = tuple(evaluations)
    first = evaluations[names[0]]
    shared = [name for name in first.scores if all(name in one.scores for one in evaluations.values())]
    if not shared:
        raise ConfigError("No patient is scored by all models, so there is nothing to compare.")
    subsets = all_subsets(first.modalities)
    columns = (*(subset_title(subset, first.modalities) for subset in subsets), "Avg.")
    keys = [subset_name(subset) for subset in subsets]
    dice = {name: _array(evaluations[name], shared, keys, "dice") for name in names}
    measured = all(one.settings.distances for one in evaluations.values())
    mm = {name: _array(evaluations[name], shared, keys, "hd95") for name in names} if measured else {}
    worst = {name: _worst(mm[name], dice[name]) for name in mm}
    return Comparison(
        names,
        columns,
        len(shared),
        _intervals(dice, "dice"),
        {
            region: {
                name: [
                    (mean, int(count), hard)
                    for mean, count, hard in zip(
                        _means(mm[name][:, :, r]),
                        _counts(mm[name][:, :, r]),
                        _means(worst[name][:, :, r]),
                        strict=True,
                    )
                ]
                for name in names
            }
            for r, region in enumerate(REGIONS)
        }
        if measured
        else {},
        {
            measure: _intervals(
                {name: _array(evaluations[name], shared, keys, measure) for name in names}, measure
            )
            for measure in FURTHER
            if all(_has(one, measure) for one in evaluations.values())
        },
        _differences(dice, columns),
        _ranks(dice, worst),
    )


def _intervals(
    values: Mapping[str, NDArray[np.float64]], measure: str
) -> dict[str, dict[str, list[Interval | None]]]:
    """Return region -> model -> an interval for each column, from model -> (patients, subsets, regions)."""
    factor = 100 if measure in IN_PER_CENT else 1
    return {
        region: {name: _column_intervals(factor * of_model[:, :, r]) for name, of_model in values.items()}
        for r, region in enumerate(REGIONS)
    }


def _has(evaluation: Evaluation, measure: str) -> bool:
    rows = (row for subsets in evaluation.scores.values() for row in subsets.values())
    return any(measure in region for row in rows for region in row.values())


def _array(
    evaluation: Evaluation, patients: Sequence[str], keys: Sequence[str], measure: str
) -> NDArray[np.float64]:
    """Return values (patients, subsets, regions); NaN where there is none."""
    nothing: dict[str, dict[str, float | None]] = {}
    return np.array(
        [
            [
                [
                    evaluation.scores[patient].get(key, nothing).get(region, {}).get(measure)
                    for region in REGIONS
                ]
                for key in keys
            ]
            for patient in patients
        ],
        float,
    )


def _worst(mm: NDArray[np.float64], dice: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return distances with 0 where both masks are empty and the worst where one is."""
    filled = np.where(np.isnan(mm), np.where(dice == 1, 0.0, WORST_MM), mm)
    return np.where(np.isnan(dice), np.nan, filled)


def _column_intervals(values: NDArray[np.float64]) -> list[Interval | None]:
    """Return the interval of each subset's values, and last that of the mean of their means."""
    return [*mean_intervals([*values.T]), mean_of_columns(values)]


def _means(values: NDArray[np.float64]) -> list[float | None]:
    """Return each subset's mean, and the mean of these, as the table of one model has it."""
    means = [_mean(column) for column in values.T]
    return [*means, _mean(np.array(means, float))]


def _counts(values: NDArray[np.float64]) -> list[int]:
    """Return how many values each subset has, and how many there are."""
    counts = np.isfinite(values).sum(0)
    return [*counts, counts.sum()]


def _row_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _differences(dice: Mapping[str, NDArray[np.float64]], columns: Sequence[str]) -> list[Difference]:
    reference, *others = dice
    found = []
    for name in others:
        rows: list[tuple[str, str, Interval, float]] = []
        for r, region in enumerate(REGIONS):
            apart = 100 * (dice[name][:, :, r] - dice[reference][:, :, r])
            tested = [*apart.T, _row_means(apart)]
            for column, values, difference in zip(columns, tested, _column_intervals(apart), strict=True):
                if difference is not None:
                    p = signed_rank_p(values[np.isfinite(values)])
                    rows.append((region, column, difference, p))
        corrected = holm([p for *_, p in rows])
        found += [
            Difference(name, region, column, difference, p, p_holm)
            for (region, column, difference, p), p_holm in zip(rows, corrected, strict=True)
        ]
    return found


def _ranks(
    dice: Mapping[str, NDArray[np.float64]], worst: Mapping[str, NDArray[np.float64]]
) -> dict[str, float]:
    measures = [-np.stack([one.ravel() for one in dice.values()])]
    if worst:
        measures.append(np.stack([one.ravel() for one in worst.values()]))
    values = np.concatenate(measures, 1)
    values = values[:, np.isfinite(values).all(0)]
    ranks = rankdata(values, axis=0).mean(1)
    return {name: float(rank) for name, rank in zip(dice, ranks, strict=True)}
