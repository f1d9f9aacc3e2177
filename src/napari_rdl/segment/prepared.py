"""Subsets of images that lie on the working grid already, as those of a training do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl.boxes import bounding_box
from napari_rdl.brats import all_subsets
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.models import JointNetwork
from napari_rdl.models.base import Network
from napari_rdl.segment.answers import Answers, Labels, Subset
from napari_rdl.segment.dense import Outline
from napari_rdl.segment.linear import LinearSums
from napari_rdl.segment.passes import JointPasses
from napari_rdl.segment.readout import Readout
from napari_rdl.segment.sums import SparseTerm
from napari_rdl.segment.terms import linear_term, touched
from napari_rdl.segment.tiles import Tiling, encode_tiles, joint_tiles
from napari_rdl.segment.working_grid import WorkingGrid

_UNIT = (1.0, 1.0, 1.0)
_GPU_BATCH = 8
_KEPT_BYTES = 2**28


def prepared_labels(
    network: Network,
    images: Tensor,
    present: NDArray[np.bool_],
    *,
    tile: int,
    overlap: float,
    precision: str,
) -> Iterator[tuple[Subset, Labels]]:
    """Yield each subset of what is present with its labels (X, Y, Z), in the order of the paper's tables.

    Parameters
    ----------
    network : SeparableNetwork or JointNetwork
        In evaluation mode.
    images : Tensor
        (M, X, Y, Z) normalised intensities on the working grid, 0 outside the brain, on the network's
        device.
    present : ndarray
        (M,) bool. A modality without any brain counts as saying nothing.
    tile, overlap, precision
        As in `napari_rdl.segment`.
    """
    known: Subset = network.config.modalities
    names = tuple(name for index, name in enumerate(known) if present[index])
    x, y, z = images.shape[1:]
    masks = {name: (images[known.index(name)] != 0).cpu().numpy() for name in names}
    found = {name: bounding_box(mask) for name, mask in masks.items()}
    brains = {name: box for name, box in found.items() if box is not None}
    if not brains:
        for subset in all_subsets(names):
            yield subset, np.zeros((x, y, z), np.uint8)
        return
    patch = getattr(network, "patch", 1)
    grids = {
        name: WorkingGrid.covering(box, _UNIT, _UNIT, patch=patch, within=(x, y, z))
        for name, box in brains.items()
    }
    cut = {name: grid.to_working(images[known.index(name)][grid.box].float()) for name, grid in grids.items()}
    outlines = {name: Outline(grid.box, masks[name][grid.box]) for name, grid in grids.items()}
    batch = 1 if images.device.type == "cpu" else _GPU_BATCH
    answers = _answers(network, cut, grids, outlines, Tiling(tile, overlap, precision, images.device, batch))
    for subset in all_subsets(names):
        labels = np.zeros((x, y, z), np.uint8)
        spoken = tuple(name for name in subset if name in brains)
        if spoken:
            labels[answers.box] = answers.labels(spoken, ignore_progress, never_cancelled)
        yield subset, labels


def _answers(
    network: Network,
    images: Mapping[str, Tensor],
    grids: Mapping[str, WorkingGrid],
    outlines: Mapping[str, Outline],
    tiling: Tiling,
) -> Answers:
    if isinstance(network, JointNetwork):

        def run_pass(
            subset: Subset, there: Mapping[str, Tensor], progress: Progress, cancelled: IsCancelled
        ) -> Tensor:
            return joint_tiles(network, there, tiling, lambda: None)

        return JointPasses(run_pass, images, grids, outlines, _KEPT_BYTES)
    if network.linear:
        terms = encode_tiles(network, images, tiling, lambda name: None)
        return LinearSums(
            {name: linear_term(network, terms[name], grids[name], outlines[name].mask) for name in images}
        )
    inside = {name: touched(grids[name], outlines[name].mask, network.patch) for name in images}
    terms = encode_tiles(network, images, tiling, lambda name: None, where=inside)
    kept = {name: SparseTerm.of(terms.pop(name), inside[name], grids[name]) for name in images}
    return Readout(network, kept, outlines)
