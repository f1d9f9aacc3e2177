"""Hard Dice of every subset on prepared patients, while a run is under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from napari_rdl.brats import REGIONS, all_subsets, subset_name
from napari_rdl.cohort.patients import Patient
from napari_rdl.metrics import region_dice
from napari_rdl.models import Network
from napari_rdl.segment import prepared_labels
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.cache import CachedPatient, PatientCache
from napari_rdl.training.data.subsets import subset_matrix
from napari_rdl.training.step.preview import Example
from napari_rdl.training.step.stepper import Stepper

PRECISIONS = {"32-true": "float32", "bf16-mixed": "bf16", "16-mixed": "fp16"}
"""What inference calls the precisions of training."""

Scores = dict[str, dict[str, float]]
"""Subset's name -> region -> Dice."""


def validate(
    network: Network,
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
        for subset, labels in prepared_labels(
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


class Validator:
    """Scores a run's network on its validation patients, each process a share of them.

    Parameters
    ----------
    config : TrainingConfig
        Tile, overlap, precision.
    patients : sequence of Patient
        Those of all processes.
    cache : PatientCache
        Where they are prepared.
    """

    def __init__(self, config: TrainingConfig, patients: Sequence[Patient], cache: PatientCache) -> None:
        self.config = config
        self.patients = tuple(patients)
        self.cache = cache

    def scores(self, stepper: Stepper) -> tuple[Scores, Example | None]:
        """Return each subset's mean Dice over all processes, and on the first process an example."""
        fabric, config = stepper.fabric, self.config
        examples: list[Example] = []
        sums, counts = validate(
            stepper.network,
            [self.cache.get(patient) for patient in self.patients[fabric.global_rank :: fabric.world_size]],
            tile=config.tile,
            overlap=config.validation.overlap,
            precision=PRECISIONS[config.hardware.precision],
            device=fabric.device,
            see=examples.append if fabric.is_global_zero else None,
        )
        both = torch.from_numpy(np.concatenate((sums, counts), 1)).float().to(fabric.device)
        table = stepper.over_processes(both, "sum").cpu().numpy().astype(np.float64)
        means = mean_scores(table[:, :3], table[:, 3:], config.network.modalities)
        return means, examples[0] if examples else None


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
