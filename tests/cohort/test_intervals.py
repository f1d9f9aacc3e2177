"""Bootstrap intervals of means over patients."""

import numpy as np
import pytest

from napari_rdl.cohort.intervals import mean_interval


def test_an_interval_holds_the_mean_as_often_as_it_says():
    """Of means of 30 draws from a known law, 95 % bootstrap intervals hold its mean nearly that often."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        found = mean_interval(rng.normal(3.0, 1.0, 30))
        held += found.low <= 3.0 <= found.high
    assert 85 <= held <= 100


def test_its_width_is_that_of_the_standard_error():
    values = np.random.default_rng(1).normal(0, 2, 400)
    found = mean_interval(values)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    assert (found.mean, found.count) == (pytest.approx(values.mean()), 400)
    assert found == mean_interval(values)


def test_one_patient_has_no_interval():
    assert vars(mean_interval([0.5])) == {"mean": 0.5, "low": None, "high": None, "count": 1}


def test_no_patients():
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])
