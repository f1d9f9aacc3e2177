"""Ten tasks of an annotator, with the desk and with napari's Labels layer alone: strokes, clicks, seconds.

Both reach the same labels. For the bare layer the least is counted that its brush and bucket need: in each
slice one stroke for all changes of one class that lie within a brush's width of each other, one click for a
change of class, and a key from slice to slice; its bucket fills in 3D. Seconds are those of the
keystroke-level model (Card, Moran and Newell 1980) for the hand, which knows no thinking and no correcting,
and for the desk also the program's own, measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.boxes import bounding_box
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.correct import Edit, History, Identity, Journal, read_journal, tools

KEY, POINT, PRESS = 0.28, 1.1, 0.1
"""Seconds for a key, for pointing at something, and for pressing or letting go of a button."""
DRAW, DRAW_CM = 0.9, 0.16
"""Seconds for a drawn line, and for each of its centimetres."""
BRUSH_MM, SCREEN = 6.0, 3.0
"""Width of a brush, and how many times larger than life a slice stands on the screen."""

Labels = NDArray[np.uint8]
_STROKE_MM = 20.0
_CLICK = POINT + 2 * PRESS
_BUCKET = 3
"""Clicks before the bucket fills in 3D: its mode, the class, the dimensions."""


@dataclass(frozen=True)
class Effort:
    """What a hand does.

    Attributes
    ----------
    strokes, clicks, keys : int
        Lines drawn, buttons clicked, keys pressed.
    drawn_mm : float
        Length of all lines.
    """

    strokes: int = 0
    clicks: int = 0
    keys: int = 0
    drawn_mm: float = 0.0

    @property
    def seconds(self) -> float:
        """By the keystroke-level model."""
        drawing = self.strokes * (_CLICK + DRAW) + DRAW_CM * self.drawn_mm * SCREEN / 10
        return drawing + self.clicks * _CLICK + self.keys * KEY


class TaskRow(BaseModel):
    """A task, done with the desk and with the bare layer."""

    model_config = ConfigDict(frozen=True)

    task: str = Field(title="Task", description="What is to be done.")
    strokes: int = Field(title="Strokes", description="Lines drawn at the desk.")
    clicks: int = Field(title="Clicks", description="Clicks and keys at the desk.")
    seconds: float = Field(title="Seconds", description="The hand's at the desk, and the program's.")
    program_seconds: float = Field(title="Program", description="Of these the program's, measured.")
    bare_strokes: int = Field(title="Bare strokes", description="Lines drawn on the bare layer.")
    bare_clicks: int = Field(title="Bare clicks", description="Clicks and keys on the bare layer.")
    bare_seconds: float = Field(title="Bare seconds", description="The hand's on the bare layer.")


def measure_tasks(
    truth: Labels, spacing: tuple[float, float, float], progress: Progress = ignore_progress
) -> list[TaskRow]:
    """Do ten tasks on a patient whose labels are damaged for each of them.

    Parameters
    ----------
    truth : ndarray of uint8, shape (X, Y, Z)
        Class indices with all of NCR, ED and ET.
    spacing : tuple of float
        Voxel size in mm.
    """
    rows = []
    tasks = _tasks(truth, spacing)
    for done, task in enumerate(tasks):
        progress(done, len(tasks), task.name)
        history = History(task.before)
        started = perf_counter()
        history.apply(task.tool(task.before), task.name)
        seconds = perf_counter() - started
        rows.append(_row(task.name, task.own, seconds, task.bare(task.before, history.labels)))
    return [*rows, _after_a_crash(truth)]


def _row(name: str, own: Effort, seconds: float, bare: Effort) -> TaskRow:
    return TaskRow(
        task=name,
        strokes=own.strokes,
        clicks=own.clicks + own.keys,
        seconds=own.seconds + seconds,
        program_seconds=seconds,
        bare_strokes=bare.strokes,
        bare_clicks=bare.clicks + bare.keys,
        bare_seconds=bare.seconds,
    )


Bare = Callable[[Labels, Labels], Effort]
"""From the labels before and after to what the bare layer needs."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be done, with which tool, and what a hand does for it."""

    name: str
    before: Labels
    tool: Callable[[Labels], Edit]
    own: Effort
    bare: Bare


