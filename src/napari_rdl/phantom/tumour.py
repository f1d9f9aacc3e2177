"""How a planned tumour grows in a head, and which sub-region each voxel belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_rdl.boxes import bounding_box
from napari_rdl.phantom.anatomy import Head
from napari_rdl.phantom.fields import Canvas, SmoothField, Volume, log_uniform, ramp, resize, smooth_field
from napari_rdl.phantom.planning import Plan
from napari_rdl.phantom.settings import TumourSettings

NCR, ED, ET = 1, 2, 3
_GROWTH_MM = 3.0


@dataclass
class Tumour:
    """A grown tumour on a head's canvas, every map (X, Y, Z).

    Attributes
    ----------
    plan : Plan
        What was planned.
    classes : NDArray of uint8
        The truth: 0 background, 1 NCR/NET, 2 ED, 3 ET.
    oedema, core, enhancing, necrosis, cyst, blood : Volume
        Soft memberships, 0 to 1, from which the images are mixed.
    record : dict
        What was drawn.
    """

    plan: Plan
    classes: NDArray[np.uint8]
    oedema: Volume
    core: Volume
    enhancing: Volume
    necrosis: Volume
    cyst: Volume
    blood: Volume
    record: dict[str, Any] = field(default_factory=dict)


def grow_tumour(rng: np.random.Generator, settings: TumourSettings, plan: Plan, head: Head) -> Tumour:
    """Grow the planned tumour in `head`: core, oedema along white matter, enhancement."""
    canvas = head.canvas
    tissue = head.mask & (head.csf < 0.6) & (head.outside < 0.5)
    distance, record = _core_distance(rng, settings, plan, head)
    wanted = plan.volume_ml / canvas.voxel_ml
    # Draws come before their use and whatever the type, so that a type's change leaves them alone.
    edge_core = log_uniform(rng, settings.edge_mm)
    edge_oedema = log_uniform(rng, settings.edge_mm)
    infiltrating = plan.kind in ("low_grade", "oedema_only")
    edge_core = edge_core if infiltrating else min(0.5 * edge_core, 1.5)

    core_limit = _limit(distance, tissue, wanted * plan.core_fraction)
    inside_core = (distance <= core_limit) & tissue if plan.core_fraction > 0 else np.zeros_like(tissue)
    arrival = _arrival(rng, plan, head, distance - np.float32(core_limit))
    arrival = np.where(inside_core, np.minimum(arrival, -1), arrival)
    whole_limit = _limit(arrival, tissue, max(wanted, float(inside_core.sum())))
    whole = (arrival <= whole_limit) & tissue
    oedema = ramp(arrival, whole_limit + edge_oedema / 2, whole_limit - edge_oedema / 2) * (
        head.mask & (head.csf < 0.8)
    )
    oedema *= 1 - np.float32(0.7) * ramp(head.csf, 0.3, 0.7)

    depth = _depth_inside(
        np.float32(core_limit) - distance, inside_core, canvas.spacing
    )  # mm inside the core
    core = ramp(depth, -edge_core / 2, edge_core / 2) * head.mask
    if plan.core_fraction == 0:
        core[:] = 0
    enhancing, cyst, necrosis, drawn = _enhancement(rng, settings, plan, canvas, depth, inside_core)
    classes = np.where(whole, ED, 0).astype(np.uint8)
    classes[inside_core] = NCR
    classes[(enhancing > 0.5) & inside_core] = ET
    enhancing = enhancing * core
    blood = np.zeros(canvas.shape, np.float32)
    bleeds = rng.random() < settings.haemorrhage
    clots = SmoothField(rng, float(rng.uniform(5, 14)))
    level = float(rng.uniform(0.3, 1.6))
    if bleeds and plan.style in ("ring", "solid", "patchy", "cystic"):
        blood = ramp(clots.on(canvas), level, level + 0.6) * core * ramp(depth, 0.5, 2.5)
    record |= drawn | {
        "edge_core_mm": edge_core,
        "edge_oedema_mm": edge_oedema,
        "haemorrhage": bool(blood.any()),
    }
    return Tumour(plan, classes, oedema, core, enhancing, necrosis * core, cyst * core, blood, record)


def _depth_inside(depth: Volume, inside: NDArray[np.bool_], spacing: float) -> Volume:
    """Return `depth` (mm) made no larger than the distance to the core's end at CSF, pia or mask."""
    # Clefts and islands of CSF inside the core are no end of it: they get no rim of their own.
    closing = max(round(4.0 / spacing), 1)
    box = bounding_box(inside, margin=closing + 1)
    if box is None:
        return depth
    solid = ndimage.binary_fill_holes(ndimage.binary_closing(inside[box], iterations=closing))
    reach = (ndimage.distance_transform_edt(solid) - 0.5) * spacing
    result = depth.copy()
    result[box] = np.where(inside[box], np.minimum(depth[box], reach), depth[box])
    return result


