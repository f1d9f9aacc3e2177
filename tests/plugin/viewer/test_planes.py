"""Planes and letters: what a radiologist must find where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_rdl.case import load_case
from napari_rdl.plugin.viewer.patient_layers import add_case
from napari_rdl.plugin.viewer.planes import (
    PLANES,
    current_plane,
    edge_letters,
    show_new_patient,
    show_orientation_letters,
    show_plane,
)

RADIOLOGICAL = {
    "axial": {"top": "A", "bottom": "P", "left": "R", "right": "L"},
    "coronal": {"top": "S", "bottom": "I", "left": "R", "right": "L"},
    "sagittal": {"top": "S", "bottom": "I", "left": "A", "right": "P"},
}


@pytest.fixture(scope="module")
def case(brats_folder):
    return load_case(brats_folder)


@pytest.fixture
def viewer(case):
    viewer = ViewerModel()
    add_case(viewer, case)
    return viewer


def letters(viewer) -> dict[str, str]:
    overlays = viewer.canvas.overlays
    return {
        edge: overlays[f"napari_rdl_{edge}"].text
        for edge in ("top", "bottom", "left", "right")
        if overlays[f"napari_rdl_{edge}"].visible and overlays[f"napari_rdl_{edge}"].text
    }


@pytest.mark.parametrize("plane", PLANES)
def test_each_plane_has_the_radiological_letters(viewer, plane):
    show_plane(viewer, plane)
    assert letters(viewer) == RADIOLOGICAL[plane]
    assert current_plane(viewer) == plane


@pytest.mark.parametrize("plane", PLANES)
def test_no_layer_is_mirrored_and_the_place_is_kept(viewer, plane):
    point = (viewer.dims.range[0].start + 7, viewer.dims.range[1].start + 9, viewer.dims.range[2].start + 5)
    viewer.dims.point = point
    show_plane(viewer, plane)
    assert all((np.asarray(layer.scale) > 0).all() for layer in viewer.layers)
    assert viewer.dims.point == pytest.approx(point)


@pytest.mark.parametrize("plane", PLANES)
def test_the_volume_is_not_mirrored_in_3d(viewer, plane):
    """Right, up and towards the eye must be as handed as right, anterior and superior are."""
    show_plane(viewer, plane)
    grows = {"up": 1, "down": -1, "right": 1, "left": -1, "towards": 1, "away": -1}
    depth, up, across = (
        grows[str(way)] * np.eye(3)[axis]
        for axis, way in zip(viewer.dims.order, viewer.scene.camera.orientation, strict=True)
    )
    assert np.linalg.det([across, up, depth]) == pytest.approx(1)


@pytest.mark.parametrize("displayed", [(0, 1), (1, 0), (2, 0)])
@pytest.mark.parametrize("up", ["up", "down"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_letters_stand_at_the_end_that_grows_towards_them(displayed, up, side):
    high = "RAS"
    named = edge_letters(displayed, (up, side))
    assert named["top" if up == "up" else "bottom"] == high[displayed[0]]
    assert named[side] == high[displayed[1]]
    assert len(set(named.values())) == 4


def test_letters_follow_whoever_turns_the_picture(viewer):
    show_plane(viewer, "axial")
    viewer.scene.camera.orientation2d = ("down", "right")
    assert letters(viewer) == {"top": "P", "bottom": "A", "left": "L", "right": "R"}
    viewer.dims.order = (0, 1, 2)
    assert letters(viewer) == {"top": "P", "bottom": "A", "left": "I", "right": "S"}


def test_letters_are_hidden_where_they_would_tell_nothing(viewer):
    show_plane(viewer, "axial")
    viewer.dims.ndisplay = 3
    assert letters(viewer) == {}
    viewer.dims.ndisplay = 2
    assert len(letters(viewer)) == 4
    viewer.layers.clear()
    assert letters(viewer) == {}


def test_letters_can_be_taken_away(viewer):
    show_plane(viewer, "axial")
    show_orientation_letters(viewer, False)
    assert letters(viewer) == {}
    show_orientation_letters(viewer)
    assert letters(viewer) == RADIOLOGICAL["axial"]


def test_an_unknown_plane_is_refused(viewer):
    with pytest.raises(ValueError, match="'oblique' is no plane"):
        show_plane(viewer, "oblique")


def test_the_first_patient_in_an_empty_viewer_comes_up_axial(case):
    viewer = ViewerModel()
    show_new_patient(viewer)
    add_case(viewer, case)
    assert current_plane(viewer) == "axial"
    assert letters(viewer) == RADIOLOGICAL["axial"]


def test_a_viewer_with_layers_is_left_as_it_is(case):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 4, 4)))
    order = viewer.dims.order
    show_new_patient(viewer)
    add_case(viewer, case)
    assert viewer.dims.order == order
