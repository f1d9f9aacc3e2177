"""Colours of what is compared."""

from __future__ import annotations

from napari_rdl.plugin.compare.colours import readable_on, scale_colour


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
