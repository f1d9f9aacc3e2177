"""Colours of what is compared."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2lab

from napari_rdl.plugin.compare.colours import DISAGREED, UNSURE, readable_on, scale_colour


def test_the_theme_is_followed(compare, studied, encoded):
    dark = compare.worth.box.bars["T1"].colours.text.name()
    encoded.viewer.theme = "light"
    assert compare.worth.box.bars["T1"].colours.text.name() != dark
    encoded.viewer.theme = "dark"


def test_the_scale_goes_from_dark_to_bright():
    lightness = [scale_colour(share).lightnessF() for share in (0, 0.5, 1)]
    assert lightness == sorted(lightness)
    assert scale_colour(-1) == scale_colour(0)
    assert readable_on(scale_colour(0)).name() == "#ffffff"
    assert readable_on(scale_colour(1)).name() == "#000000"


@pytest.mark.parametrize(("colours", "clear"), [(DISAGREED, 1.0), (UNSURE, 0.0)])
def test_layers_of_shares_are_perceptually_even_and_clear_where_there_is_nothing_to_see(colours, clear):
    found = colours.map(np.linspace(0, 1, 17))
    steps = np.diff(rgb2lab(found[:, :3])[:, 0])
    assert np.all(np.sign(steps) == np.sign(steps[0]))
    assert steps.std() < 0.2 * abs(steps.mean())
    assert colours.map(clear)[0, 3] == 0
    assert colours.map(1 - clear)[0, 3] > 0.9
