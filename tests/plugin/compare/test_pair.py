"""Two label maps: their difference as a layer, and side by side."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_rdl.brats import MODALITIES
from napari_rdl.case import save_labels
from napari_rdl.compare import difference
from napari_rdl.plugin.compare.comparison import EXPERT, LabelFile
from napari_rdl.plugin.viewer.roles import LAYER_KEY
from tests.plugin.compare.seen import assert_placed, layer_of, visible_names
from tests.plugin.conftest import WAIT_MS


def test_the_difference_of_two_pinned_rows(compare, studied, encoded, qtbot, rest):
    viewer, table = encoded.viewer, compare.matrix_box.table
    before = visible_names(viewer)
    encoded.set_subset(("T2",))
    qtbot.keyClick(table, Qt.Key.Key_A)
    compare.pair.box.pin("B", ("T1",))
    assert compare.pair.box.pins == {"A": ("T2",), "B": ("T1",)}
    assert table.matrix.index(1, 0).data() == "A"
    assert table.matrix.index(3, 0).data() == "B"
    compare.pair.box.difference_box.setChecked(True)
    rest()
    layer = layer_of(viewer, "difference")
    assert_placed(layer, studied.case)
    representations = encoded.session.representations
    first, second = (representations.labels(subset) for subset in (("T2",), ("T1",)))
    np.testing.assert_array_equal(layer.data, difference(first, second, "WT"))
    assert None in layer.colormap.color_dict
    assert not layer.editable
    assert encoded.updater.prediction.layer.visible is False
    ml = studied.case.grid.voxel_ml
    assert f"{(layer.data == 1).sum() * ml:.1f} ml" in compare.pair.box.lines[0].text()
    compare.pair.box.part_box.setCurrentIndex(2)
    compare.pair.box.sides_changed.emit()
    rest()
    assert layer_of(viewer, "difference") is layer
    np.testing.assert_array_equal(layer.data, difference(first, second, "ET"))
    compare.pair.box.difference_box.setChecked(False)
    assert visible_names(viewer) == before


def test_the_row_shown_against_the_reference_follows_the_rows(compare, studied, encoded, rest):
    compare.pair.box.difference_box.setChecked(True)
    for subset in (("T1c",), ("T2", "FLAIR")):
        compare.comparison.go_to(subset)
        rest()
        expected = difference(encoded.session.representations.labels(subset), studied.case.truth(), "WT")
        np.testing.assert_array_equal(layer_of(encoded.viewer, "difference").data, expected)


def test_side_by_side_in_two_cells_and_back(compare, studied, encoded, rest):
    viewer = encoded.viewer
    mine = viewer.add_points(np.zeros((1, 3)), name="mine")
    order, shown = list(viewer.layers), visible_names(viewer)
    grid = viewer.canvas.grid
    before = (grid.enabled, grid.stride, grid.shape)
    compare.pair.box.pin("A", ("T2",))
    compare.pair.box.beside_box.setChecked(True)
    rest()
    assert grid.enabled
    seen = [layer for layer in viewer.layers if layer.visible]
    cells = [grid.position(list(viewer.layers).index(layer), list(viewer.layers)) for layer in seen]
    assert cells == [(0, 0), (0, 0), (0, 1), (0, 1)]
    image, side_a, twin, side_b = seen
    assert isinstance(image, Image)
    assert twin.data is image.data
    np.testing.assert_array_equal(side_a.data, encoded.session.representations.labels(("T2",)))
    np.testing.assert_array_equal(side_b.data, studied.case.truth())
    assert (side_a.name, side_b.name) == ("A: T2", "B: expert mask")
    image.contrast_limits = (10, 200)
    assert tuple(twin.contrast_limits) == (10, 200)
    compare.pair.box.beside_box.setChecked(False)
    assert (grid.enabled, grid.stride, grid.shape) == before
    assert list(viewer.layers) == order
    assert visible_names(viewer) == shown
    assert mine in viewer.layers


def test_the_grid_of_modalities_takes_the_place_of_side_by_side(compare, studied, encoded, rest):
    compare.pair.box.beside_box.setChecked(True)
    rest()
    encoded.viewing.box.grid_box.setChecked(True)
    assert not compare.pair.box.beside_box.isChecked()
    assert encoded.viewer.canvas.grid.enabled
    roles = [layer.metadata.get(LAYER_KEY, {}).get("role") for layer in encoded.viewer.layers]
    assert "side" not in roles
    compare.pair.box.beside_box.setChecked(True)
    assert not encoded.viewing.box.grid_box.isChecked()
    compare.pair.box.beside_box.setChecked(False)
    rest()


def test_the_difference_lies_on_every_cell_of_the_grid_of_modalities(compare, studied, encoded, rest):
    encoded.viewing.box.grid_box.setChecked(True)
    compare.pair.box.difference_box.setChecked(True)
    rest()
    QApplication.processEvents()
    layer = layer_of(encoded.viewer, "difference")
    twins = [one for one in encoded.viewer.layers if one is not layer and one.data is layer.data]
    assert len(twins) == len(MODALITIES) - 1
    assert all(twin.visible for twin in twins)
    compare.pair.box.difference_box.setChecked(False)
    assert not any(twin.visible for twin in twins)
    encoded.session.set_case(encoded.session.case)
    QApplication.processEvents()
    encoded.viewing.box.grid_box.setChecked(False)
    subjects = [one.metadata.get(LAYER_KEY, {}).get("subject") for one in encoded.viewer.layers]
    assert "difference" not in subjects


def test_label_files_of_two_annotators_are_compared_without_a_run(opened, compare_beside, tmp_path, qtbot):
    compare, case = compare_beside(opened), opened.session.case
    first = case.truth()
    second = np.roll(first, 2, axis=0)
    paths = [tmp_path / "anna.nii.gz", tmp_path / "ben.nii.gz"]
    for path, classes in zip(paths, (first, second), strict=True):
        save_labels(classes, case, path)
    pair = compare.pair
    assert not pair.box.isHidden()
    assert pair.box.sides == {"A": None, "B": EXPERT}
    for letter, path in zip("AB", paths, strict=True):
        pair.box.set_file(letter, LabelFile(path))
    pair.box.difference_box.setChecked(True)
    qtbot.waitUntil(lambda: pair.box.lines[0].text() != "", timeout=WAIT_MS)
    layer = layer_of(opened.viewer, "difference")
    np.testing.assert_array_equal(layer.data, difference(first, second, "WT"))
    assert "only A, anna.nii.gz" in layer.features["voxels"].tolist()
    coarse = nib.load(paths[1]).slicer[:, :, ::2]
    nib.save(coarse, paths[1])
    pair.box.sides_changed.emit()
    qtbot.waitUntil(lambda: not pair.box.resample_button.isHidden(), timeout=WAIT_MS)
    pair.box.resample_button.click()
    qtbot.waitUntil(lambda: "resampled (nearest)" in pair.box.lines[1].text(), timeout=WAIT_MS)
    np.testing.assert_array_equal(layer.data[:, :, ::2], difference(first, second, "WT")[:, :, ::2])
