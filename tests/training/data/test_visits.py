"""Whom each visit goes to: shares hold, everyone has a turn, and numbers alone decide."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl.cohort.patients import phantoms
from napari_rdl.errors import ConfigError
from napari_rdl.training.data.sources import Source
from napari_rdl.training.data.visits import BLOCK, Visits


def sources(*shares, counts=(7, 5, 3), **settings):
    return [
        Source(f"phantom:{count}", phantoms(count, 100 * number), share, **settings)
        for number, (share, count) in enumerate(zip(shares, counts, strict=False))
    ]


def test_one_source_is_visited_as_ever():
    """The order of runs that were begun before sources could be mixed."""
    visits = Visits(sources(1.0), seed=4)
    for epoch in range(2):
        order = np.random.default_rng([4, 1, epoch]).permutation(7)
        found = [visits[7 * epoch + place].patient.seed for place in range(7)]
        assert found == list(order)


@given(st.lists(st.floats(0.05, 5), min_size=2, max_size=3), st.integers(0, 9))
def test_shares_hold_over_a_block_and_nearly_over_any_hundred(shares, seed):
    visits = Visits(sources(*shares), seed)
    drawn = [visits[number].source for number in range(BLOCK)]
    for number, share in enumerate(shares):
        part = share / sum(shares)
        assert drawn.count(number) == pytest.approx(BLOCK * part, abs=1)
        assert drawn[300:400].count(number) == pytest.approx(100 * part, abs=3)


def test_everyone_of_a_source_has_a_turn_before_anyone_has_two():
    visits = Visits(sources(0.7, 0.2, 0.1), seed=1)
    turns = [[], [], []]
    for number in range(2 * BLOCK):
        turns[visits[number].source].append(visits[number].patient.name)
    for names, count in zip(turns, (7, 5, 3), strict=True):
        for first in range(0, len(names) - count, count):
            assert len(set(names[first : first + count])) == count


def test_a_visit_depends_on_its_number_alone():
    one, other = (Visits(sources(0.6, 0.4, healthy_halves=0.5), seed=3) for _ in range(2))
    numbers = [1500, 3, 0, 2999, 700]
    assert [one[number] for number in numbers] == [other[number] for number in reversed(numbers)][::-1]
    assert [one[number].source for number in range(50)] != [
        Visits(sources(0.6, 0.4), seed=4)[number].source for number in range(50)
    ]


def test_some_visits_go_to_halves():
    visits = Visits(sources(1.0, healthy_halves=0.25), seed=0)
    assert Counter(visits[number].half for number in range(2000))[True] == pytest.approx(500, abs=60)
    assert not any(Visits(sources(1.0), seed=0)[number].half for number in range(100))


def test_who_is_visited_first():
    visits = Visits(sources(0.8, 0.2), seed=0)
    found = list(visits.visited(6))
    assert found == list(dict.fromkeys(visits[number].patient for number in range(6)))
    assert len(list(visits.visited(10**6))) == 12


def test_a_share_too_small_to_count():
    with pytest.raises(ConfigError, match="phantom:5 is below one visit in 1000"):
        Visits(sources(1.0, 1e-4), seed=0)