def _limit(values: Volume, allowed: NDArray[np.bool_], count: float) -> float:
    """Return the value below which `count` of the allowed voxels lie."""
    candidates = values[allowed]
    rank = int(np.clip(round(count), 1, candidates.size)) - 1
    return float(np.partition(candidates, rank)[rank])


def _core_distance(
    rng: np.random.Generator, settings: TumourSettings, plan: Plan, head: Head
) -> tuple[Volume, dict[str, Any]]:
    """Return a distance in mm from the foci: ellipsoids with waves, kept off CSF and the midline."""
    canvas = head.canvas
    elongation = float(rng.uniform(*settings.elongation))
    lobulation = float(rng.uniform(*settings.lobulation))
    middle = float(rng.uniform(1, elongation))
    axes = np.array([1, middle, elongation])
    axes = axes / np.prod(axes) ** (1 / 3)
    radius = float(plan.radii.max())
    waves = smooth_field(rng, canvas, float(np.clip(0.9 * radius, 6, 25)))
    ripples = smooth_field(rng, canvas, float(np.clip(0.35 * radius, 3.5, 9)))
    best: Volume | None = None
    for centre, own in zip(plan.centres, plan.radii, strict=True):
        turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        metric = (turn / axes) @ turn.T
        x, y, z = canvas.offsets(centre)
        parts = [(np.float32(m[0]) * x + np.float32(m[1]) * y + np.float32(m[2]) * z) ** 2 for m in metric]
        reach = np.sqrt(parts[0] + parts[1] + parts[2]) - np.float32(own)
        best = reach if best is None else np.minimum(best, reach)
    assert best is not None
    distance = best + np.float32(lobulation * radius) * (waves + np.float32(0.4) * ripples)
    # Tumour tissue respects pia and ventricle walls, and crosses the midline only in white matter.
    distance += np.float32(0.5 * radius + 3) * ramp(head.csf, 0.3, 0.8)
    side = np.sign(plan.centres[0][0])
    if plan.kind != "butterfly":
        beyond = ramp(-side * head.mni[0], -1, 3)
        distance += beyond * (1 - head.wm) * np.float32(0.6 * radius + 4)
    return distance.astype(np.float32), {"elongation": elongation, "lobulation": lobulation}


