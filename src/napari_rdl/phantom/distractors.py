"""What is bright and no tumour: vessels, dura, choroid plexus, ageing white matter, old infarcts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_rdl.phantom.anatomy import Head
from napari_rdl.phantom.fields import SmoothField, Volume, ramp, smooth_field
from napari_rdl.phantom.settings import DistractorSettings

_GLANDS = {"pituitary": ((0, 3, -33), 4.0), "pineal": ((0, -30, 1), 3.0), "infundibulum": ((0, 0, -22), 1.5)}
"""MNI places (mm) and radii (mm) of small parts without a blood-brain barrier."""


@dataclass
class Distractors:
    """Soft memberships (X, Y, Z), 0 to 1, and strengths.

    Attributes
    ----------
    vessels, dura, choroid : Volume
        Enhance on T1c.
    aged : Volume
        Periventricular caps and foci in white matter; bright on T2 and FLAIR.
    lacunes : Volume
        Old infarcts, filled with CSF.
    pulsation : Volume
        Part of the CSF's signal that escapes suppression on FLAIR.
    record : dict
        What was drawn.
    """

    vessels: Volume
    dura: Volume
    choroid: Volume
    aged: Volume
    lacunes: Volume
    pulsation: Volume
    record: dict[str, Any]


def make_distractors(rng: np.random.Generator, settings: DistractorSettings, head: Head) -> Distractors:
    """Draw what looks like tumour in one modality or another and is none."""
    canvas = head.canvas
    x, y, z = head.mni
    vessels_on = float(rng.uniform(*settings.vessels))
    dura_on = float(rng.uniform(*settings.dura))
    choroid_on = float(rng.uniform(*settings.choroid))
    caps_on = float(rng.uniform(*settings.caps) ** 1.5)
    foci = bool(rng.random() < settings.wmh)
    old = bool(rng.random() < settings.lacunes)

    # Two smooth fields are both zero along curves: tubes of a radius that follows from their slope.
    scale = float(rng.uniform(8, 13))
    tubes = np.hypot(smooth_field(rng, canvas, scale), smooth_field(rng, canvas, scale)) * np.float32(
        scale / 1.5
    )
    calibre = np.float32(1.0) + np.float32(0.5) * smooth_field(rng, canvas, 20.0)
    wide = max(canvas.spacing, 1.0)
    room = np.clip(ramp(head.csf, 0.05, 0.3) + ramp(head.depth, 9, 3) + np.float32(0.1), 0, 1)
    room = np.where(
        (z < -15) & (np.abs(x) < 30) & (y > -20), np.maximum(room, ramp(head.csf, 0.05, 0.3)), room
    )
    vessels = np.clip((calibre + np.float32(0.5 * wide) - tubes) / np.float32(wide), 0, 1)
    vessels = vessels * room
    # Sinuses: sagittal along the upper midline, straight and transverse along the tentorium.
    edge = head.depth
    sagittal = ramp(np.abs(x), 5, 2.5) * ramp(edge, 7, 4) * (z > 0)
    transverse = ramp(np.abs(z + 14 - 0.08 * np.abs(x)), 5, 2.5) * ramp(edge, 8, 4) * (y < -40)
    straight = (
        ramp(np.abs(x), 2.5, 1) * ramp(np.abs(z - 2 + 0.5 * (y + 60)), 3, 1.5) * ((y < -38) & (y > -85))
    )
    sinuses = np.maximum(np.maximum(sagittal, transverse), straight * ramp(head.csf, 0.02, 0.2))
    vessels = np.maximum(vessels, sinuses * rng.uniform(0.3, 1)) * np.float32(vessels_on)

    patches = ramp(smooth_field(rng, canvas, 18.0), -0.4, 1.2)
    sheet = ramp(edge, 3.0, 1.0) * patches
    falx = ramp(np.abs(x), 1.8, 0.8) * ramp(head.csf, 0.1, 0.35) * (edge < 45)
    dura = np.maximum(sheet, falx) * np.float32(dura_on)

    plexus = ramp(smooth_field(rng, canvas, 5.0), 0.2, 0.9) * ramp(head.ventricle, 0.3, 0.7)
    plexus *= np.where((y < -15) & (y > -48), 1, np.float32(0.35))
    for (px, py, pz), radius in _GLANDS.values():
        gap = np.sqrt((x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2)
        plexus = np.maximum(plexus, ramp(gap, radius + 1, radius - 1))
    choroid = plexus * np.float32(choroid_on)

    reach = np.float32(rng.uniform(0.5, 1.5))
    horns = np.exp(-(((y - 30) / 14) ** 2)) + np.exp(-(((y + 50) / 16) ** 2)) + np.float32(0.3)
    aged = (
        ramp(head.beside * reach * horns * np.exp(0.3 * smooth_field(rng, canvas, 8.0)), 0.08, 0.3)
        * head.wm
        * np.float32(caps_on)
    )
    spots = SmoothField(rng, float(rng.uniform(4, 7))).on(canvas)
    level = float(rng.uniform(1.7, 2.6))
    bright = float(rng.uniform(0.3, 1))
    if foci:
        deep = ramp(head.depth, 8, 14) * head.wm
        aged = np.maximum(aged, ramp(spots, level - 0.3, level + 0.3) * deep * np.float32(bright))

    holes = np.zeros(canvas.shape, np.float32)
    hole_field = smooth_field(rng, canvas, 7.0)
    if old:
        holes = ramp(hole_field, 2.4, 2.8) * ramp(head.depth, 6, 12)
        aged = np.maximum(aged, ramp(hole_field, 2.0, 2.4) * (1 - holes) * (head.depth > 6) * np.float32(0.8))
    pulsation = ramp(smooth_field(rng, canvas, 15.0), 0.0, 1.8) * np.float32(rng.uniform(*settings.pulsation))
    pulsation = np.where(z < 5, pulsation, 0.4 * pulsation)
    record = {
        "vessels": vessels_on,
        "dura": dura_on,
        "choroid": choroid_on,
        "caps": caps_on,
        "foci": foci,
        "lacunes": old,
    }
    return Distractors(
        vessels.astype(np.float32),
        dura.astype(np.float32),
        choroid.astype(np.float32),
        aged.astype(np.float32),
        holes,
        pulsation.astype(np.float32),
        record,
    )
