"""How sure a mean over patients is: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

RESAMPLES = 9999
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over patients, and where 95 % of its bootstrap means lie.

    Attributes
    ----------
    mean : float
    low, high : float or None
        None for fewer than two patients.
    count : int
        Number of patients.
    """

    mean: float
    low: float | None
    high: float | None
    count: int


def mean_interval(values: Sequence[float], *, seed: int = 0) -> Interval:
    """Return the mean of patients' values with its percentile bootstrap interval (Efron 1979).

    Patients are drawn anew with repeats, so the interval says how the mean would vary over other patients
    of the same kind; not how it would vary over other trainings.

    Raises
    ------
    ValueError
        If there are no values.
    """
    if not len(values):
        raise ValueError("There are no values to average.")
    array = np.asarray(values, float)
    mean = float(array.mean())
    if len(array) < 2:
        return Interval(mean, None, None, len(array))
    found = bootstrap(
        (array,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high), len(array))


def mean_intervals(columns: Sequence[NDArray[np.float64]], *, seed: int = 0) -> list[Interval | None]:
    """Return `mean_interval` of many columns of values; NaN is no value, and None stands where there is none.

    Columns of as many values are drawn anew together, with the same draws: a table costs one product.
    """
    found: list[Interval | None] = []
    for column in columns:
        values = column[np.isfinite(column)]
        if not len(values):
            found.append(None)
        elif len(values) < 2:
            found.append(Interval(float(values.mean()), None, None, len(values)))
        else:
            means = _shares(len(values), seed) @ values
            low, high = np.percentile(means, (50 * (1 - LEVEL), 50 * (1 + LEVEL)))
            found.append(Interval(float(values.mean()), float(low), float(high), len(values)))
    return found


def mean_of_columns(values: NDArray[np.float64], *, seed: int = 0) -> Interval | None:
    """Return the mean of the columns' means, as a table's last column has it, with its bootstrap interval.

    Patients are drawn anew with all that they have; a column that nobody drawn has counts in none of them.

    Parameters
    ----------
    values : ndarray, shape (patients, columns)
        NaN is no value.

    Returns
    -------
    Interval, optional
        None where there is no value at all; its count is that of the patients who have any.
    """
    known = np.isfinite(values)
    here = values[known.any(1)]
    if not len(here):
        return None
    mean = float(_column_average(np.full((1, len(here)), 1 / len(here)), here)[0])
    if len(here) < 2:
        return Interval(mean, None, None, len(here))
    means = _column_average(_shares(len(here), seed), here)
    low, high = np.percentile(means, (50 * (1 - LEVEL), 50 * (1 + LEVEL)))
    return Interval(mean, float(low), float(high), len(here))


def _column_average(shares: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the columns' means, where patients (columns of `shares`) count by their shares."""
    known = np.isfinite(values)
    of_column = shares @ known
    sums = shares @ np.where(known, values, 0.0)
    drawn = of_column > 0
    means = np.divide(sums, of_column, out=np.zeros_like(sums), where=drawn)
    average: NDArray[np.float64] = means.sum(1) / drawn.sum(1)
    return average


@lru_cache(maxsize=8)
def _shares(count: int, seed: int) -> NDArray[np.float64]:
    """Return (RESAMPLES, count): how much of each of `count` values is in each mean that is drawn."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