def _arrival(rng: np.random.Generator, plan: Plan, head: Head, outside_core: Volume) -> Volume:
    """Return when oedema arrives, in mm travelled through white matter.

    A Fisher-Kolmogorov front u_t = div(D grad u) + r u (1 - u) runs from the core on a lattice of
    3 mm; D is large in white matter, small in cortex and nearly nil in CSF and across the falx, so
    that oedema has the fingers along the gyri's white matter and spares cortex.
    """
    canvas = head.canvas
    reach = 10 * (3 * plan.volume_ml / (4 * np.pi)) ** (1 / 3)
    low = plan.centres.min(0) - plan.radii.max() - 1.6 * reach - 6
    high = plan.centres.max(0) + plan.radii.max() + 1.6 * reach + 6
    ends = np.asarray(canvas.origin) + canvas.spacing * (np.asarray(canvas.shape) - 1)
    low, high = np.maximum(low, canvas.origin), np.minimum(high, ends)
    shape = tuple(int(n) for n in np.maximum((high - low) // _GROWTH_MM + 1, 4))
    lattice = Canvas(tuple(float(v) for v in low), shape, _GROWTH_MM)  # type: ignore[arg-type]
    wm, gm, csf = (resize(m, canvas, lattice) for m in (head.wm, head.gm, head.csf))
    inside = resize(head.mask.astype(np.float32), canvas, lattice) > 0.6
    midline = resize(head.mni[0], canvas, lattice)
    cortex_speed = 0.55 if plan.kind == "low_grade" else float(rng.uniform(0.05, 0.25))
    # Uneven at two scales: oedema runs far along some tracts and hardly along others.
    uneven = np.float32(0.4) * smooth_field(rng, lattice, 10.0) + np.float32(0.5) * smooth_field(
        rng, lattice, 28.0
    )
    speed = (wm + np.float32(cortex_speed) * gm + np.float32(0.01) * csf) * np.float32(0.6) * np.exp(uneven)
    speed *= np.where((np.abs(midline) < 2.5) & (wm < 0.6), np.float32(0.05), 1) * inside
    speed = np.clip(speed, 0, 0.95) / np.float32(6)
    seed = resize(outside_core, canvas, lattice)
    u = ramp(seed, 1.5, -1.5) * inside
    if plan.core_fraction == 0:
        u = ramp(seed, 3, 0) * inside
    arrival = np.where(u >= 0.5, np.float32(0), np.float32(1e3))
    # Pairs of neighbours along each axis, with the harmonic-like mean of their diffusivities.
    pairs = []
    for axis in range(3):
        left = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        right = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        pairs.append((left, right, np.minimum(speed[left], speed[right])))
    growth = np.float32(0.45)
    step_mm = 2 * np.sqrt(0.1 * float(growth)) * _GROWTH_MM  # the front's speed in white matter
    steps = int(np.clip((1.3 * reach + 8) / step_mm, 6, 80))
    for step in range(1, steps + 1):
        change = growth * u * (1 - u)
        for left, right, conductance in pairs:
            flow = conductance * (u[right] - u[left])
            change[left] += flow
            change[right] -= flow
        new = u + change
        crossed = (new >= 0.5) & (u < 0.5)
        part = (np.float32(0.5) - u[crossed]) / (new[crossed] - u[crossed])
        arrival[crossed] = (step - 1 + part) * np.float32(step_mm)
        u = new
    # Not reached within the steps: later than all others, nearer ones first.
    late = arrival > 999
    arrival[late] = steps * step_mm + np.float32(2.0) * np.clip(seed[late], 0, None)
    everywhere = resize(arrival, lattice, canvas)
    beyond = np.float32(0.5) * np.clip(outside_core - np.float32(1.5 * reach), 0, None)
    noise = smooth_field(rng, canvas, 5.0) * np.float32(0.8)
    spare = np.float32(1.0 if plan.kind == "low_grade" else rng.uniform(3, 8))
    return (everywhere + beyond + noise + spare * head.gm * (head.depth < 16)).astype(np.float32)


def _enhancement(
    rng: np.random.Generator,
    settings: TumourSettings,
    plan: Plan,
    canvas: Canvas,
    depth: Volume,
    inside: NDArray[np.bool_],
) -> tuple[Volume, Volume, Volume, dict[str, Any]]:
    """Return enhancing, cyst and necrosis memberships of the core, and what was drawn.

    `depth` is the distance in mm from the core's surface, positive inside.
    """
    nothing = np.zeros(canvas.shape, np.float32)
    deepest = float(np.percentile(depth[inside], 99)) if inside.any() else 1.0
    rim = min(log_uniform(rng, settings.rim_mm), 0.4 * deepest)
    rim = max(rim, min(1.5, 0.9 * deepest))
    uneven = SmoothField(rng, float(rng.uniform(6, 16))).on(canvas)
    blobs = SmoothField(rng, float(rng.uniform(4, 12))).on(canvas)
    broken = bool(rng.random() < settings.broken)
    gap_level = float(rng.uniform(0.9, 2.0))
    shell = float(rng.uniform(0, 2.5)) if rng.random() < 0.15 else 0.0
    share = float(rng.uniform(0.05, 0.6))
    soft = float(rng.uniform(0.6, 1.8))
    record = {"rim_mm": rim, "broken": broken, "enhancing_share": share}
    thickness = np.float32(rim) * np.exp(np.float32(0.35) * uneven)

    if plan.style == "ring":
        et = ramp(thickness - depth, -soft / 2, soft / 2) * ramp(depth, shell - soft / 2, shell + soft / 2)
        nodules = ramp(blobs, 1.5, 1.9)
        et = np.maximum(et, nodules * (depth < 2 * rim + 3))
        if broken:
            et = et * ramp(uneven - np.float32(0.4) * blobs, -gap_level - 0.2, -gap_level + 0.3)
        if depth[inside].size:
            et = np.where(depth < shell, 0, et)
        return et.astype(np.float32), nothing, ramp(depth, rim, rim + 2), record
    if plan.style == "solid":
        return ramp(blobs, 1.7, 1.2), nothing, ramp(blobs, 1.3, 1.8), record
    if plan.style == "patchy":
        pattern = blobs + np.float32(0.5) * uneven
        level = np.quantile(pattern[inside], 1 - share) if inside.any() else 9.0
        return ramp(pattern, level - 0.25, level + 0.25), nothing, ramp(pattern, -0.6, -1.2), record
    if plan.style == "cystic":
        wall = float(rng.uniform(0.8, 2.5)) if rng.random() < 0.6 else 0.0
        et = ramp(np.float32(wall) - depth, -soft / 2, soft / 2) if wall else nothing
        towards = rng.standard_normal(3)
        towards /= np.linalg.norm(towards)
        spot = plan.centres[0] + towards * plan.radii[0] * rng.uniform(0.6, 0.9)
        size = plan.radii[0] * rng.uniform(0.25, 0.6)
        near = np.sqrt(sum(o**2 for o in canvas.offsets(spot)))
        node = ramp(size - near + np.float32(0.2 * size) * uneven, -soft / 2, soft / 2)
        et = np.maximum(et, node)
        return (
            et.astype(np.float32),
            (1 - np.maximum(et, ramp(depth, 3, 1))).astype(np.float32),
            nothing,
            record,
        )
    if plan.style == "low_grade":
        if rng.random() < 0.2:  # a small focus that begins to enhance
            level = float(rng.uniform(1.6, 2.4))
            return ramp(blobs, level - 0.2, level + 0.2) * (depth > 1.5), nothing, nothing, record
        return nothing, nothing, nothing, record
    return nothing, nothing, nothing, record
