"""Shapley's axioms, and where a modality's absence shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl.brats import MODALITIES, SUBSETS, all_subsets, order_modalities
from napari_rdl.compare import GAINED, LOST, LabelStack, changed_without, lost_and_gained, shapley_values

VALUES = st.lists(st.floats(0, 1), min_size=15, max_size=15)


def game(values):
    return dict(zip(SUBSETS, values, strict=True))


@given(VALUES, st.floats(0, 1))
def test_values_sum_to_the_whole_less_the_empty_set(values, empty):
    worth = game(values)
    assert sum(shapley_values(MODALITIES, worth, empty).values()) == pytest.approx(
        worth[MODALITIES] - empty, abs=1e-12
    )


@given(VALUES)
def test_modalities_that_do_the_same_are_worth_the_same(values):
    worth = game(values)
    swap = {"T1": "T2", "T2": "T1"}
    for subset in SUBSETS:
        twin = order_modalities(swap.get(name, name) for name in subset)
        worth[twin] = worth[subset]
    found = shapley_values(MODALITIES, worth)
    assert found["T1"] == pytest.approx(found["T2"], abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_a_modality_that_adds_nothing_is_worth_nothing(values):
    rest = ("T1", "T1c", "T2")
    known = {(): 0.0, **dict(zip(all_subsets(rest), values, strict=True))}
    worth = {subset: known[tuple(name for name in subset if name in rest)] for subset in SUBSETS}
    found = shapley_values(MODALITIES, worth)
    assert found["FLAIR"] == pytest.approx(0, abs=1e-12)
    assert [found[name] for name in rest] == pytest.approx(
        [shapley_values(rest, {key: known[key] for key in all_subsets(rest)})[name] for name in rest]
    )


@given(VALUES, VALUES)
def test_values_of_a_sum_are_the_sum_of_values(one, other):
    both = shapley_values(MODALITIES, game([a + b for a, b in zip(one, other, strict=True)]))
    parts = [shapley_values(MODALITIES, game(values)) for values in (one, other)]
    for name in MODALITIES:
        assert both[name] == pytest.approx(parts[0][name] + parts[1][name], abs=1e-12)


def test_by_hand():
    worth = {("T1",): 0.2, ("FLAIR",): 0.6, ("T1", "FLAIR"): 0.7}
    found = shapley_values(("T1", "FLAIR"), worth)
    assert found == pytest.approx({"T1": 0.15, "FLAIR": 0.55})


def test_where_a_modality_counts(two_modalities):
    stack = LabelStack.from_labels(two_modalities)
    without_flair = changed_without(stack, "FLAIR")
    assert np.array_equal(without_flair, two_modalities["T1", "FLAIR"] != two_modalities[("T1",)])
    # FLAIR alone says ED where both say NCR: the class changes, the whole tumour does not.
    assert changed_without(stack, "T1").sum() == 4
    assert changed_without(stack, "T1", region="WT").sum() == 1
    alone = changed_without(stack, "FLAIR", ["FLAIR"])
    assert np.array_equal(alone, two_modalities[("FLAIR",)] > 0)
    ways = lost_and_gained(stack, "T1", region="WT")
    full, rest = (np.isin(two_modalities[names], (1, 2, 3)) for names in (("T1", "FLAIR"), ("FLAIR",)))
    assert np.array_equal(ways == LOST, full & ~rest)
    assert np.array_equal(ways == GAINED, rest & ~full)
    with pytest.raises(ValueError, match="T1 is not in the subset FLAIR"):
        changed_without(stack, "T1", ["FLAIR"])
