"""Colours of what is compared: the theme's, the scale of the table's cells, and who is who."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

from napari_rdl.brats import CLASS_COLOURS

if TYPE_CHECKING:
    from napari.viewer import Viewer

ONLY_A_COLOUR, ONLY_B_COLOUR, BOTH_COLOUR = "#ff9f1c", "#3fa7ff", "#8e6bbf"
"""Orange and blue stay apart for those who see red and green alike."""

LOST_COLOUR, GAINED_COLOUR = ONLY_A_COLOUR, ONLY_B_COLOUR
"""Of voxels that a region loses and gains without a modality: with it and without it are A and B."""

REGION_COLOURS: Mapping[str, str] = {"WT": CLASS_COLOURS[2], "TC": CLASS_COLOURS[1], "ET": "#e0a800"}
"""The colour of the class that a region adds; a darker yellow, to be read on light ground."""

# Anchors of viridis, dark to bright.
_SCALE = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")


def _fading(name: str, *, clear_at_top: bool) -> Colormap:
    """Return a perceptually even map of napari's, bright where one is to look, clear at its other end."""
    colours = np.array(AVAILABLE_COLORMAPS[name].colors)
    shares = np.linspace(0, 1, len(colours))
    colours[:, 3] = 0.95 * np.minimum(1, 2 * shares)
    return Colormap(colours[::-1] if clear_at_top else colours)


DISAGREED = _fading("viridis", clear_at_top=True)
"""Of agreement: what all agree on is seen through."""

UNSURE = _fading("magma", clear_at_top=False)
"""Of entropy: what is sure is seen through."""


@dataclass(frozen=True)
class ThemeColours:
    """What the painted parts take from napari's theme."""

    text: QColor
    ground: QColor
    line: QColor
    mark: QColor


def theme_colours(viewer: Viewer) -> ThemeColours:
    """Return the colours of the viewer's theme."""
    theme = get_theme(viewer.theme)
    return ThemeColours(
        *(
            QColor(one.as_hex("long"))
            for one in (theme.text, theme.foreground, theme.secondary, theme.current)
        )
    )


def scale_colour(share: float) -> QColor:
    """Return the colour of a value between 0 (dark) and 1 (bright)."""
    place = min(max(share, 0.0), 1.0) * (len(_SCALE) - 1)
    low = min(int(place), len(_SCALE) - 2)
    ends = [QColor(_SCALE[low]), QColor(_SCALE[low + 1])]
    mixed = [
        round(float(np.interp(place - low, (0, 1), pair)))
        for pair in zip(*(end.getRgb()[:3] for end in ends), strict=True)
    ]
    return QColor(*mixed)


def readable_on(ground: QColor) -> QColor:
    """Return black or white, whichever is read more easily on `ground`."""
    red, green, blue, _ = ground.getRgb()
    return QColor("black" if 0.299 * red + 0.587 * green + 0.114 * blue > 135 else "white")
