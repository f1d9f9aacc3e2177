"""Planes, letters and the grid: what a radiologist must find where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_rdl.case import case_from_arrays, load_case
from napari_rdl.plugin.viewer.layers import add_case, correct_a_copy, plugin_metadata
from napari_rdl.plugin.viewer.prediction import PredictionLayer
from napari_rdl.plugin.viewer.views import (
    PLANES,
    current_plane,
    edge_letters,
    modality_grid_shown,
    show_modality_grid,
    show_new_patient,
    show_orientation_letters,
    show_plane,
    step_to_tumour,
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
        if overlays[f"napari_rdl_{edge}"].visible
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


def cells(viewer) -> list[list[str]]:
    """Return the names of the visible layers of each cell of the grid."""
    grid = viewer.canvas.grid
    return [
        [viewer.layers[index].name for index in indices if viewer.layers[index].visible]
        for _, indices in grid.iter_viewboxes(viewer.layers)
    ]


def test_the_grid_has_one_cell_per_modality_with_the_prediction_on_each(viewer, case):
    prediction = PredictionLayer(viewer, case)
    show_modality_grid(viewer, True)
    found = cells(viewer)
    assert [names[0].split()[-1] for names in found] == ["T1", "T1c", "T2", "FLAIR"]
    assert all(len(names) == 2 and "prediction" in names[1] for names in found)
    twins = plugin_metadata(prediction.layer)["twins"]
    assert all(twin.data is prediction.layer.data and not twin.editable for twin in twins)


def test_a_new_prediction_is_drawn_on_every_modality(viewer, case):
    prediction = PredictionLayer(viewer, case)
    show_modality_grid(viewer, True)
    drawn = []
    for twin in plugin_metadata(prediction.layer)["twins"]:
        twin.events.set_data.connect(lambda event: drawn.append(event.source))
    prediction.show(case.truth())
    assert drawn == plugin_metadata(prediction.layer)["twins"]


def test_leaving_the_grid_restores_layers_order_and_visibility(viewer, case):
    PredictionLayer(viewer, case)
    before = [(layer, layer.visible) for layer in viewer.layers]
    show_modality_grid(viewer, True)
    assert modality_grid_shown(viewer)
    show_modality_grid(viewer, False)
    assert [(layer, layer.visible) for layer in viewer.layers] == before
    assert not viewer.canvas.grid.enabled
    assert not modality_grid_shown(viewer)


def test_hiding_the_prediction_hides_it_on_every_modality(viewer, case):
    prediction = PredictionLayer(viewer, case)
    show_modality_grid(viewer, True)
    prediction.layer.visible = False
    assert all(len(names) == 1 for names in cells(viewer))


def test_a_layer_that_comes_later_joins_the_cells(viewer, case, qtbot):
    prediction = PredictionLayer(viewer, case)
    show_modality_grid(viewer, True)
    prediction.set_outlines(True)
    qtbot.waitUntil(lambda: viewer.canvas.grid.stride == 3)
    assert [names[-1].split(" on ")[0] for names in cells(viewer)] == ["BraTS2021_90001 outlines"] * 4
    correct_a_copy(viewer, prediction.layer)
    qtbot.waitUntil(lambda: viewer.canvas.grid.stride == 4)
    assert all("corrected" in names[-1] for names in cells(viewer))


def test_strokes_on_the_corrected_layer_are_drawn_on_every_modality(viewer, case):
    layer = correct_a_copy(viewer, PredictionLayer(viewer, case).layer)
    show_modality_grid(viewer, True)
    drawn = []
    for twin in plugin_metadata(layer)["twins"]:
        twin.events.set_data.connect(lambda event: drawn.append(event.source))
    layer.paint((12, 12, 12), 3)
    assert len(drawn) == 3


def test_napari_own_grid_button_ends_the_grid(viewer, case, qtbot):
    PredictionLayer(viewer, case)
    show_modality_grid(viewer, True)
    viewer.canvas.grid.enabled = False
    qtbot.waitUntil(lambda: not modality_grid_shown(viewer))
    assert len(viewer.layers) == 5


def test_another_patient_is_hidden_while_the_grid_is_on(viewer, case):
    other = case_from_arrays({"T2": np.arange(64.0).reshape(4, 4, 4)}, np.eye(4), name="other")
    image = add_case(viewer, other)["T2"]
    labels = PredictionLayer(viewer, other).layer
    PredictionLayer(viewer, case)
    show_modality_grid(viewer, True)
    assert not image.visible
    assert not labels.visible
    assert [len(names) for names in cells(viewer)] == [2, 2, 2, 2]
    show_modality_grid(viewer, False)
    assert image.visible
    assert labels.visible


def test_the_grid_ends_with_its_last_image(viewer, case, qtbot):
    show_modality_grid(viewer, True)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not modality_grid_shown(viewer))


def test_one_modality_makes_one_cell():
    viewer = ViewerModel()
    case = case_from_arrays({"T2": np.arange(64.0).reshape(4, 4, 4)}, np.eye(4), name="one")
    add_case(viewer, case)
    PredictionLayer(viewer, case)
    show_modality_grid(viewer, True)
    assert cells(viewer) == [["one T2", "one prediction"]]


def test_no_patient_no_grid():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 4, 4)))
    show_modality_grid(viewer, True)
    assert not viewer.canvas.grid.enabled


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_result_out_of_sight_is_stepped_to(plane):
    affine = np.diag([2.0, 1.0, 3.0, 1.0])
    affine[:3, 3] = (-7, 5, 11)
    case = case_from_arrays({"T1": np.ones((8, 9, 10), np.int16)}, affine, name="p")
    viewer = ViewerModel()
    add_case(viewer, case)
    show_plane(viewer, plane)
    viewer.dims.current_step = (0, 0, 0)
    classes = np.zeros((8, 9, 10), np.uint8)
    step_to_tumour(viewer, case.grid, classes)
    assert viewer.dims.current_step == (0, 0, 0)
    classes[4:6, 7, 2] = 1
    classes[5, 6, 2] = 2
    step_to_tumour(viewer, case.grid, classes)
    assert viewer.dims.current_step == (5, 7, 2)
    classes[:] = 1
    step_to_tumour(viewer, case.grid, classes)
    assert viewer.dims.current_step == (5, 7, 2)


def test_a_speck_in_the_slice_shown_does_not_hide_the_tumour():
    case = case_from_arrays({"T1": np.ones((8, 9, 10), np.int16)}, np.eye(4), name="p")
    viewer = ViewerModel()
    add_case(viewer, case)
    show_plane(viewer, "axial")
    viewer.dims.current_step = (0, 0, 0)
    classes = np.zeros((8, 9, 10), np.uint8)
    classes[0, 0, 0] = 1
    classes[3:6, 2:5, 7] = 2
    step_to_tumour(viewer, case.grid, classes)
    assert viewer.dims.current_step[2] == 7
    viewer.dims.current_step = (0, 0, 0)
    classes[:3, 0, 0] = 1
    step_to_tumour(viewer, case.grid, classes)
    assert viewer.dims.current_step == (0, 0, 0)
