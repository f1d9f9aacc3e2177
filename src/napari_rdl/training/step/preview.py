"""A small picture of one validation patient, with its label and what the network makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_rdl.brats import CLASS_COLOURS
from napari_rdl.files import write_file

_EDGE = 192
_OPACITY = 0.55
_GAP = 4


@dataclass(frozen=True)
class Example:
    """A prepared patient and its labels, all on one RAS+ grid.

    Attributes
    ----------
    images : ndarray
        (M, X, Y, Z) normalised intensities, 0 outside the brain.
    truth, predicted : ndarray
        (X, Y, Z) uint8 class indices.
    """

    images: NDArray[np.float32]
    truth: NDArray[np.uint8]
    predicted: NDArray[np.uint8]


def write_preview(path: Path, example: Example) -> None:
    """Write label and prediction side by side as a PNG, on the axial slice with most tumour.

    Anterior is up and the patient's left on the right, as radiologists see it. Costs milliseconds.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    picture = Image.fromarray(preview_pixels(example))
    write_file(path, lambda temporary: picture.save(temporary, "PNG"), make_folder=False)


def preview_pixels(example: Example) -> NDArray[np.uint8]:
    """Return the picture (rows, columns, 3): label on the left, prediction on the right."""
    tumour = (example.truth > 0).sum((0, 1))
    index = int(tumour.argmax()) if tumour.any() else example.truth.shape[2] // 2
    # The last modality that is there: FLAIR, in which the whole tumour is seen, where nothing lacks.
    present = [image for image in example.images if image.any()]
    plane = (present[-1] if present else example.images[0])[:, :, index]
    inside = plane != 0
    low, high = np.percentile(plane[inside], (1, 99.5)) if inside.any() else (0.0, 1.0)
    grey = np.where(inside, ((plane - low) / max(high - low, 1e-6)).clip(0, 1), 0)
    panels = [_coloured(grey, classes[:, :, index]) for classes in (example.truth, example.predicted)]
    gap = np.zeros((panels[0].shape[0], _GAP, 3), np.uint8)
    return np.concatenate((panels[0], gap, panels[1]), axis=1)


def _coloured(grey: NDArray[np.floating], classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a plane (X, Y) with its labels as rows and columns of a picture."""
    pixels = np.repeat(grey[..., None] * 255, 3, axis=2)
    for index, colour in CLASS_COLOURS.items():
        rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
        pixels[classes == index] = (1 - _OPACITY) * pixels[classes == index] + _OPACITY * rgb
    # In RAS+ both x (to the right) and y (to the front) must run backwards.
    upright = pixels.transpose(1, 0, 2)[::-1, ::-1].round().astype(np.uint8)
    scale = max(_EDGE // max(upright.shape[:2]), 1)
    return upright.repeat(scale, axis=0).repeat(scale, axis=1)
