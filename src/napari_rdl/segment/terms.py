"""What a network said of one modality, as it is kept: cut to its brain, on the case's own place."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from napari_rdl import boxes
from napari_rdl.boxes import Box
from napari_rdl.case import Case
from napari_rdl.errors import CaseError
from napari_rdl.models import SeparableNetwork
from napari_rdl.models.patches import unfold
from napari_rdl.segment.dense import Outline
from napari_rdl.segment.linear import LinearTerm
from napari_rdl.segment.placement import box_on, lattice_affine, moved
from napari_rdl.segment.scan import Scan
from napari_rdl.segment.sums import SparseTerm
from napari_rdl.segment.working_grid import WorkingGrid

_TOUCHED = 1e-6


def linear_term(
    network: SeparableNetwork, terms: Tensor, grid: WorkingGrid, inside: NDArray[np.bool_]
) -> LinearTerm:
    """Bring a linear network's terms (T, d, h, w) from `grid` to the voxels of its box.

    Outside its own brain mask (`inside`, of that box) a modality says nothing: zero is the sum's neutral
    element.
    """
    patch, classes = network.patch, len(network.config.classes)
    if patch > 1:
        logits, weight = unfold(terms[None, :-1], patch)[0], terms[-1:]
        for axis in (1, 2, 3):
            weight = weight.repeat_interleave(patch, axis)
        terms = torch.cat((logits, weight))
    with torch.inference_mode():
        native = grid.to_case(terms)
        native *= torch.from_numpy(inside).to(native.device)
    return LinearTerm(native[:classes], native[classes], grid.box)


def placed_linear_term(network: SeparableNetwork, terms: Tensor, case: Case, scan: Scan) -> LinearTerm:
    """Return the term of a scan on the case's grid."""
    term = linear_term(network, terms, scan.working, scan.inside())
    if not scan.moved:
        return term
    outline = outline_of(case, scan)
    with torch.inference_mode():
        parts = torch.cat((term.logits, term.weight[None]))
        native = moved(parts, _from(case, outline.box, scan), boxes.shape_of(outline.box))
        # Interpolation reaches beyond the brain, by less than a voxel of its own.
        native *= torch.from_numpy(outline.mask).to(native.device)
    return LinearTerm(native[:-1], native[-1], outline.box)


def placed_sparse_term(
    network: SeparableNetwork, terms: Tensor, case: Case, scan: Scan, inside: Tensor
) -> SparseTerm:
    """Return the term of a scan on the case's lattice: what a non-linear network said `inside` the brain."""
    if not scan.moved:
        return SparseTerm.of(terms, inside, scan.working)
    patch = network.patch
    grid = _grid_on(case, scan, patch)
    x, y, z = (size // patch for size in grid.shape)
    matrix = _between(case, grid, scan, patch)
    with torch.inference_mode():
        here = inside.to(terms.device)
        there = moved(torch.where(here, terms, 0), matrix, (x, y, z))
        reached = moved(here[None].float(), matrix, (x, y, z))[0] > _TOUCHED
    return SparseTerm.of(there, reached, grid)


def touched(grid: WorkingGrid, inside: NDArray[np.bool_], patch: int) -> Tensor:
    """Return which term voxels of a working grid (D/p, H/p, W/p) a brain touches: `inside`, of its box."""
    share = grid.to_working(torch.from_numpy(inside).float())
    return (share if patch == 1 else functional.max_pool3d(share[None], patch)[0]) > _TOUCHED


def outline_of(case: Case, scan: Scan) -> Outline:
    """Return a modality's brain on the case's grid."""
    if not scan.moved:
        return Outline(scan.working.box, scan.inside())
    box = _reach(case, scan)
    mask = torch.from_numpy(scan.inside()).float()[None]
    there = moved(mask, _from(case, box, scan), boxes.shape_of(box), nearest=True)[0]
    return Outline(box, there.numpy() > 0.5)


def on_case(case: Case, scan: Scan, volume: Tensor) -> tuple[Tensor, WorkingGrid]:
    """Return a volume (D, H, W) of the scan's working lattice on the case's, and the part covered."""
    if not scan.moved:
        return volume, scan.working
    grid = _grid_on(case, scan, 1)
    return moved(volume[None], _between(case, grid, scan, 1), grid.shape)[0], grid


def _reach(case: Case, scan: Scan) -> Box:
    box = box_on(case.grid, scan.own, scan.working.box)
    if box is None:
        raise CaseError(
            f"The {scan.name} image of {case.name} lies outside the other images' grid: leave it out, or "
            "give images of one place."
        )
    return box


def _grid_on(case: Case, scan: Scan, patch: int) -> WorkingGrid:
    return WorkingGrid.covering(
        _reach(case, scan),
        case.grid.spacing,
        scan.working.spacing,
        patch=patch,
        within=case.grid.shape,
    )


def _from(case: Case, box: Box, scan: Scan) -> NDArray[np.float64]:
    """Return the map from voxels of `box` on the case's grid to those of the scan's box on its own."""
    there, here = np.eye(4), np.eye(4)
    there[:3, 3] = boxes.start_of(box)
    here[:3, 3] = boxes.start_of(scan.working.box)
    return np.linalg.inv(scan.own.affine @ here) @ case.grid.affine @ there


def _between(case: Case, grid: WorkingGrid, scan: Scan, patch: int) -> NDArray[np.float64]:
    """Return the map from term voxels of the case's lattice to those of the scan's."""
    own = lattice_affine(scan.own, scan.working.start, scan.working.spacing, patch)
    return np.linalg.inv(own) @ lattice_affine(case.grid, grid.start, grid.spacing, patch)
