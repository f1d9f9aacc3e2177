"""What a modality is worth: exact Shapley values over all subsets, and where its absence shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import REGIONS, order_modalities

if TYPE_CHECKING:
    from napari_rdl.compare.label_stack import LabelStack


@dataclass(frozen=True)
class ModalityWorth:
    """Shapley values of the modalities, region by region.

    Attributes
    ----------
    measure : str
        ``dice``, or ``ml`` where there is no reference.
    values : dict
        Region -> modality -> value; None for a region that is empty in the reference, where Dice
        says nothing of how well it was found.
    full, empty : dict
        Region -> worth of all modalities and of none; the values sum to their difference.
    """

    measure: str
    values: dict[str, dict[str, float] | None]
    full: dict[str, float | None]
    empty: dict[str, float | None]


def shapley_values(
    players: Sequence[str], worth: Mapping[tuple[str, ...], float], empty: float = 0.0
) -> dict[str, float]:
    """Return each player's Shapley value: what it adds, averaged over all orders of joining.

    Parameters
    ----------
    players : sequence of str
        In the order in which subsets name them.
    worth : Mapping
        Subset -> its worth, for every non-empty subset.
    empty : float
        Worth of nobody.

    Returns
    -------
    dict
        Player -> value; they sum to the worth of all less `empty`.
    """
    count = len(players)
    total = factorial(count)
    values = dict.fromkeys(players, 0.0)
    for subset, value in worth.items():
        size = len(subset)
        for player in subset:
            without = tuple(other for other in subset if other != player)
            before = worth[without] if without else empty
            values[player] += factorial(size - 1) * factorial(count - size) / total * (value - before)
    return values


def modality_worth(
    modalities: Sequence[str],
    measure: str,
    worth: Mapping[str, Mapping[tuple[str, ...], float]],
    without_value: Iterable[str] = (),
) -> ModalityWorth:
    """Return the Shapley values of each region.

    The empty set is worth the empty label map: 0 ml, or a Dice of 0 against a region that is not empty.

    Parameters
    ----------
    modalities : sequence of str
    measure : str
        ``dice`` or ``ml``.
    worth : Mapping
        Region -> subset -> worth.
    without_value : iterable of str
        Regions that are empty in the reference.
    """
    left_out = set(without_value)
    known = [region for region in REGIONS if region not in left_out]
    everything = tuple(modalities)
    return ModalityWorth(
        measure,
        {
            region: shapley_values(modalities, worth[region]) if region in known else None
            for region in REGIONS
        },
        {region: worth[region][everything] if region in known else None for region in REGIONS},
        {region: 0.0 if region in known else None for region in REGIONS},
    )


LOST, GAINED = 1, 2
"""Values of `lost_and_gained`."""


def lost_and_gained(
    stack: LabelStack, modality: str, subset: Iterable[str] | None = None, *, region: str
) -> NDArray[np.uint8]:
    """Return where a region shrinks (`LOST`) and grows (`GAINED`) when `modality` is taken out of `subset`.

    Parameters
    ----------
    stack : LabelStack
    modality : str
    subset : iterable of str, optional
        All modalities if left out.
    region : str
        WT, TC or ET.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)
        0 where nothing changes.

    Raises
    ------
    ValueError
        If the subset does not hold the modality.
    """
    before, after = (
        np.isin(labels, REGIONS[region]) for labels in _with_and_without(stack, modality, subset)
    )
    ways = (before & ~after) * np.uint8(LOST) + (after & ~before) * np.uint8(GAINED)
    return stack.spread(ways.astype(np.uint8))


def changed_without(
    stack: LabelStack, modality: str, subset: Iterable[str] | None = None, region: str | None = None
) -> NDArray[np.bool_]:
    """Return the voxels (X, Y, Z) whose label changes when `modality` is taken out of `subset`.

    Where `subset` is the modality alone, nothing is left, and all that it says changes.

    Parameters
    ----------
    stack : LabelStack
    modality : str
    subset : iterable of str, optional
        All modalities if left out.
    region : str, optional
        Look only at whether a voxel belongs to WT, TC or ET.

    Raises
    ------
    ValueError
        If the subset does not hold the modality.
    """
    before, after = _with_and_without(stack, modality, subset)
    if region is None:
        return stack.spread(before != after)
    members = REGIONS[region]
    return stack.spread(np.isin(before, members) != np.isin(after, members))


def _with_and_without(
    stack: LabelStack, modality: str, subset: Iterable[str] | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the labels of `subset`, and those without `modality`, of the stack's voxels."""
    names = stack.modalities if subset is None else order_modalities(subset, stack.modalities)
    if modality not in names:
        raise ValueError(f"{modality} is not in the subset {', '.join(names) or 'of none'}.")
    rest = [name for name in names if name != modality]
    before = stack.classes[stack.row_of(names)]
    return before, stack.classes[stack.row_of(rest)] if rest else np.zeros_like(before)
