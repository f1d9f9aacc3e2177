"""Which tumour a patient gets: its type, size and place, and how it pushes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.phantom.fields import Canvas, Volume, log_uniform, ramp
from napari_rdl.phantom.settings import TumourSettings
from napari_rdl.phantom.template import Template
from napari_rdl.phantom.warp import Push, Warp

TUMOUR_TYPES: tuple[str, ...] = (
    "ring",
    "solid",
    "patchy",
    "low_grade",
    "oedema_only",
    "cystic",
    "multifocal",
    "butterfly",
    "no_oedema",
    "none",
)
"""Names of the types a patient can have."""


_CORE_FRACTION = {
    "ring": (0.15, 0.75),
    "solid": (0.1, 0.7),
    "patchy": (0.25, 0.85),
    "low_grade": (0.35, 1.0),
    "oedema_only": (0.0, 0.0),
    "cystic": (0.4, 0.95),
    "multifocal": (0.15, 0.6),
    "butterfly": (0.25, 0.8),
    "no_oedema": (0.95, 1.0),
}
"""The core's part of the whole tumour's volume, by type."""


@dataclass(frozen=True)
class Plan:
    """A tumour before it has grown: type, size and foci, in head coordinates (mm)."""

    kind: str
    style: str
    volume_ml: float
    core_fraction: float
    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    push: Push | None


def plan_tumour(
    rng: np.random.Generator,
    settings: TumourSettings,
    warp: Warp,
    template: Template,
    kind: str | None = None,
) -> Plan | None:
    """Draw type, size and place; None where there is no tumour.

    Raises
    ------
    ValueError
        If `kind` is no known type.
    """
    names = list(settings.weights)
    chances = np.array([settings.weights[name] for name in names])
    drawn = names[int(rng.choice(len(names), p=chances / chances.sum()))]
    kind = drawn if kind is None else kind
    if kind not in TUMOUR_TYPES:
        raise ValueError(f"{kind!r} is no tumour type: use {', '.join(TUMOUR_TYPES)}.")
    if kind == "none":
        return None
    low, high = settings.volume_ml
    if kind in ("multifocal", "butterfly"):
        low = max(low, min(15.0, high / 2))  # several foci need room
    elif kind == "low_grade":
        low = max(low, min(4.0, high / 2))  # found late: these grow for years before they are seen
    volume = log_uniform(rng, (low, high))
    fraction = float(rng.uniform(*_CORE_FRACTION[kind]))
    style = kind
    if kind in ("multifocal", "butterfly", "no_oedema"):
        style = str(rng.choice(["ring", "solid", "patchy"], p=[0.55, 0.2, 0.25]))

    # Sites in output space: white matter and, less, deep grey matter, weighted by where gliomas are.
    canvas, mni = warp.coarse()
    wm, gm = template.tissue(template.wm, mni), template.tissue(template.gm, mni)
    depth = template.depth_at(mni)
    x, y, z = mni
    weight = (wm + 0.35 * gm) * ramp(depth, 4, 14)
    weight *= np.where((np.abs(x) > 24) & (z < 12) & (y > -45), settings.temporal, 1)  # temporal lobe, insula
    weight *= np.where(y > 10, 1.3, 1)  # frontal lobe
    weight *= np.where((y < -40) & (z < -14), 0.15, 1)  # cerebellum
    weight *= np.where((np.abs(x) < 14) & (z < -8), 0.15, 1)  # brain stem
    core_radius = 10 * (3 * max(volume * fraction, 0.15) / (4 * np.pi)) ** (1 / 3)
    if kind == "butterfly":
        genu = rng.random() < 0.6
        goal = np.array([0.0, 26.0 if genu else -38.0, 8.0 if genu else 14.0])
        side = 8 + 0.5 * core_radius
        sides = [goal + np.array([lateral, 4.0 if genu else -4.0, 4.0]) for lateral in (-side, side)]
        sides.insert(1, goal)
        centres = np.array([_place_of(point, canvas, mni) for point in sides])
        parts = np.array([rng.uniform(0.6, 1), rng.uniform(0.25, 0.5), rng.uniform(0.4, 1)])
    else:
        count = int(rng.integers(2, 5)) if kind == "multifocal" else 1
        sites = [_draw_site(rng, canvas, weight)]
        near = rng.random() < 0.6
        for _ in range(count - 1):
            x, y, z = canvas.offsets(sites[0].tolist())
            apart = np.sqrt(x**2 + y**2 + z**2)
            ring = ramp(apart, core_radius, core_radius + 8) * ramp(apart, 60, 30)
            sites.append(_draw_site(rng, canvas, weight * ring + np.float32(1e-9) if near else weight))
        centres = np.array(sites)
        parts = np.concatenate([[1.0], rng.uniform(0.15, 0.8, count - 1)])
    radii = core_radius * (parts / parts.sum()) ** (1 / 3) if len(parts) > 1 else np.array([core_radius])
    amount = float(rng.uniform(*settings.push))
    if kind in ("low_grade", "oedema_only"):
        amount *= 0.6  # infiltrates more than it displaces
    reach = 10 * (3 * volume / (4 * np.pi)) ** (1 / 3)
    spread = radii if fraction > 0.05 else np.array([reach])
    push = Push(centres, spread, np.minimum(amount * spread, 11.0)) if amount > 0.02 else None
    return Plan(kind, style, volume, fraction, centres, radii, push)


def _draw_site(rng: np.random.Generator, canvas: Canvas, weight: Volume) -> NDArray[np.float64]:
    """Draw a point with a density proportional to `weight`."""
    cumulative = np.cumsum(weight.ravel(), dtype=np.float64)
    index = int(np.searchsorted(cumulative, rng.random() * cumulative[-1]))
    voxel = np.array(np.unravel_index(min(index, weight.size - 1), weight.shape))
    return np.asarray(canvas.origin) + canvas.spacing * (voxel + rng.uniform(-0.5, 0.5, 3))


def _place_of(point: NDArray[np.float64], canvas: Canvas, mni: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the head coordinates whose MNI coordinates are nearest to `point`."""
    gap = sum((mni[a] - np.float32(point[a])) ** 2 for a in range(3))
    voxel = np.array(np.unravel_index(int(np.argmin(gap)), gap.shape))
    return np.asarray(canvas.origin) + canvas.spacing * voxel
