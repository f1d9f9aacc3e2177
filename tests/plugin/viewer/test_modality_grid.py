"""Modalities side by side: a cell each, the labels on all of them, and everything as it was afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_rdl.case import case_from_arrays, load_case
from napari_rdl.plugin.viewer.corrected import correct_a_copy
from napari_rdl.plugin.viewer.layer_list import cells_made
from napari_rdl.plugin.viewer.modality_grid import modality_grid_shown, show_modality_grid
from napari_rdl.plugin.viewer.patient_layers import add_case
from napari_rdl.plugin.viewer.planes import show_plane
from napari_rdl.plugin.viewer.prediction import PredictionLayer
from napari_rdl.plugin.viewer.roles import plugin_metadata


@pytest.fixture(scope="module")
def case(brats_folder):
    return load_case(brats_folder)


@pytest.fixture
def viewer(case):
    viewer = ViewerModel()
    add_case(viewer, case)
    return viewer


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
    # Every cell says which one it is.
    named = [layer.name.split()[-1] for layer in viewer.layers if layer.name_overlay.visible]
    assert named == ["T1", "T1c", "T2", "FLAIR"]
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
    assert not any(layer.name_overlay.visible for layer in viewer.layers)


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


@pytest.mark.parametrize("on", [True, False])
def test_a_grid_whose_cells_cannot_be_made_is_as_it_was(on):
    grid = ViewerModel().canvas.grid
    grid.enabled = on
    with pytest.raises(ValueError, match="no cell"), cells_made(grid):
        raise ValueError("no cell")
    assert grid.enabled is on


def test_no_patient_no_grid():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 4, 4)))
    show_modality_grid(viewer, True)
    assert not viewer.canvas.grid.enabled


@pytest.mark.parametrize("over", [True, False])
def test_side_by_side_begun_in_3d_is_whole_in_2d(make_napari_viewer, case, qtbot, over):
    viewer = make_napari_viewer()
    viewer.mouse_over_canvas = over  # napari has heard of no move of the cursor yet
    add_case(viewer, case)
    show_plane(viewer, "axial")
    viewer.dims.ndisplay = 3
    prediction = PredictionLayer(viewer, case)
    prediction.show(case.truth())
    show_modality_grid(viewer, True)
    correct_a_copy(viewer, prediction.layer)
    qtbot.waitUntil(lambda: viewer.canvas.grid.stride == 3)
    viewer.dims.ndisplay = 2
    assert {viewer.canvas.overlays[f"napari_rdl_{edge}"].text for edge in ("top", "left")} == {"A", "R"}
    assert [len(names) for names in cells(viewer)] == [3, 3, 3, 3]
    show_modality_grid(viewer, False)
    assert len(viewer.layers) == 6
