"""In a real window: what is seen on the canvas, and the manifest's contributions through napari itself."""

from __future__ import annotations

import threading

import nibabel as nib
import npe2
import numpy as np
import pytest
from napari.utils.notifications import notification_manager

from napari_rdl import phantom
from napari_rdl.case import case_from_arrays
from napari_rdl.plugin.viewer.corrected import correct_a_copy
from napari_rdl.plugin.viewer.modality_grid import show_modality_grid
from napari_rdl.plugin.viewer.patient_layers import add_case
from napari_rdl.plugin.viewer.planes import current_plane, show_plane
from napari_rdl.plugin.viewer.prediction import PredictionLayer


@pytest.fixture
def viewer(make_napari_viewer):
    """A viewer in which this plugin is registered."""
    viewer = make_napari_viewer()
    manager = npe2.PluginManager.instance()
    if "napari-rdl" not in manager:
        manager.register(npe2.PluginManifest.from_distribution("napari-rdl"))
    return viewer


@pytest.fixture
def window(make_napari_viewer):
    """A viewer whose window is shown: a hidden one draws nothing."""
    return make_napari_viewer(show=True)


@pytest.fixture
def marked():
    """A case whose one bright block lies left, anterior and superior in the patient."""
    image = np.full((24, 24, 24), 10, np.float32)
    image[0, 0, 0] = 9
    image[3:7, 17:21, 16:20] = 100
    affine = nib.affines.from_matvec(np.diag([2.0, 2, 2]), [-24, -24, -24])
    return case_from_arrays({"T1": image, "T2": image[::-1]}, affine, name="marked")


def bright_side(picture: np.ndarray) -> tuple[str, str]:
    """Return in which half of the picture the brightest pixels lie: up or down, left or right."""
    # Letters are orange: grey is what has as much blue as red.
    grey = np.where(abs(picture[..., 0].astype(int) - picture[..., 2]) < 5, picture[..., 0].astype(int), 0)
    rows, columns = np.nonzero(grey > 0.8 * grey.max())
    height, width = grey.shape
    return "up" if rows.mean() < height / 2 else "down", "left" if columns.mean() < width / 2 else "right"


@pytest.mark.parametrize(
    ("plane", "side"),
    [("axial", ("up", "right")), ("coronal", ("up", "right")), ("sagittal", ("up", "left"))],
)
def test_left_anterior_superior_is_seen_where_a_radiologist_looks_for_it(window, marked, plane, side):
    layers = add_case(window, marked)
    layers["T2"].visible = False
    layers["T1"].visible = True
    layers["T1"].contrast_limits = (0, 100)
    show_plane(window, plane)
    window.dims.point = nib.affines.apply_affine(marked.grid.affine, (5, 19, 18))
    assert bright_side(window.screenshot(canvas_only=True, flash=False)) == side


def test_a_shown_slice_is_on_the_canvas_at_once(window, marked):
    layers = add_case(window, marked)
    show_plane(window, "axial")
    prediction = PredictionLayer(window, marked)
    before = window.screenshot(canvas_only=True, flash=False)
    index = window.dims.current_step[2]
    prediction.show_slice(2, index, np.full((24, 24), 3, np.uint8))
    shown = window.screenshot(canvas_only=True, flash=False)
    # Enhancing tumour is yellow: red and green, little blue.
    yellow = shown[..., 0].astype(int) - shown[..., 2] > 40
    assert yellow.mean() > 5 * max((before[..., 0].astype(int) - before[..., 2] > 40).mean(), 1e-3)
    assert layers["T1"] in window.layers


def test_the_grid_draws_every_cell_and_letters_in_each(window, marked, qtbot):
    add_case(window, marked)
    show_plane(window, "axial")
    prediction = PredictionLayer(window, marked)
    classes = np.zeros(marked.grid.shape, np.uint8)
    classes[8:16, 8:16] = 1
    prediction.show(classes)
    show_modality_grid(window, True)
    picture = window.screenshot(canvas_only=True, flash=False).astype(int)
    red = picture[..., 0] - picture[..., 1] > 60
    halves = np.array_split(red, 2, axis=1)
    assert all(half.mean() > 0.005 for half in halves)
    show_modality_grid(window, False)
    assert len(window.layers) == 3


def test_a_folder_opened_through_napari_comes_up_axial(viewer, brats_folder):
    layers = viewer.open(str(brats_folder), plugin="napari-rdl")
    assert len(layers) == 5
    assert current_plane(viewer) == "axial"
    assert viewer.canvas.overlays["napari_rdl_right"].text == "L"


def test_a_bad_file_opened_through_napari_touches_no_layer(viewer, tmp_path):
    kept = viewer.add_image(np.zeros((4, 4)))
    bad = tmp_path / "cut.nii.gz"
    bad.write_bytes(b"\x1f\x8b\x08\x00")
    viewer.open(str(bad), plugin="napari-rdl")
    assert list(viewer.layers) == [kept]
    told = notification_manager.records[-1]
    assert told.severity == "warning"
    assert "cut.nii.gz" in told.message


def test_a_corrected_layer_saved_through_napari_goes_to_the_native_grid(viewer, brats_folder, tmp_path):
    viewer.open(str(brats_folder), plugin="napari-rdl")
    case = viewer.layers[0].metadata["napari_rdl"]["source"]
    prediction = PredictionLayer(viewer, case)
    prediction.show(case.truth())
    path = tmp_path / "by_hand.nii.gz"
    assert correct_a_copy(viewer, prediction.layer).save(str(path), plugin="napari-rdl") == [str(path)]
    truth = nib.load(brats_folder / "BraTS2021_90001_seg.nii.gz")
    np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj), np.asarray(truth.dataobj))


def test_sample_data_is_made_beside_the_windows_thread(viewer, brats_folder, monkeypatch):
    threads = []

    def make(progress):
        threads.append(threading.current_thread())
        progress(1, 2, "half way")
        return brats_folder

    monkeypatch.setattr(phantom, "sample_patient_folder", make)
    layers = viewer.open_sample("napari-rdl", "synthetic_patient")
    assert [layer.name.split()[-1] for layer in layers] == ["T1", "T1c", "T2", "FLAIR"]
    assert threads[0] is not threading.main_thread()
    assert current_plane(viewer) == "axial"


def test_a_sample_that_cannot_be_made_is_the_users_to_see(viewer, monkeypatch):
    from napari_rdl.errors import OutputError

    def fail(progress):
        raise OutputError("The cache folder is full.")

    monkeypatch.setattr(phantom, "sample_patient_folder", fail)
    with pytest.raises(OutputError, match="full"):
        viewer.open_sample("napari-rdl", "synthetic_patient")


def test_the_widgets_are_in_the_layers_menu():
    manifest = npe2.PluginManifest.from_distribution("napari-rdl")
    items = manifest.contributions.menus["napari/layers/segment"]
    widgets = manifest.contributions.widgets
    assert [item.command for item in items] == [widget.command for widget in widgets]
    assert {"Segment tumour", "Train model"} <= {widget.display_name for widget in widgets}
