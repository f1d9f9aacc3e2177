"""The colours of the classes are told apart by whoever sees few colours, over any grey, at half opacity."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_rdl.brats import CLASS_COLOURS

# Machado, Oliveira and Fernandes 2009, at full severity, in linear RGB.
SEEN = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
GREYS = np.arange(32, 225, 32) / 255


def linear(colour):
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def displayed(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def rgb(colour: str):
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255


def apart(one, other, seen) -> float:
    """How far apart two colours are seen (CIEDE2000)."""
    first, second = (rgb2lab(displayed(np.asarray(seen) @ linear(colour))) for colour in (one, other))
    return float(deltaE_ciede2000(first, second))


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_classes_are_told_apart_from_each_other_and_from_the_image(seen):
    for grey in GREYS:
        over = [0.5 * rgb(colour) + 0.5 * grey for colour in CLASS_COLOURS.values()]
        assert min(apart(one, other, seen) for one, other in combinations(over, 2)) > 15
        assert min(apart(colour, np.full(3, grey), seen) for colour in over) > 10
