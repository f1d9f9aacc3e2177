"""The vocabulary of BraTS: modalities, subsets, classes, regions and label conventions.

Every other module takes its words from here; this one imports nothing of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

MODALITIES: tuple[str, ...] = ("T1", "T1c", "T2", "FLAIR")
"""The four modalities, in the one order used for files, sums and names."""

MODALITY_ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "T1": ("t1", "t1n", "t1w", "t1pre", "t1native", "mprage", "mpr", "spgr", "fspgr", "bravo"),
        "T1c": (
            "t1c",
            "t1ce",
            "t1gd",
            "t1gad",
            "t1post",
            "t1km",
            "t1contrast",
            "t1wce",
            "t1cw",
            "ct1",
            "ce1",
        ),
        "T2": ("t2", "t2w"),
        "FLAIR": ("flair", "fla", "fl", "t2f", "t2flair", "tirm", "darkfluid"),
    }
)
"""Lower-case spellings found in real folders; BraTS 2018-2021 and 2023+ names, and sequences', among them."""

MASK_ALIASES: tuple[str, ...] = ("seg", "segm", "mask", "label", "labels", "otmulticlass", "gt", "truth")
"""Lower-case spellings of an expert's mask."""

CLASSES: tuple[str, ...] = ("background", "NCR", "ED", "ET")
"""Class names by class index; class indices, not file values, are used inside the program."""

CLASS_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "NCR": "necrotic and non-enhancing core (NCR)",
        "ED": "oedema (ED)",
        "ET": "enhancing tumour (ET)",
    }
)
"""What a user reads for each tumour class."""

CLASS_COLOURS: Mapping[int, str] = MappingProxyType({1: "#cc3311", 2: "#0077bb", 3: "#f0e442"})
"""Class index -> colour: NCR red, ED blue, ET yellow, which whoever sees few colours tells apart (measured).

Red and blue of Paul Tol's *vibrant* scheme, yellow of Okabe and Ito's.
"""

