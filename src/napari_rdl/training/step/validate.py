"""Hard Dice of every subset on prepared patients, while a run is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl.boxes import bounding_box, shape_of
from napari_rdl.brats import REGIONS, all_subsets, subset_name
from napari_rdl.metrics import region_dice
from napari_rdl.models import RobustNet
from napari_rdl.segment.tiles import encode_tiles, tile_shape
from napari_rdl.training.data.cache import CachedPatient
from napari_rdl.training.data.subsets import subset_matrix
from napari_rdl.training.step.preview import Example

Scores = dict[str, dict[str, float]]
"""Subset's name -> region -> Dice."""


def subset_predictions(
    network: RobustNet,
    images: Tensor,
    present: NDArray[np.bool_],
    *,
    tile: int,
    overlap: float,
    precision: str,
) -> Iterator[tuple[tuple[str, ...], NDArray[np.uint8]]]:
    """Yield each subset of what is present with its labels; one backbone pass for each modality.

    Parameters
    ----------
    network : RobustNet
        In evaluation mode.
    images : Tensor
        (M, X, Y, Z) prepared intensities, on the network's device.
    present : ndarray
        (M,) bool.
    tile, overlap, precision
        As in `napari_rdl.segment`.
    """
    terms = {
        name: _term(network, images[index], index, tile=tile, overlap=overlap, precision=precision)
        for index, name in enumerate(network.config.modalities)
        if present[index]
    }
    for subset in all_subsets(tuple(terms)):
        total = sum((terms[name] for name in subset[1:]), terms[subset[0]])
        yield subset, total.argmax(0).to(torch.uint8).cpu().numpy()


def _term(
    network: RobustNet, image: Tensor, modality: int, *, tile: int, overlap: float, precision: str
) -> Tensor:
    """Return what one modality adds to a subset's sum (J, X, Y, Z): zero outside its own brain."""
    classes = len(network.config.classes)
    inside = image != 0
    term = image.new_zeros(classes, *image.shape)
    box = bounding_box(inside.cpu().numpy())
    if box is None:
        return term
    logits = encode_tiles(
        network,
        image[box],
        modality,
        roi=tile_shape(shape_of(box), tile, network.config.stride),
        overlap=overlap,
        precision=precision,
        results_device=image.device,
        after_tile=lambda: None,
    )
    term[(slice(None), *box)] = logits[:classes] * inside[box]
    return term


def validate(
    network: RobustNet,
    patients: Sequence[CachedPatient],
    *,
    tile: int,
    overlap: float,
    precision: str = "float32",
    device: torch.device | None = None,
    see: Callable[[Example], object] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sums and counts of the Dice over patients.

    Sums may be added over processes; `mean_scores` makes the means of them. `see` is shown the
    first patient with the labels that all of its modalities together give.

    Returns
    -------
    sums : ndarray
        (S, 3): subsets in the paper's order, regions WT, TC, ET.
    counts : ndarray
        (S, 1): patients that have the subset.
    """
    subsets = all_subsets(network.config.modalities)
    sums, counts = np.zeros((len(subsets), len(REGIONS))), np.zeros((len(subsets), 1))
    was_training = network.training
    network.eval()
    for patient in patients:
        images = torch.from_numpy(patient.images()).to(device or "cpu")
        for subset, labels in subset_predictions(
            network, images, patient.present, tile=tile, overlap=overlap, precision=precision
        ):
            row = subsets.index(subset)
            sums[row] += list(region_dice(labels, patient.classes).values())
            counts[row] += 1
        if see is not None and patient is patients[0]:
            # The last subset is that of everything present.
            see(Example(images.cpu().numpy(), patient.classes, labels))
    network.train(was_training)
    return sums, counts


def mean_scores(sums: NDArray[np.float64], counts: NDArray[np.float64], modalities: Sequence[str]) -> Scores:
    """Return the mean Dice of each subset and region that any patient had."""
    assert len(sums) == len(subset_matrix(modalities))
    scores: Scores = {}
    for subset, row, count in zip(all_subsets(modalities), sums, counts[:, 0], strict=True):
        if count:
            scores[subset_name(subset)] = {
                region: float(value / count) for region, value in zip(REGIONS, row, strict=True)
            }
    return scores


def overall(scores: Scores) -> float:
    """Return the mean over subsets and regions: what `best` is chosen by."""
    return float(np.mean([list(row.values()) for row in scores.values()]))
