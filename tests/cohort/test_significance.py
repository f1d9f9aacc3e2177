"""Wilcoxon's test against scipy's, and Holm's correction against his example."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from napari_rdl.cohort.significance import holm, signed_rank_p


def test_holms_correction_is_that_of_his_example():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_test_is_scipys_and_leaves_out_who_does_not_differ():
    rng = np.random.default_rng(0)
    values = rng.normal(0.5, 1, 20)
    assert signed_rank_p(np.append(values, 0.0)) == pytest.approx(wilcoxon(values, method="exact").pvalue)
    # Eleven of one sign and size: mean 33, variance from the tie-corrected formula, no exact table.
    assert signed_rank_p(np.full(11, 0.1)) == pytest.approx(
        wilcoxon(np.full(11, 0.1), method="approx").pvalue
    )
    assert signed_rank_p(np.zeros(5)) == 1.0
