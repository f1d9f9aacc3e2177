"""How often a voxel is right beside how sure it says it is, for each subset; and a temperature that mends it.

A subset's logits are divided by one positive number (Guo et al. 2017, "On calibration of modern neural
networks"): labels stay, probabilities become less or more sure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from napari_rdl.brats import all_subsets, subset_name
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import Case, brain_mask
from napari_rdl.cohort.patients import Patient
from napari_rdl.errors import Cancelled
from napari_rdl.models import Model
from napari_rdl.segment import SegmentSettings, encode

BINS = 15
LEAST_TUMOUR = 0.01
"""Voxels whose probability of tumour is below this do not count for the calibration error: there are so many
that are surely background that any network would look calibrated."""

VOXELS_PER_PATIENT = 40_000
_BOUNDS = (0.1, 10.0)


@dataclass(frozen=True)
class Calibration:
    """One subset's temperature, and what it mends.

    Attributes
    ----------
    temperature : float
        What logits are divided by.
    before, after : float
        Expected calibration error with temperature 1 and with this one, on the voxels that the temperature
        was fitted to.
    patients, voxels : int
        On how many the errors rest.
    """

    temperature: float
    before: float
    after: float
    patients: int
    voxels: int


def calibrate(
    model: Model,
    patients: Iterable[Patient],
    *,
    settings: SegmentSettings | None = None,
    voxels: int = VOXELS_PER_PATIENT,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> dict[str, Calibration]:
    """Fit each subset's temperature on patients with truth.

    Each patient has the same say: as many brain voxels, drawn with a fixed seed from those where a modality
    of the subset has brain. Temperatures that the model's card has already are left aside.

    Parameters
    ----------
    model : Model
        As `load_model` returns it.
    patients : iterable of Patient
        With masks.
    settings : SegmentSettings, optional
        Device, precision, tiles.
    voxels : int
        How many of each patient.
    progress, cancelled : callable
        Called before each patient; the work within one can be cancelled too.

    Returns
    -------
    dict
        Subset's name -> its calibration, in the paper's order; only subsets that somebody has.

    Raises
    ------
    NapariRdlError
        If a patient cannot be read or has no mask.
    Cancelled
        If `cancelled` answered True.
    """
    bare = replace(model, card=model.card.model_copy(update={"temperatures": {}}))
    settings = settings or SegmentSettings()
    patients = list(patients)
    logits: dict[str, list[NDArray[np.float32]]] = {}
    truths: dict[str, list[NDArray[np.uint8]]] = {}
    for number, patient in enumerate(patients):
        if cancelled():
            raise Cancelled
        progress(number, len(patients), f"Calibrating on {patient.name}")
        case, truth = patient.read_with_truth()
        representations = encode(case, bare, settings=settings, cancelled=cancelled)
        chosen = _brain_voxels(case, representations.modalities, voxels, number)
        brains = {name: brain_mask(case.images[name]).ravel()[chosen] for name in representations.modalities}
        for subset in all_subsets(representations.modalities):
            found = representations.probabilities(subset, cancelled=cancelled)
            found = found.reshape(len(found), -1)[:, chosen]
            inside = np.logical_or.reduce([brains[name] for name in subset])
            # Logarithms of probabilities are logits but for a constant, which no softmax sees.
            certain = np.log(np.maximum(found[:, inside], np.finfo(np.float32).tiny)).T
            logits.setdefault(subset_name(subset), []).append(certain)
            truths.setdefault(subset_name(subset), []).append(truth.ravel()[chosen][inside])
    progress(len(patients), len(patients), "Fitting temperatures")
    names = [subset_name(subset) for subset in all_subsets(model.card.network.modalities)]
    return {
        name: _calibration(np.concatenate(logits[name]), np.concatenate(truths[name]), len(logits[name]))
        for name in names
        if name in logits
    }


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Return the temperature in 0.1 to 10 with the smallest negative log-likelihood of the truth.

    Parameters
    ----------
    logits : ndarray
        (N, J); a constant added to a row does not matter.
    truth : ndarray of int
        (N,) class indices.
    """
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, truth].mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(_BOUNDS)), method="bounded")
    return float(np.exp(found.x))


def expected_calibration_error(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], bins: int = BINS
) -> float:
    """Return how far, on average, the share that is right lies from what the most probable class says.

    Voxels are sorted by the probability of their most probable class into `bins` of equal width; the error
    is the mean over voxels of their bin's |share that is right - mean probability| (Naeini et al. 2015).

    Parameters
    ----------
    probabilities : ndarray
        (N, J).
    truth : ndarray of int
        (N,) class indices.

    Returns
    -------
    float
        In 0 to 1; 0 for no voxels.
    """
    if not len(truth):
        return 0.0
    sure = probabilities.max(axis=1).astype(float)
    right = (probabilities.argmax(axis=1) == truth).astype(float)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    # The number of voxels in a bin cancels: its difference of means, weighted by it, is one of sums.
    return float(np.abs(np.bincount(place, right - sure, minlength=bins)).sum() / len(truth))


def _calibration(logits: NDArray[np.float32], truth: NDArray[np.uint8], patients: int) -> Calibration:
    temperature = fit_temperature(logits, truth)
    before = softmax(logits, axis=1)
    # The same voxels before and after, or the two could not be compared.
    doubtful = 1 - before[:, 0] > LEAST_TUMOUR
    after = softmax(logits[doubtful] / temperature, axis=1)
    return Calibration(
        temperature,
        expected_calibration_error(before[doubtful], truth[doubtful]),
        expected_calibration_error(after, truth[doubtful]),
        patients,
        int(doubtful.sum()),
    )


def _brain_voxels(case: Case, modalities: Iterable[str], count: int, seed: int) -> NDArray[np.intp]:
    """Return flat indices of `count` voxels in any modality's brain, or of all if there are fewer."""
    brain = np.flatnonzero(np.logical_or.reduce([brain_mask(case.images[name]) for name in modalities]))
    if len(brain) > count:
        brain = np.sort(np.random.default_rng(seed).choice(brain, count, replace=False))
    return brain