REGIONS: Mapping[str, tuple[int, ...]] = MappingProxyType({"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)})
"""Evaluation regions as unions of class indices; nested by construction: ET in TC in WT."""

REGION_TITLES: Mapping[str, str] = MappingProxyType(
    {"WT": "whole tumour", "TC": "tumour core", "ET": "enhancing tumour"}
)


def order_modalities(modalities: Iterable[str], known: Iterable[str] = MODALITIES) -> tuple[str, ...]:
    """Return `modalities` without repeats in the order of `known`.

    Raises
    ------
    ValueError
        If a name is not among `known`.
    """
    known = tuple(known)
    asked = set(modalities)
    strangers = sorted(asked - set(known))
    if strangers:
        raise ValueError(f"{', '.join(map(repr, strangers))} is no known modality: use {', '.join(known)}.")
    return tuple(name for name in known if name in asked)


def all_subsets(modalities: Iterable[str] = MODALITIES) -> tuple[tuple[str, ...], ...]:
    """Return the 2^k - 1 non-empty subsets of `modalities` in the order of the paper's tables.

    Tables II and III count the modalities from the last to the first (FLAIR, T2, T1c, T1): single
    modalities first, then pairs, then triples by the modality that they lack, then all. For the
    four modalities of BraTS this gives Fl, T2, T1c, T1, T2+Fl, T1c+Fl, T1c+T2, T1+Fl, T1+T2,
    T1+T1c, ~T1, ~T1c, ~T2, ~Fl, Full.
    """
    names = tuple(modalities)
    subsets: list[tuple[str, ...]] = []
    for size in range(1, len(names) + 1):
        rows = list(combinations(range(len(names)), size))
        if size == 1:
            rows.reverse()
        elif size == 2:
            # By the earlier modality from last to first, then by the later one from last to first:
            # T2+Fl, T1c+Fl, T1c+T2, T1+Fl, T1+T2, T1+T1c.
            rows.sort(key=lambda row: (-row[0], -row[1]))
        else:
            rows.sort(reverse=True)
        subsets += [tuple(names[index] for index in row) for row in rows]
    return tuple(subsets)


SUBSETS: tuple[tuple[str, ...], ...] = all_subsets()
"""The fifteen subsets of the four modalities, in the order of the paper's Tables II and III."""


def subset_name(subset: Iterable[str]) -> str:
    """Return a subset's name as it stands in file names and tables, such as ``T1c+FLAIR``."""
    return "+".join(subset)


def parse_subset(text: str, known: Iterable[str] = MODALITIES) -> tuple[str, ...]:
    """Read ``T1c,FLAIR`` or ``t1ce+flair`` as a subset in the fixed order.

    Raises
    ------
    ValueError
        If a part is not a spelling of a known modality, or if there is none.
    """
    parts = [part for part in re.split(r"[,+\s]+", text.strip()) if part]
    named = [modality_of_token(part) or part for part in parts]
    subset = order_modalities(named, known)
    if not subset:
        raise ValueError(f"Name at least one modality of {', '.join(known)}.")
    return subset


def modality_of_token(token: str) -> str | None:
    """Return the modality that a file-name token such as ``t1ce`` or ``T1Gd`` spells, or None."""
    key = re.sub(r"[^a-z0-9]", "", token.lower())
    for modality, spellings in MODALITY_ALIASES.items():
        if key in spellings:
            return modality
    return None


@dataclass(frozen=True)
class LabelConvention:
    """How a file's mask values name the classes.

    Attributes
    ----------
    name : str
        Name, as users give it and as the provenance records it.
    to_class : Mapping[int, int]
        File value -> class index. Several values may mean one class.
    from_class : tuple of int
        File value to write for each class index.
    """

    name: str
    title: str
    to_class: Mapping[int, int]
    from_class: tuple[int, int, int, int]

    def decode(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Turn file values into class indices (same shape, uint8).

        Raises
        ------
        ValueError
            If a value is not of this convention.
        """
        # In the order of memory, and looking at few voxels only: 0 is background in every convention.
        flat = values.ravel(order="K")
        marked = np.flatnonzero(flat)
        there = flat[marked]
        unknown = np.unique(there[~np.isin(there, list(self.to_class))]).tolist()
        if unknown:
            strangers = ", ".join(f"{value:g}" for value in unknown[:5])
            raise ValueError(
                f"it holds the label {strangers}, which the convention "
                f"{self.name!r} ({', '.join(map(str, sorted(self.to_class)))}) does not have"
            )
        found = np.zeros(len(there), np.uint8)
        for value, index in self.to_class.items():
            found[there == value] = index
        classes = np.zeros_like(values, np.uint8, subok=False)
        classes.ravel(order="K")[marked] = found
        return classes

    def encode(self, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn class indices into file values (same shape, uint8)."""
        return np.asarray(self.from_class, np.uint8)[classes]


LABEL_CONVENTIONS: Mapping[str, LabelConvention] = MappingProxyType(
    {
        convention.name: convention
        for convention in (
            LabelConvention(
                "brats2018",
                "BraTS 2017-2021: 1 NCR/NET, 2 ED, 4 ET",
                MappingProxyType({0: 0, 1: 1, 2: 2, 4: 3}),
                (0, 1, 2, 4),
            ),
            LabelConvention(
                "brats2023",
                "BraTS 2023: 1 NCR, 2 ED, 3 ET",
                MappingProxyType({0: 0, 1: 1, 2: 2, 3: 3}),
                (0, 1, 2, 3),
            ),
            LabelConvention(
                # The cavity is no tumour: it is read as background and never written.
                "brats2024",
                "BraTS 2024 post-treatment: 1 NETC, 2 SNFH, 3 ET, 4 resection cavity",
                MappingProxyType({0: 0, 1: 1, 2: 2, 3: 3, 4: 0}),
                (0, 1, 2, 3),
            ),
            LabelConvention(
                "brats2013",
                "BRATS 2012-2013: 1 necrosis, 2 ED, 3 non-enhancing core, 4 ET",
                MappingProxyType({0: 0, 1: 1, 2: 2, 3: 1, 4: 3}),
                (0, 1, 2, 4),
            ),
        )
    }
)
"""Known conventions by name. Which one a patient uses follows from the files' names or from
what the user says, never from the values found."""

DEFAULT_CONVENTION = "brats2018"
"""Written where a patient's names do not say which convention is theirs."""