def _tasks(truth: Labels, spacing: tuple[float, float, float]) -> list[Task]:
    def painting(before: Labels, after: Labels) -> Effort:
        return least_painting(before, after, spacing)

    places = _places_beside(truth, 4)
    islands = [_with_balls(truth, places[:count], 3, spacing, 2) for count in (1, 3)]
    island = places[0]
    middle = _middle_of(truth, 3)
    slices = np.flatnonzero((truth == 3).any(axis=(0, 1)))
    painted = sorted({int(slices[0]), *map(int, slices[::5]), int(slices[-1])})
    sparse = np.where(truth == 3, np.uint8(2), truth)
    sparse[..., painted] = truth[..., painted]
    number = int(slices[len(slices) // 2])
    beside = truth.copy()
    beside[..., number + 1] = np.where(truth[..., number + 1] == 3, 2, truth[..., number + 1])
    ragged = _ragged(truth)
    holed = _with_balls(truth, _places_within(truth, 3), 1.5, spacing, 0)
    box = bounding_box(truth == 3, margin=2)
    assert box is not None
    over = truth.copy()
    over[box] = np.where(truth[box] > 0, np.uint8(2), 0)
    keys, clicks = Effort(keys=2), Effort(clicks=2)
    drag = Effort(strokes=1, keys=1, drawn_mm=_diagonal(box, spacing))

    def task(
        name: str, before: Labels, tool: Callable[[Labels], Edit], own: Effort = keys, bare: Bare = painting
    ) -> Task:
        return Task(name, before, tool, own, bare)

    return [
        task("drop a false island", islands[0], lambda x: tools.drop_piece(x, island), clicks, _bucket(1)),
        task(
            "drop three false islands", islands[1], lambda x: tools.keep_piece(x, middle), clicks, _bucket(3)
        ),
        task("grow ET by 1 mm", truth, lambda x: tools.grow(x, 3, spacing)),
        task("shrink ED by 1 mm", truth, lambda x: tools.shrink(x, 2, spacing)),
        task("smooth a ragged ED", ragged, lambda x: tools.smooth(x, 2, spacing, 1.5)),
        task("fill three holes", holed, lambda x: tools.fill_holes(x, 2), keys, _bucket(3)),
        task("ET between every fifth slice", sparse, lambda x: tools.interpolate(x, 3, 2, painted)),
        task("ET of a slice into the next", beside, lambda x: tools.copy_slice(x, 3, 2, number)),
        task("the prediction again, in a box", over, lambda x: tools.take_over(x, truth, box), drag),
    ]


def _after_a_crash(truth: Labels) -> TaskRow:
    """Get twenty strokes back: from the journal, or by hand."""
    history = History(truth)
    rng = np.random.default_rng(0)
    inside = np.flatnonzero(truth)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "crash.journal"
        journal = Journal.begin(path, Identity("patient", truth.shape, "grid"), history)
        for number in range(20):
            places = np.unique(rng.choice(inside, min(60, len(inside))))
            history.apply(Edit(places, np.full(len(places), 1 + number % 3, np.uint8)), "brush")
        journal.close()
        started = perf_counter()
        found = read_journal(path)
        seconds = perf_counter() - started
    strokes = found.history.position
    again = Effort(strokes=strokes, clicks=3, keys=strokes - 1, drawn_mm=strokes * _STROKE_MM)
    own = Effort(clicks=1)
    return _row("twenty strokes again after a crash", own, seconds, again)


def least_painting(before: Labels, after: Labels, spacing: tuple[float, float, float]) -> Effort:
    """Return the least that a brush needs from one label map to another, slice by slice along z."""
    from scipy import ndimage

    strokes, drawn = 0, 0.0
    classes = set()
    changed = np.flatnonzero((before != after).any(axis=(0, 1)))
    pixel = spacing[0] * spacing[1]
    for number in changed:
        old, new = before[..., number], after[..., number]
        for value in np.unique(new[old != new]):
            part = (old != new) & (new == value)
            # What lies within a brush's width of each other is drawn over without setting down again.
            near = ndimage.distance_transform_edt(~part, sampling=spacing[:2]) <= BRUSH_MM / 2
            strokes += int(ndimage.label(near, np.ones((3, 3)))[1])
            drawn += float(np.count_nonzero(near) * pixel / BRUSH_MM)
            classes.add(int(value))
    keys = int(changed[-1] - changed[0]) if len(changed) else 0
    return Effort(strokes, len(classes), keys, drawn)


def _bucket(fills: int) -> Callable[[Labels, Labels], Effort]:
    return lambda _before, _after: Effort(clicks=_BUCKET + fills)


def _with_balls(
    labels: Labels, places: list[tuple[int, int, int]], radius: float, spacing: tuple[float, ...], value: int
) -> Labels:
    found = labels.copy()
    for place in places:
        steps = zip(np.indices(labels.shape), place, spacing, strict=True)
        x, y, z = ((axis - at) * size for axis, at, size in steps)
        found[x**2 + y**2 + z**2 <= max(radius, *spacing) ** 2] = value
    return found


def _places_beside(truth: Labels, count: int) -> list[tuple[int, int, int]]:
    """Return places far from the tumour and from each other."""
    from scipy import ndimage

    free = ndimage.distance_transform_edt(truth == 0)
    free *= _inner(truth.shape, 8)
    places = []
    for _ in range(count):
        at = tuple(int(part) for part in np.unravel_index(int(free.argmax()), free.shape))
        places.append((at[0], at[1], at[2]))
        away = np.sqrt(
            sum((axis - part) ** 2 for axis, part in zip(np.indices(truth.shape), at, strict=True))
        )
        free = np.minimum(free, away)
    return places


def _places_within(truth: Labels, count: int) -> list[tuple[int, int, int]]:
    """Return places deep in the tumour, far from each other."""
    from scipy import ndimage

    deep = ndimage.distance_transform_edt(truth > 0)
    places = []
    for _ in range(count):
        at = tuple(int(part) for part in np.unravel_index(int(deep.argmax()), deep.shape))
        places.append((at[0], at[1], at[2]))
        away = np.sqrt(
            sum((axis - part) ** 2 for axis, part in zip(np.indices(truth.shape), at, strict=True))
        )
        deep = np.where(away < 6, 0, deep)
    return places


def _distance_from(place: tuple[int, int, int], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the distance in voxels from a place."""
    x, y, z = (axis - at for axis, at in zip(np.indices(shape), place, strict=True))
    return np.sqrt(x**2 + y**2 + z**2)


def _inner(shape: tuple[int, ...], margin: int) -> NDArray[np.float64]:
    inner = np.zeros(shape)
    inner[margin:-margin, margin:-margin, margin:-margin] = 1
    return inner


def _middle_of(truth: Labels, value: int) -> tuple[int, int, int]:
    x, y, z = (int(part) for part in np.argwhere(truth == value)[0])
    return x, y, z


def _ragged(truth: Labels) -> Labels:
    """Return labels whose outer surface is noisy."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    tumour = truth > 0
    shell = ndimage.binary_dilation(tumour, iterations=2) & ~tumour
    found = truth.copy()
    found[shell & (rng.random(truth.shape) < 0.25)] = 2
    return found


def _diagonal(box: tuple[slice, slice, slice], spacing: tuple[float, float, float]) -> float:
    sides = [(part.stop - part.start) * size for part, size in zip(box[:2], spacing[:2], strict=True)]
    return float(np.hypot(*sides))
