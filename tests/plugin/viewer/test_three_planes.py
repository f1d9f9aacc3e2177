"""Three planes: one place, a crosshair there, painting and looks in all of them; the tumour as surfaces."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.case import load_case
from napari_rdl.plugin.viewer.corrected import correct_a_copy
from napari_rdl.plugin.viewer.patient_layers import add_case
from napari_rdl.plugin.viewer.planes import current_plane, show_plane
from napari_rdl.plugin.viewer.prediction import PredictionLayer
from napari_rdl.plugin.viewer.roles import plugin_metadata, role_of
from napari_rdl.plugin.viewer.three_planes import ThreePlanes
from napari_rdl.plugin.viewer.tumour_surfaces import BRAIN, TumourSurfaces


@pytest.fixture
def three(make_napari_viewer, brats_folder, qtbot):
    viewer = make_napari_viewer()
    case = load_case(brats_folder)
    add_case(viewer, case)
    show_plane(viewer, "axial")
    planes = ThreePlanes(viewer, viewer.window._qt_window, lambda: None)
    planes.viewer, planes.case = viewer, case
    yield planes
    planes.close()
    qtbot.wait(50)  # Qt deletes the canvases in its own time


def test_three_planes_show_one_place_and_painting_and_leave_no_trace(three):
    viewer, case = three.viewer, three.case
    assert [current_plane(model) for model in three.models] == ["coronal", "sagittal"]
    letters = [model.canvas.overlays["napari_rdl_left"].text for model in three.models]
    assert letters == ["R", "A"], "radiological, as in the viewer"
    images = [layer for layer in viewer.layers if role_of(layer).is_modality]
    for model in three.models:
        assert [layer.data is image.data for layer, image in zip(model.layers, images, strict=True)] == [
            True
        ] * 4

    # One place: whoever moves takes the others along, and the crosshair of each meets there.
    viewer.dims.set_point(range(3), (-9, 4, 5))
    assert [model.dims.point for model in three.models] == [viewer.dims.point] * 2
    three.models[1].dims.set_point(2, 9)
    assert viewer.dims.point == three.models[0].dims.point == three.models[1].dims.point
    for crosshair in three.crosshairs:
        crosshair.resize(200, 100)
        model = crosshair._model
        model.scene.camera.center = (0, *(model.dims.point[axis] for axis in model.dims.displayed))
        assert crosshair.place() == (100, 50)
    # Radiological: a millimetre to the patient's right lies left of the middle.
    viewer.scene.camera.zoom = 2
    viewer.dims.set_point(0, viewer.dims.point[0] + 1)
    assert three.crosshairs[0].place() == (98, 50)
    viewer.dims.set_point(1, viewer.dims.point[1] + 1)
    assert three.crosshairs[0].place() == (98, 48), "anterior is up"

    # What is painted in one is there in all, and whoever follows the layer hears of it.
    prediction = PredictionLayer(viewer, case)
    prediction.show(case.truth())
    layer = correct_a_copy(viewer, prediction.layer)
    mirror = three._mirrors[0].of(layer)
    assert mirror.data is layer.data
    heard, drawn = [], []
    layer.events.paint.connect(heard.append)
    three._mirrors[1].of(layer).events.set_data.connect(drawn.append)
    layer.selected_label = 3
    assert mirror.selected_label == 3
    mirror.data_setitem((np.array([1, 2]), np.array([1, 2]), np.array([1, 2])), 3)
    assert (layer.data[1, 1, 1], layer.data[2, 2, 2]) == (3, 3)
    assert len(heard) == 1
    assert drawn
    mirror.mode = "paint"
    assert layer.mode == "paint"
    images[0].contrast_limits = (5, 50)
    assert tuple(three.models[0].layers[0].contrast_limits) == (5, 50)
    prediction.layer.visible = False
    assert not three._mirrors[1].of(prediction.layer).visible
    viewer.layers.remove(layer)
    assert len(three.models[0].layers) == len(viewer.layers)

    # Another plane in the viewer, and the other two are the others.
    show_plane(viewer, "sagittal")
    assert [current_plane(model) for model in three.models] == ["axial", "coronal"]


def test_all_layers_may_go_while_three_planes_are_shown(three):
    three.viewer.layers.clear()
    assert three.viewer.dims.ndim == 2
    add_case(three.viewer, three.case)
    show_plane(three.viewer, "axial")
    assert [current_plane(model) for model in three.models] == ["coronal", "sagittal"]
    three.viewer.dims.set_current_step(2, 3)
    assert [model.dims.point for model in three.models] == [three.viewer.dims.point] * 2


def test_what_is_looked_at_comes_back_with_the_one_canvas(make_napari_viewer, brats_folder, qtbot):
    viewer = make_napari_viewer()
    add_case(viewer, load_case(brats_folder))
    show_plane(viewer, "axial")
    camera = viewer.scene.camera
    camera.zoom *= 3
    before = (camera.center, camera.zoom)
    planes = ThreePlanes(viewer, viewer.window._qt_window, lambda: None)
    planes.fit()
    assert camera.zoom < before[1]
    planes.close()
    assert (camera.center, camera.zoom) == before
    qtbot.wait(50)  # Qt deletes the canvases in its own time


def test_the_tumour_as_surfaces_lies_where_the_labels_lie_and_all_is_as_before(
    make_napari_viewer, brats_folder
):
    from napari_rdl.segment.mesh import brain_mesh, region_meshes

    viewer, case = make_napari_viewer(), load_case(brats_folder)
    add_case(viewer, case)
    prediction = PredictionLayer(viewer, case)
    prediction.show(case.truth())
    before = [(layer, layer.visible) for layer in viewer.layers]
    show_plane(viewer, "axial")
    camera = viewer.scene.camera
    looked_at = (camera.center, camera.zoom, camera.orientation, viewer.dims.order)
    surfaces = TumourSurfaces(viewer, case)
    brain = brain_mesh(case.images["T1"], case.grid.spacing)
    surfaces.show({BRAIN: brain, **dict(region_meshes(case.truth(), case.grid.spacing))})
    assert viewer.dims.ndisplay == 3
    assert not prediction.layer.visible, "volumes of labels take seconds a frame without a graphics card"
    assert list(surfaces.layers) == ["brain", "WT", "TC", "ET"]
    assert [layer for layer in viewer.layers if layer.visible] == list(surfaces.layers.values())
    middle = np.argwhere(case.images["T1"] > 0).mean(axis=0)
    found = surfaces.layers["brain"].data[0].mean(axis=0) + np.array(prediction.layer.translate)
    np.testing.assert_allclose(found, prediction.layer.data_to_world(middle), atol=1.0)
    np.testing.assert_allclose(camera.center, surfaces.layers["brain"].extent.world.mean(axis=0), atol=1.0)
    # In another order napari draws surfaces mirrored, and of an axis turned it lights them from behind.
    assert viewer.dims.order == (0, 1, 2)
    assert camera.orientation == ("towards", "down", "right")
    np.testing.assert_array_less([*camera.view_direction], 0)
    translate = np.array(prediction.layer.translate)
    assert all(layer.data[0].min() > -2 for layer in surfaces.layers.values()), "else napari draws nothing"
    vertices = surfaces.layers["WT"].data[0] + translate
    inside = np.argwhere(case.truth() > 0)
    low, high = (
        prediction.layer.data_to_world(inside.min(axis=0)),
        prediction.layer.data_to_world(inside.max(axis=0)),
    )
    np.testing.assert_allclose(vertices.min(axis=0), low, atol=1.0)
    np.testing.assert_allclose(vertices.max(axis=0), high, atol=1.0)
    assert all(plugin_metadata(layer)["role"] == "surface" for layer in surfaces.layers.values())
    surfaces.close()
    assert viewer.dims.ndisplay == 2
    assert [(layer, layer.visible) for layer in viewer.layers] == before
    assert (camera.center, camera.zoom, camera.orientation, viewer.dims.order) == looked_at
