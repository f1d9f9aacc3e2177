"""Going to the tumour: which piece, which slices, and that it is seen whole."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_rdl.case import case_from_arrays
from napari_rdl.plugin.viewer.patient_layers import add_case
from napari_rdl.plugin.viewer.planes import PLANES, show_plane
from napari_rdl.plugin.viewer.tumour_view import go_to_tumour, largest_piece

SHAPE = (30, 31, 32)


@pytest.fixture
def case():
    affine = np.diag([2.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (-20, -10, 5)
    return case_from_arrays({"T1": np.ones(SHAPE, np.int16)}, affine, name="p")


@pytest.fixture
def classes():
    """Two small pieces whose slices together cut more, in one slice, than the large piece anywhere."""
    classes = np.zeros(SHAPE, np.uint8)
    classes[10:14, 12:18, 20:26] = 2
    classes[11:13, 13:17, 24] = 3
    classes[0:7, 0:6, 3] = 1
    classes[20:30, 20:30, 3] = 1
    classes[12, 14, 20:30] = 2
    return classes


def test_the_largest_piece_is_the_one_with_most_voxels_of_any_class(classes):
    box, piece = largest_piece(classes)
    assert box == (slice(10, 14), slice(12, 18), slice(20, 30))
    assert piece.sum() == 4 * 6 * 6 + 4
    assert largest_piece(np.zeros((4, 4, 4), np.uint8)) is None


@pytest.mark.parametrize("plane", PLANES)
def test_the_view_goes_to_the_slices_that_cut_most_of_it(case, classes, plane):
    viewer = ViewerModel()
    add_case(viewer, case)
    show_plane(viewer, plane)
    viewer.dims.current_step = (0, 0, 3)
    assert not go_to_tumour(viewer, case.grid, np.zeros_like(classes))
    assert viewer.dims.current_step == (0, 0, 3)
    assert go_to_tumour(viewer, case.grid, classes)
    assert viewer.dims.current_step == (12, 14, 20)


def test_what_is_out_of_sight_is_brought_in_and_nothing_is_moved_that_is_in_sight(case, classes):
    viewer = ViewerModel()
    add_case(viewer, case)
    show_plane(viewer, "axial")
    before = (viewer.scene.camera.center, viewer.scene.camera.zoom)
    go_to_tumour(viewer, case.grid, classes)
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == before
    viewer.scene.camera.zoom = 1000
    viewer.scene.camera.center = (0, 500, 500)
    go_to_tumour(viewer, case.grid, classes)
    # y 12 to 17 and x 10 to 13, to the voxels' edges, in mm.
    low = np.array([-10 + 11.5, -20 + 2 * 9.5])
    high = np.array([-10 + 17.5, -20 + 2 * 13.5])
    half = np.array(viewer.canvas.viewbox_size(viewer.layers)) / viewer.scene.camera.zoom / 2
    centre = np.array(viewer.scene.camera.center[-2:])
    assert (centre - half <= low).all()
    assert (high <= centre + half).all()
    zoomed = viewer.scene.camera.zoom
    viewer.scene.camera.zoom = zoomed / 2
    go_to_tumour(viewer, case.grid, classes)
    assert viewer.scene.camera.zoom == zoomed / 2, "a zoom that shows all of it stays"
