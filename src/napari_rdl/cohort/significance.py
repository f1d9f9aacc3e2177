"""Whether two sets of scores differ: Wilcoxon's signed ranks, and Holm's correction for many tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

LEVEL = 0.05
"""Corrected p-values below this are called a difference."""

_EXACT = 50


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's step-down method."""
    order = np.argsort(values)
    corrected, least = [0.0] * len(values), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(values) - place) * values[index]))
        corrected[int(index)] = least
    return corrected


def signed_rank_p(differences: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test.

    Patients without a difference are left out, and p is 1 where nobody is left. It is exact for up to 50
    patients whose differences are all of different sizes, else that of the normal distribution.
    """
    left = differences[differences != 0]
    if not len(left):
        return 1.0
    exact = len(left) <= _EXACT and len(np.unique(np.abs(left))) == len(left)
    return float(wilcoxon(left, method="exact" if exact else "approx").pvalue)
