"""Heads: the template warped, folded, aged and skull-stripped with errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_rdl.boxes import extent
from napari_rdl.phantom.fields import Canvas, SmoothField, Volume, ramp, resize, smooth_field
from napari_rdl.phantom.settings import AnatomySettings
from napari_rdl.phantom.template import load_template
from napari_rdl.phantom.warp import Push, Warp

_EYES = ((-31.0, 62.0, -36.0), (31.0, 62.0, -36.0))
"""Centres of the eyes in MNI coordinates, roughly; they lie outside the template's brain."""


@dataclass
class Head:
    """A head on a canvas; every map is (X, Y, Z) float32.

    Attributes
    ----------
    canvas : Canvas
        The brain's bounding box plus a margin.
    mni : NDArray
        MNI coordinates (3, X, Y, Z) in mm of each voxel.
    gm, wm, csf : Volume
        Tissue fractions; they sum to 1.
    residual, depth, ventricle, beside : Volume
        See `Template`.
    mask : NDArray of bool
        The brain mask with its errors.
    outside : Volume
        Fraction of scalp, skull or eye that the mask wrongly holds.
    record : dict
        What was drawn.
    """

    canvas: Canvas
    mni: NDArray[np.float32]
    gm: Volume
    wm: Volume
    csf: Volume
    residual: Volume
    depth: Volume
    ventricle: Volume
    beside: Volume
    mask: NDArray[np.bool_]
    outside: Volume
    record: dict[str, Any] = field(default_factory=dict)


def make_head(
    rng: np.random.Generator, settings: AnatomySettings, warp: Warp, push: Push | None, spacing: float
) -> Head:
    """Warp the template to a head on a canvas of `spacing` mm and strip its skull, with errors."""
    template = load_template(spacing)
    coarse, coarse_mni = warp.coarse(push)
    fine = [SmoothField(rng, float(rng.uniform(7, 12))) for _ in range(3)]
    fine_mm = float(rng.uniform(*settings.fine_warp))
    edge = SmoothField(rng, float(rng.uniform(12, 30)))
    erosion = float(rng.uniform(*settings.erosion))
    leak = bool(rng.random() < settings.leak)
    eye = int(rng.integers(2)) if rng.random() < settings.eye else None
    leak_mm, eye_mm = float(rng.uniform(1, 5)), float(rng.uniform(5, 13))
    cut_at = rng.uniform(0.02, 0.2) if rng.random() < settings.cut else None
    cut_top = bool(rng.random() < 0.4)

    # The brain's bounding box, found on the coarse canvas, so that nothing is computed beyond it.
    inside = template.depth_at(coarse_mni) > -3
    wide = Canvas.covering(spacing)
    box = []
    for axis, found in enumerate(extent(inside) or ()):
        ends = (
            coarse.origin[axis]
            + coarse.spacing * np.array([found.start - 0.5, found.stop - 0.5])
            - wide.origin[axis]
        )
        start, stop = np.round(ends / spacing).astype(int)
        box.append(slice(max(start, 0), min(stop + 1, wide.shape[axis])))
    canvas = wide.cropped(box)
    mni = np.stack([resize(component, coarse, canvas) for component in coarse_mni])
    mni += np.stack([f.on(canvas) for f in fine]) * np.float32(fine_mm)
    gm, wm = template.tissue(template.gm, mni), template.tissue(template.wm, mni)
    # Every other voxel is enough for maps that change slowly.
    half = Canvas(canvas.origin, tuple((n + 2) // 2 for n in canvas.shape), 2 * spacing)  # type: ignore[arg-type]
    sparse = np.stack([resize(component, canvas, half) for component in mni])
    depth = resize(template.depth_at(sparse), half, canvas)
    residual, ventricle, beside = (
        resize(template.smooth(volume, sparse), half, canvas)
        for volume in (template.residual, template.ventricle, template.beside)
    )
    sharpness, atrophy = float(rng.uniform(*settings.sharpness)), float(rng.uniform(*settings.atrophy))
    own_folds = bool(rng.random() < settings.folds)
    gm, wm, csf = _individual(rng, canvas, gm, wm, depth, ventricle, sharpness, atrophy, own_folds)

    rim = np.float32(erosion) + edge.on(canvas) * np.float32(1.2)
    outside = np.zeros(canvas.shape, np.float32)
    if leak:
        patch = ramp(smooth_field(rng, canvas, 25.0), 0.9, 1.4)
        rim = rim - patch * np.float32(leak_mm + max(erosion, 0))
        outside = ramp(depth, 0.5, -1.0)
    mask = depth > rim
    seen = np.ones(canvas.shape, bool)
    if cut_at is not None:
        low, high = np.nonzero(mask.any((0, 1)))[0][[0, -1]]
        lost = int(cut_at * (high - low))
        seen[..., slice(high - lost, None) if cut_top else slice(0, low + lost)] = False
        mask &= seen
    pieces, count = ndimage.label(mask)
    if count > 1:
        mask = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    if eye is not None:
        # Last: an eye is a piece of its own, apart from the brain.
        ball = sum((mni[a] - _EYES[eye][a]) ** 2 for a in range(3)) < eye_mm**2
        mask |= ball & seen
        outside = np.where(ball & (depth < 0), 1, outside).astype(np.float32)
    record = {
        **warp.record,
        "fine_warp_mm": fine_mm,
        "sharpness": sharpness,
        "atrophy": atrophy,
        "own_folds": own_folds,
        "erosion_mm": erosion,
        "leak": leak,
        "eye": eye is not None,
        "cut": cut_at,
    }
    return Head(canvas, mni, gm, wm, csf, residual, depth, ventricle, beside, mask, outside, record)


def _individual(
    rng: np.random.Generator,
    canvas: Canvas,
    gm: Volume,
    wm: Volume,
    depth: Volume,
    ventricle: Volume,
    sharpness: float,
    atrophy: float,
    own_folds: bool,
) -> tuple[Volume, Volume, Volume]:
    """Turn averaged tissue maps into one person's: sharper, with sulci of their own and their age's CSF."""
    csf = np.clip(1 - gm - wm, 0, 1)
    sulcal = ramp(depth, 30, 10)
    if own_folds:
        # The zero set of a smooth field is a sheet; a sulcus is a sheet of CSF lined with cortex.
        scale = float(rng.uniform(9, 15))
        sheet = np.abs(smooth_field(rng, canvas, scale)) * np.float32(scale / 1.6)
        reach = sulcal * ramp(smooth_field(rng, canvas, 18.0), -0.5, 0.5) * (1 - ramp(ventricle, 0, 0.3))
        cortex = ramp(sheet, 3.2, 1.8) * reach
        cleft = ramp(sheet, float(rng.uniform(0.7, 1.5)), 0.2) * reach
        gm = gm + cortex * wm * np.float32(0.8)
        wm = wm * (1 - cortex * np.float32(0.8))
        gm, wm = gm * (1 - cleft), wm * (1 - cleft)
        csf = np.maximum(csf, cleft)
    power = np.float32(sharpness)
    uneven = np.float32(0.4) * smooth_field(rng, canvas, 8.0)
    weights = [
        (gm + np.float32(0.01)) ** power,
        (wm + np.float32(0.005)) ** power,
        (csf + np.float32(0.01)) ** power * np.exp(sulcal * (np.float32(atrophy) + uneven)),
    ]
    total = weights[0] + weights[1] + weights[2]
    return weights[0] / total, weights[1] / total, weights[2] / total
