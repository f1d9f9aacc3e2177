"""The prediction layer: read-only, one array, outlines of nested regions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from napari.components import ViewerModel
from napari.layers import Labels

from napari_rdl.brats import REGIONS
from napari_rdl.case import load_case
from napari_rdl.plugin.viewer.appearance import keep_read_only
from napari_rdl.plugin.viewer.prediction import PredictionLayer, region_outlines

small_classes = arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 3), elements=st.integers(0, 3))


@pytest.fixture
def prediction(brats_folder):
    return PredictionLayer(ViewerModel(), load_case(brats_folder))


@pytest.fixture
def truth(prediction):
    return prediction.case.truth()


def in_outline(region: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Return the voxels of a mask that have a neighbour outside it (or outside the volume) along `axes`."""
    padded = np.pad(region, 1)
    outside = np.zeros_like(region)
    for axis in axes:
        for step in (-1, 1):
            shifted = np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
            outside |= ~shifted
    return region & outside


@given(small_classes, st.sampled_from([(0, 1), (0, 2), (1, 2), (0, 1, 2)]))
def test_outlines_are_exactly_the_voxels_at_a_region_border(classes, axes):
    outlines = region_outlines(classes, axes)
    borders = {
        value: in_outline(np.isin(classes, REGIONS[name]), axes)
        for value, name in enumerate(("WT", "TC", "ET"), start=1)
    }
    np.testing.assert_array_equal(outlines > 0, borders[1] | borders[2] | borders[3])
    for value, border in borders.items():
        assert border[outlines == value].all()


@given(small_classes, st.integers(0, 2), st.data())
def test_a_slice_has_the_outlines_that_the_volume_has_there(classes, axis, data):
    index = data.draw(st.integers(0, classes.shape[axis] - 1))
    axes = tuple(other for other in range(3) if other != axis)
    volume = region_outlines(classes, axes).take(index, axis)
    np.testing.assert_array_equal(region_outlines(classes.take(index, axis), (0, 1)), volume)


def test_coinciding_outlines_take_turns():
    classes = np.zeros((12, 12), np.uint8)
    classes[2:10, 2:10] = 3
    assert set(np.unique(region_outlines(classes, (0, 1)))) == {0, 1, 3}


def test_show_writes_into_the_one_array(prediction, truth):
    before = prediction.layer.data
    prediction.show(truth)
    assert prediction.layer.data is before
    np.testing.assert_array_equal(before, truth)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_show_slice_changes_that_slice_alone(prediction, truth, axis):
    prediction.show_slice(axis, 11, truth.take(11, axis))
    expected = np.zeros_like(truth)
    where = tuple(11 if other == axis else slice(None) for other in range(3))
    expected[where] = truth[where]
    assert expected.any()
    np.testing.assert_array_equal(prediction.layer.data, expected)


def test_the_layer_cannot_be_painted_on(prediction):
    layer = prediction.layer
    assert not layer.editable
    layer.mode = "paint"
    assert layer.mode == "pan_zoom"
    layer.editable = True
    assert not layer.editable


def test_classes_have_names_in_the_status_bar(prediction, truth):
    prediction.show(truth)
    voxel = np.argwhere(truth == 3)[0]
    status = prediction.layer.get_status(prediction.layer.data_to_world(voxel), world=True)
    assert "enhancing tumour" in status["value"]


def test_outlines_are_a_layer_of_their_own_and_labels_stay_classes(prediction, truth):
    prediction.show(truth)
    prediction.set_outlines(True)
    viewer_layers = prediction._viewer.layers
    outline = viewer_layers[-1]
    assert outline.visible
    assert not prediction.layer.visible
    assert outline.data.any()
    np.testing.assert_array_equal(prediction.layer.data, truth)
    prediction.set_outlines(False)
    assert prediction.layer.visible
    assert not outline.visible
    assert len(viewer_layers) == 2


def test_outlines_follow_the_plane_shown(prediction, truth):
    prediction.show(truth)
    prediction.set_outlines(True)
    viewer = prediction._viewer
    for order, axes in {(2, 1, 0): (0, 1), (1, 2, 0): (0, 2), (0, 2, 1): (1, 2)}.items():
        viewer.dims.order = order
        np.testing.assert_array_equal(viewer.layers[-1].data, region_outlines(truth, axes))


def test_a_deleted_layer_comes_back_with_the_next_prediction(prediction, truth):
    viewer = prediction._viewer
    viewer.layers.remove(prediction.layer)
    prediction.show(truth)
    assert prediction.layer in viewer.layers


def test_remove_takes_the_layers_out_and_stops_listening(prediction, truth):
    viewer = prediction._viewer
    prediction.show(truth)
    prediction.set_outlines(True)
    outline = viewer.layers[-1]
    before = outline.data.copy()
    prediction.remove()
    assert not len(viewer.layers)
    viewer.dims.order = viewer.dims.order[::-1]
    np.testing.assert_array_equal(outline.data, before)


def test_a_layer_that_nobody_paints_in_has_no_tools_to_draw(prediction):
    layer = Labels(np.zeros((3, 3, 3), np.uint8))
    tools = [layer._overlays[name] for name in ("brush_stroke", "polygon")]
    give_back = keep_read_only(layer)
    assert not any(tool.visible for tool in tools)
    layer.editable = True
    assert not layer.editable
    give_back()
    assert layer.editable
    assert all(tool.visible for tool in tools)
    layer.mode = "paint"
    assert tools[0].enabled
    assert not any(prediction.layer._overlays[name].visible for name in ("brush_stroke", "polygon"))


def test_what_a_closed_widget_left_of_the_same_patient_goes(prediction):
    viewer = prediction._viewer
    prediction.set_outlines(True)
    other = viewer.add_labels(np.zeros((3, 3, 3), np.uint8), name="somebody's")
    prediction.close()
    after = PredictionLayer(viewer, prediction.case)
    assert list(viewer.layers) == [other, after.layer]
    assert after.layer.name == prediction.layer.name
