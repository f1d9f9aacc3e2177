"""Speed as it is felt, and a soak: a napari window driven over patients, told as figures."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from napari_rdl.bench.figures import Figure, Figures, figures, timed
from napari_rdl.callbacks import Progress, ignore_progress

if TYPE_CHECKING:
    from napari_rdl.plugin.driving.soak import Soaked

LIMITS: dict[str, float] = {
    "first picture": 0.7,
    "all modalities": 2.0,
    "next patient, first picture": 0.7,
    "next patient, all modalities": 2.0,
    "flip, first pixels": 0.033,
    "flip, whole volume": 0.150,
    "side by side on": 1.0,
}
"""Seconds within which what was asked for is to stand on the screen."""

_SEED = 1
_SOAK_MM = 3.0
SOAK_GROWTH = 0.05
"""The share by which memory may have grown after a soak."""


def measure_in_window(
    patient: Path, repeats: int, *, model: Path | None = None, progress: Progress = ignore_progress
) -> Figures:
    """Open a window and drive it over a patient; see `napari_rdl.plugin.driving.felt.measure_felt`."""
    from napari_rdl.plugin.driving.driver import driven_window
    from napari_rdl.plugin.driving.felt import measure_felt

    with driven_window(model=model) as driver:
        seconds, memory = measure_felt(driver, patient, repeats, progress)
        renderer = driver.renderer
    rows = [timed(what, taken, limit=LIMITS.get(what)) for what, taken in seconds.items()]
    rows.append(Figure(what="memory of the window alone", value=memory[0], unit="MB"))
    rows += [
        Figure(what=f"memory after {number} patient{'s' if number > 1 else ''}", value=held, unit="MB")
        for number, held in enumerate(memory[1:], 1)
    ]
    return figures(
        "viewer",
        f"napari-rdl bench viewer {patient.name} --repeats {repeats}",
        f"{patient.name}, drawn by {renderer}",
        rows,
        [
            "From what is asked until the canvas is drawn and swapped; each picture is waited for.",
            "Drawing with nothing changed puts the window together, and no more: no picture comes sooner.",
        ],
    )


def measure_soak(
    patient: Path | None = None,
    *,
    flips: int = 200,
    patients: int = 20,
    runs: int = 2,
    model: Path | None = None,
    progress: Progress = ignore_progress,
) -> Figures:
    """Work through copies of a patient in one window; see `napari_rdl.plugin.driving.soak.soak`.

    Parameters
    ----------
    patient : Path, optional
        A patient's folder; a synthetic one of 3 mm by default, for what is left does not depend on size.
    """
    from napari_rdl.phantom import make_phantom, write_phantom
    from napari_rdl.plugin.driving.driver import driven_window
    from napari_rdl.plugin.driving.soak import soak

    with tempfile.TemporaryDirectory() as folder, driven_window(model=model) as driver:
        if patient is None:
            patient = write_phantom(make_phantom(_SEED, spacing=_SOAK_MM), Path(folder))
        soaked = soak(driver, patient, flips=flips, patients=patients, runs=runs, progress=progress)
    return _soak_figures(soaked, f"napari-rdl bench soak --flips {flips} --patients {patients}")


def _soak_figures(soaked: Soaked, command: str) -> Figures:
    asked = (
        f"{soaked.flips} flips, {soaked.patients} patients, three widgets, {soaked.runs} trainings watched"
    )
    return figures(
        "soak",
        command,
        asked,
        [
            Figure(what="memory once warm", value=soaked.megabytes[0], unit="MB"),
            Figure(what="memory at the end", value=soaked.megabytes[1], unit="MB"),
            Figure(what="memory grown, share", value=soaked.growth, limit=SOAK_GROWTH),
            Figure(what="file handles left", value=soaked.handles[1] - soaked.handles[0], limit=0),
            Figure(what="threads left", value=soaked.threads[1] - soaked.threads[0], limit=0),
            Figure(what="layers left", value=soaked.layers, limit=0),
        ],
    )
