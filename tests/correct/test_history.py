"""Every step can be taken back and made again; the oracle is a list of whole volumes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_rdl.correct import Edit, History, Source, Step, summarise

SHAPE = (4, 5, 3)

edits = st.tuples(
    st.lists(st.integers(0, 59), min_size=1, max_size=12, unique=True),
    st.integers(0, 3),
    st.sampled_from([Source.REFINEMENT, Source.HUMAN]),
)
moves = st.lists(st.one_of(edits, st.just("undo"), st.just("redo")), max_size=25)


def edit_of(places: list[int], value: int) -> Edit:
    return Edit(np.array(sorted(places), np.int64), np.full(len(places), value, np.uint8))


def base(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, SHAPE).astype(np.uint8)


@settings(deadline=None)
@given(moves)
def test_undo_and_redo_walk_through_whole_volumes_kept_aside(moves):
    history = History(base())
    states = [(history.labels.copy(), history.sources.copy())]
    at = 0
    for move in moves:
        if move == "undo":
            assert (history.undo() is None) == (at == 0)
            at = max(at - 1, 0)
        elif move == "redo":
            assert (history.redo() is None) == (at == len(states) - 1)
            at = min(at + 1, len(states) - 1)
        else:
            places, value, source = move
            if len(history.apply(edit_of(places, value), "paint", source)):
                labels, sources = states[at][0].copy(), states[at][1].copy()
                changed = [place for place in places if labels.flat[place] != value]
                labels.flat[changed] = value
                sources.flat[changed] = source
                states[at + 1 :] = [(labels, sources)]
                at += 1
        np.testing.assert_array_equal(history.labels, states[at][0])
        np.testing.assert_array_equal(history.sources, states[at][1])
        assert history.position == at
    np.testing.assert_array_equal(history.base, base())


@given(edits)
def test_a_step_comes_back_from_its_bytes(edit):
    history = History(base())
    history.apply(edit_of(edit[0], edit[1]), "Grow – a bit", edit[2])
    for step in history.steps:
        again = Step.from_bytes(step.to_bytes())
        assert (again.name, again.time, again.source) == (step.name, step.time, step.source)
        for one, other in zip(again.unpack(), step.unpack(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_edit_outside_the_volume_is_refused():
    history = History(base())
    with pytest.raises(ValueError, match="outside"):
        history.apply(edit_of([60], 1), "paint")
    np.testing.assert_array_equal(history.labels, base())


def test_edits_between_volumes_are_the_same_with_a_box_and_without():
    before, after = base(), base()
    after[1:3, 2:4, 1] = 3
    whole = Edit.between(before, after)
    boxed = Edit.between(before, after, (slice(1, 4), slice(2, 5), slice(0, 3)))
    np.testing.assert_array_equal(whole.indices, boxed.indices)
    np.testing.assert_array_equal(whole.values, boxed.values)
    assert len(whole)


def test_the_summary_counts_by_region_and_source():
    times = iter([0.0, 30.0, 1000.0])
    history = History(np.zeros(SHAPE, np.uint8), clock=lambda: next(times))
    history.apply(edit_of([0, 1, 2, 3], 3), "paint")
    history.apply(edit_of([3], 2), "refine", Source.REFINEMENT)
    history.apply(edit_of([7], 1), "paint")
    said = summarise(history, voxel_ml=0.5)
    assert said.changed_ml["human"] == {"WT": 2.0, "TC": 2.0, "ET": 1.5}
    assert said.changed_ml["refinement"] == {"WT": 0.5, "TC": 0, "ET": 0}
    assert said.dice == {"WT": 0, "TC": 0, "ET": 0}
    # Thirty seconds, and a long pause that counts as a minute.
    assert said.seconds_at_work == 90
