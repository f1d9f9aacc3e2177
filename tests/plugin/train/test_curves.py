"""Curves as a picture."""

from __future__ import annotations

import pytest

from napari_rdl.plugin.train.curves import MOST_POINTS, CurveDrawer, CurvePicture, thinned


def test_curves_are_drawn_in_the_themes_colours_and_thinned():
    steps = list(range(1, 2001))
    points = thinned(steps, [1 / step for step in steps])
    assert len(points[0]) == MOST_POINTS
    assert points[1][0] == pytest.approx(sum(1 / step for step in steps[:5]) / 5)
    picture = CurvePicture({"total": points}, {}, 300, 270, 2.0, "#ffffff", "#000000", "#888888")
    assert picture.counts() == {"loss total": MOST_POINTS}
    drawer = CurveDrawer()
    pixels = drawer.draw(picture)
    assert pixels.shape == (540, 600, 4)
    assert tuple(pixels[0, 0]) == (255, 255, 255, 255)
    blue = (abs(pixels[:270, :, :3].astype(int) - [0x4C, 0x9B, 0xE8]).sum(-1) < 12).sum()
    assert blue > 300
    dark = drawer.draw(
        CurvePicture({"a": points}, {"a": points}, 310, 270, 1.0, "#000000", "#ffffff", "#888888")
    )
    assert dark.shape == (270, 310, 4)
    assert tuple(dark[0, 0]) == (0, 0, 0, 255)


def test_steps_are_whole_in_a_run_of_few():
    points = ([5, 6], [0.1, 0.2])
    drawer = CurveDrawer()
    drawer.draw(CurvePicture({"a": points}, {"a": points}, 310, 270, 1.0, "#000000", "#ffffff", "#888888"))
    assert all(float(tick).is_integer() for axes in drawer._axes for tick in axes.get_xticks())
