"""Speed as it is felt in a window: opening, the first labels, flips, side by side, 3D, and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.plugin.driving.driver import Driver, copied, megabytes
from napari_rdl.plugin.viewer.roles import Role, role_of

PATIENTS = 3
"""How many are opened after each other for their memory."""

NEXT = "next patient"
"""How those after the first are called, whose images take the layers that are there."""

_CHOOSING = 3.0
"""Seconds in which nobody has chosen a folder yet."""
_PAUSE = 0.2
_SWITCHED = 5
"""How often side by side is switched on, the first time among them."""
_ANGLE = 6.0


def measure_felt(
    driver: Driver, patient: Path, repeats: int, progress: Progress = ignore_progress
) -> tuple[dict[str, list[float]], list[float]]:
    """Drive a window over a patient.

    Parameters
    ----------
    driver : Driver
        A window that holds no patient yet.
    patient : Path
        A folder, which is copied: each copy is a patient of its own.
    repeats : int
        Flips of each kind, and frames; the other things are done once a patient.

    Returns
    -------
    seconds : dict of str to list of float
        What was asked -> the seconds until it stood on the screen, each time.
    megabytes : list of float
        Memory of the process: before the first patient, and after each.

    Raises
    ------
    NapariRdlError
        If the window does not come to show something.
    """
    found: dict[str, list[float]] = {}
    steps = PATIENTS + 3
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver.rest(_CHOOSING)
        memory = [megabytes()]
        for number in range(PATIENTS):
            progress(number, steps, f"Opening patient {number + 1}")
            which = f"{NEXT}, " if number else ""
            _open(driver, copied(patient, Path(folder) / f"patient-{number + 1}"), found, which)
            if number == 0:
                progress(1, steps, "Flipping modalities")
                _flip(driver, repeats, found, "")
                _measure_side_by_side(driver, repeats, found)
                progress(2, steps, "Turning the tumour")
                _measure_surfaces(driver, repeats, found)
            driver.rest(2.0)
            memory.append(megabytes())
    progress(steps, steps, "")
    return found, memory


def _open(driver: Driver, folder: Path, found: dict[str, list[float]], which: str) -> None:
    widget = driver.widget
    started = perf_counter()
    widget.open_patient(folder)

    def there() -> int:
        case = widget.session.case
        of = f"{folder.name} "
        shown = [
            one for one in driver.viewer.layers if role_of(one) is Role.IMAGE and one.name.startswith(of)
        ]
        return len(shown) if case is not None and case.name == folder.name else 0

    counts: list[int] = []

    def begun() -> bool:
        if not counts and (count := there()):
            counts.append(count)
        return bool(counts)

    first = driver.drawn(begun) - started
    case = widget.session.case
    assert case is not None
    count = len(case.modalities)
    # Those of a first patient come after its picture, the next one's with it.
    every = first if counts[0] == count else driver.drawn(lambda: there() == count) - started
    _note(found, f"{which}first picture", first)
    _note(found, f"{which}all modalities", every)
    _note(found, f"{which}checked", driver.drawn(lambda: driver.resting) - started)
    driver.rest(_PAUSE)
    seconds = driver.ask(widget.run, lambda: widget.session.representations is not None and driver.resting)
    _note(found, f"{which}first labels", seconds)
    driver.rest(_PAUSE)


def _flip(driver: Driver, repeats: int, found: dict[str, list[float]], where: str) -> None:
    widget = driver.widget
    for number in range(repeats):
        names = tuple(widget.switches.switches)
        started = perf_counter()
        widget.session.flip(names[number // 2 % len(names)])
        # Where every subset is there already, the first picture shows the whole volume.
        at_once = driver.resting
        first = driver.drawn() - started
        whole = first if at_once else driver.drawn(lambda: driver.resting) - started
        _note(found, f"flip{where}, first pixels", first)
        _note(found, f"flip{where}, whole volume", whole)
        driver.rest(_PAUSE)
        if not where:
            _note(found, "drawing with nothing changed", driver.ask(driver.redraw))


def _measure_side_by_side(driver: Driver, repeats: int, found: dict[str, list[float]]) -> None:
    box = driver.widget.viewing.box.grid_box
    for _ in range(_SWITCHED):
        for on in (True, False):
            seconds = driver.ask(lambda on=on: box.setChecked(on))  # type: ignore[misc]
            _note(found, f"side by side {'on' if on else 'off'}", seconds)
            driver.rest(_PAUSE)
    box.setChecked(True)
    driver.rest(_PAUSE)
    _flip(driver, repeats // 2, found, " side by side")
    box.setChecked(False)
    driver.rest(_PAUSE)


def _measure_surfaces(driver: Driver, repeats: int, found: dict[str, list[float]]) -> None:
    widget, spatial = driver.widget, driver.widget.viewing.spatial
    box, camera = widget.viewing.box.surfaces_box, driver.viewer.scene.camera

    def there() -> bool:
        shown = spatial.surfaces is not None and bool(spatial.surfaces.layers)
        return shown and not spatial.worker.busy and driver.resting

    _note(found, "3D on", driver.ask(lambda: box.setChecked(True), there))
    driver.rest(_PAUSE)
    for number in range(repeats):
        one, two, three = camera.angles
        turn: Callable[[], None] = lambda: setattr(camera, "angles", (one, two, three + _ANGLE))  # noqa: B023, E731
        _note(found, "3D frame", driver.ask(turn))
        if number < repeats // 2:
            name = tuple(widget.switches.switches)[number // 2 % len(widget.switches.switches)]
            _note(found, "3D flip", driver.ask(lambda: widget.session.flip(name), there))  # noqa: B023
    box.setChecked(False)
    driver.rest(_PAUSE)


def _note(found: dict[str, list[float]], what: str, seconds: float) -> None:
    found.setdefault(what, []).append(seconds)
