"""Encode once: one backbone pass for each modality that is present."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from napari_rdl.brats import CLASSES, order_modalities, subset_name
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import Case
from napari_rdl.errors import CaseError, CheckpointError
from napari_rdl.models import JointNetwork, Model, SeparableNetwork
from napari_rdl.segment.answers import Answers, Subset, stop_if
from napari_rdl.segment.attempts import Attempts
from napari_rdl.segment.kept_memory import large_pieces_kept
from napari_rdl.segment.linear import LinearSums, LinearTerm
from napari_rdl.segment.passes import JointPasses
from napari_rdl.segment.readout import Readout
from napari_rdl.segment.representations import Representations
from napari_rdl.segment.scan import Scan
from napari_rdl.segment.settings import SegmentSettings
from napari_rdl.segment.sums import SparseTerm
from napari_rdl.segment.terms import on_case, outline_of, placed_linear_term, placed_sparse_term, touched
from napari_rdl.segment.tiles import encode_tiles, joint_tiles
from napari_rdl.segment.workers import in_order

DEFAULT_BUDGET = 2**30
"""What the logits of a joint model's subsets may hold, in bytes."""


@large_pieces_kept()
def encode(
    case: Case,
    model: Model,
    *,
    modalities: Iterable[str] | None = None,
    settings: SegmentSettings | None = None,
    budget_bytes: int = DEFAULT_BUDGET,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Representations:
    """Pass each modality of a case through the network, alone.

    A modality's representation depends on that modality only: its own grid, brain mask, normalisation
    and tiles. On the CPU it is the same bit for bit whichever others are present. A joint model cannot
    do this: its passes, one for each subset, are made when a subset is asked for.

    Parameters
    ----------
    case : Case
        Images (X, Y, Z) in RAS+ order on one grid.
    model : Model
        Network with its card; images are resampled to the card's working spacing.
    modalities : iterable of str, optional
        Which to encode; all that the case has and the model knows if left out.
    settings : SegmentSettings, optional
        Device, precision, tiles.
    budget_bytes : int
        What the kept logits of a joint model's subsets may hold.
    progress, cancelled : callable, optional
        Called after every tile.

    Returns
    -------
    Representations
        Everything that any subset needs, on the case's grid.

    Raises
    ------
    CaseError
        If a modality asked for is not there, or an image has no brain voxels.
    CheckpointError
        If the model knows none of the case's modalities, segments nothing, or its labels are others than
        BraTS's or in another order.
    DeviceError
        If the device is not there, or even the most frugal attempt runs out of memory.
    Cancelled
        If `cancelled` answered True.
    """
    settings = settings or SegmentSettings()
    progress = progress or ignore_progress
    cancelled = cancelled or never_cancelled
    started = time.perf_counter()
    _refuse_what_segments_nothing(model)
    _refuse_other_classes(model)
    names = _choose(case, model, modalities)
    attempts = Attempts(model, settings)
    network = model.network
    begun = partial(_Begun.of, case, model)
    images = {}
    for name, image in zip(names, in_order(begun, names, torch.device("cpu")), strict=True):
        stop_if(cancelled)
        images[name] = image
    if isinstance(network, JointNetwork):
        answers: Answers = _joint(attempts, network, case, images, budget_bytes)
    else:
        answers = _separable(attempts, network, case, images, progress, cancelled)
    attempts.finish()
    return Representations(answers, case, attempts.computation, time.perf_counter() - started)


def _refuse_what_segments_nothing(model: Model) -> None:
    if not model.card.segments:
        raise CheckpointError(
            f"The model {model.name} was trained to restore masked images and segments nothing: train on "
            "from it (start_from), and use what comes of that."
        )


def _refuse_other_classes(model: Model) -> None:
    said = model.card.network.classes
    if said != CLASSES:
        raise CheckpointError(
            f"The model {model.name} says {', '.join(said)}, and labels here are {', '.join(CLASSES)} in "
            "this order: use a checkpoint of these."
        )


@dataclass(frozen=True)
class _Begun:
    """A modality as far as the processor brings it by itself.

    Attributes
    ----------
    scan : Scan
    image : Tensor
        (D, H, W) normalised intensities on the working grid, less `outside`.
    outside : float
    inside : Tensor or None
        (D/p, H/p, W/p) where a network is asked whose terms are kept voxel by voxel.
    """

    scan: Scan
    image: Tensor
    outside: float
    inside: Tensor | None

    @classmethod
    def of(cls, case: Case, model: Model, name: str) -> _Begun:
        """Look at one modality alone."""
        network = model.network
        patch = getattr(network, "patch", 1)
        scan = Scan.of(case, name, model.card.spacing, patch, model.card.normalization)
        normal, outside = scan.normal()
        sparse = isinstance(network, SeparableNetwork) and not network.linear
        inside = touched(scan.working, scan.inside(), patch) if sparse else None
        return cls(scan, scan.working.to_working(normal), outside, inside)


def _separable(
    attempts: Attempts,
    network: SeparableNetwork,
    case: Case,
    begun: Mapping[str, _Begun],
    progress: Progress,
    cancelled: IsCancelled,
) -> Answers:
    attempts.plan({name: one.scan.working.shape for name, one in begun.items()}, progress, cancelled)
    outside = {name: one.outside for name, one in begun.items()}
    inside = {name: one.inside for name, one in begun.items() if one.inside is not None}

    def encode_some(names: list[str]) -> dict[str, LinearTerm | SparseTerm]:
        images = {name: begun[name].image.to(attempts.device) for name in names}
        said = encode_tiles(
            attempts.place(network), images, attempts.tiling, attempts.after_tile, outside, inside
        )
        return {
            name: placed_sparse_term(network, said.pop(name), case, begun[name].scan, inside[name])
            if name in inside
            else placed_linear_term(network, said.pop(name), case, begun[name].scan)
            for name in names
        }

    kept: dict[str, LinearTerm | SparseTerm] = {}
    ahead = list(begun)
    while ahead:
        # On a GPU tiles of all modalities share batches; on the CPU each is done, and kept, before the next.
        some = ahead[:1] if attempts.device.type == "cpu" else ahead
        kept |= attempts.make(some, partial(encode_some, some))
        ahead = ahead[len(some) :]
    if network.linear:
        return LinearSums({name: term for name, term in kept.items() if isinstance(term, LinearTerm)})
    terms = {name: term for name, term in kept.items() if isinstance(term, SparseTerm)}
    return Readout(network, terms, {name: outline_of(case, one.scan) for name, one in begun.items()})


def _joint(
    attempts: Attempts,
    network: JointNetwork,
    case: Case,
    begun: Mapping[str, _Begun],
    budget_bytes: int,
) -> Answers:
    def run_pass(
        subset: Subset, images: Mapping[str, Tensor], progress: Progress, cancelled: IsCancelled
    ) -> Tensor:
        title = subset_name(subset)
        x, y, z = next(iter(images.values())).shape
        attempts.plan({title: (x, y, z)}, progress, cancelled)

        def work() -> Tensor:
            there = {name: image.to(attempts.device) for name, image in images.items()}
            return joint_tiles(
                attempts.place(network),
                there,
                attempts.tiling,
                partial(attempts.after_tile, title),
                {name: begun[name].outside for name in there},
            )

        logits = attempts.make([title], work)
        attempts.finish()
        return logits

    images, grids = {}, {}
    for modality, one in begun.items():
        images[modality], grids[modality] = on_case(case, one.scan, one.image)
    outlines = {modality: outline_of(case, one.scan) for modality, one in begun.items()}
    return JointPasses(run_pass, images, grids, outlines, budget_bytes)


def _choose(case: Case, model: Model, modalities: Iterable[str] | None) -> tuple[str, ...]:
    known = model.card.network.modalities
    if modalities is None:
        names = tuple(name for name in known if name in case.images)
        if not names:
            raise CheckpointError(
                f"The model {model.name!r} knows {', '.join(known)}, none of which {case.name} has: "
                "choose another model."
            )
        return names
    try:
        names = order_modalities(modalities, known)
    except ValueError as error:
        raise CaseError(str(error)) from error
    missing = [name for name in names if name not in case.images]
    if missing or not names:
        raise CaseError(
            f"{case.name} has no {' and no '.join(missing) or 'modality chosen'}: choose among "
            f"{', '.join(case.images)}."
        )
    return names
