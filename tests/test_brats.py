"""The vocabulary: subsets in the paper's order, spellings, label conventions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl import brats


def test_the_fifteen_subsets_stand_in_the_order_of_the_papers_tables():
    names = [brats.subset_name(subset) for subset in brats.SUBSETS]
    assert names == [
        "FLAIR",
        "T2",
        "T1c",
        "T1",
        "T2+FLAIR",
        "T1c+FLAIR",
        "T1c+T2",
        "T1+FLAIR",
        "T1+T2",
        "T1+T1c",
        "T1c+T2+FLAIR",  # ~T1
        "T1+T2+FLAIR",  # ~T1c
        "T1+T1c+FLAIR",  # ~T2
        "T1+T1c+T2",  # ~FLAIR
        "T1+T1c+T2+FLAIR",
    ]


@given(st.integers(1, 6))
def test_k_modalities_have_all_their_non_empty_subsets_once(count):
    names = tuple(f"m{index}" for index in range(count))
    subsets = brats.all_subsets(names)
    assert len(set(subsets)) == len(subsets) == 2**count - 1
    assert subsets[-1] == names
    assert all(subset == brats.order_modalities(subset, names) for subset in subsets)
    sizes = [len(subset) for subset in subsets]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("text", "subset"),
    [
        ("T1c,FLAIR", ("T1c", "FLAIR")),
        ("flair+t1ce", ("T1c", "FLAIR")),
        ("T2W t1n", ("T1", "T2")),
        ("fla, T1Gd, T1", ("T1", "T1c", "FLAIR")),
        ("T2,T2", ("T2",)),
    ],
)
def test_a_subset_is_read_from_what_people_type(text, subset):
    assert brats.parse_subset(text) == subset


@pytest.mark.parametrize(
    ("text", "named"), [("T1,PET", "'PET'"), ("", "at least one"), (",", "at least one")]
)
def test_a_subset_of_strangers_is_refused(text, named):
    with pytest.raises(ValueError, match=named):
        brats.parse_subset(text)


@pytest.mark.parametrize(
    ("token", "modality"),
    [
        ("t1", "T1"),
        ("t1n", "T1"),
        ("t1ce", "T1c"),
        ("T1Gd", "T1c"),
        ("t1c", "T1c"),
        ("t2w", "T2"),
        ("t2W", "T2"),
        ("t2f", "FLAIR"),
        ("fla", "FLAIR"),
        ("Flair", "FLAIR"),
        ("seg", None),
        ("", None),
        ("t3", None),
    ],
)
def test_spellings(token, modality):
    assert brats.modality_of_token(token) == modality


def test_no_spelling_means_two_things():
    spellings = [word for words in brats.MODALITY_ALIASES.values() for word in words]
    spellings += brats.MASK_ALIASES
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize("name", brats.LABEL_CONVENTIONS)
def test_what_a_convention_writes_it_reads_back(name):
    convention = brats.LABEL_CONVENTIONS[name]
    classes = np.arange(4, dtype=np.uint8).reshape(1, 2, 2)
    values = convention.encode(classes)
    assert values.dtype == np.uint8
    assert np.array_equal(convention.decode(values), classes)


@pytest.mark.parametrize(
    ("name", "values", "classes"),
    [
        ("brats2018", [0, 1, 2, 4], [0, 1, 2, 3]),
        ("brats2023", [0, 1, 2, 3], [0, 1, 2, 3]),
        ("brats2024", [0, 1, 2, 3, 4], [0, 1, 2, 3, 0]),
        ("brats2013", [0, 1, 2, 3, 4], [0, 1, 2, 1, 3]),
    ],
)
def test_conventions_as_the_challenges_define_them(name, values, classes):
    assert brats.LABEL_CONVENTIONS[name].decode(np.array(values)).tolist() == classes


@pytest.mark.parametrize("layout", ["C", "F", "turned", "every other"])
def test_a_mask_is_decoded_voxel_by_voxel_however_it_lies_in_memory(layout):
    values = np.random.default_rng(0).choice([0, 0, 1, 2, 4], (4, 6, 5)).astype(np.float32)
    laid = {
        "C": values,
        "F": np.asfortranarray(values),
        "turned": values.transpose(2, 0, 1),
        "every other": values[::-2, ::2],
    }[layout]
    classes = brats.LABEL_CONVENTIONS["brats2018"].decode(laid)
    assert classes.dtype == np.uint8
    assert classes.shape == laid.shape
    meant = {0: 0, 1: 1, 2: 2, 4: 3}
    assert all(classes[at] == meant[laid[at]] for at in np.ndindex(laid.shape))


@pytest.mark.parametrize(
    ("name", "value"), [("brats2018", 3), ("brats2023", 4), ("brats2013", 5), ("brats2018", 1.5)]
)
def test_a_value_outside_the_convention_is_named(name, value):
    with pytest.raises(ValueError, match=f"{value:g}"):
        brats.LABEL_CONVENTIONS[name].decode(np.array([0, 1, value]))


def test_regions_are_nested():
    whole, core, enhancing = (set(brats.REGIONS[name]) for name in ("WT", "TC", "ET"))
    assert enhancing < core < whole
    assert whole == set(range(1, len(brats.CLASSES)))


def test_every_tumour_class_has_a_title_and_a_colour():
    assert set(brats.CLASS_TITLES) == set(brats.CLASSES[1:])
    assert set(brats.CLASS_COLOURS) == set(range(1, len(brats.CLASSES)))
