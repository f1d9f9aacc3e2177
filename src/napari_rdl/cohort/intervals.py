"""How sure a mean over patients is: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
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
