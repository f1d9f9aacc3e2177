"""A case as layers: where they lie, what they look like, and what a layer can be."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_rdl.case import Grid, case_from_arrays, load_case
from napari_rdl.plugin.viewer.appearance import class_colormap, scale_translate, world_affine
from napari_rdl.plugin.viewer.patient_layers import (
    add_case,
    expert_layer_data,
    find_images,
    guess_modality,
    image_layer_data,
    replace_images,
)
from napari_rdl.plugin.viewer.planes import show_plane
from napari_rdl.plugin.viewer.roles import LAYER_KEY, case_of


@pytest.fixture(scope="module")
def case(brats_folder):
    return load_case(brats_folder)


def test_images_lie_in_the_world_in_millimetres_with_positive_scale(case):
    data = image_layer_data(case)
    assert [settings["name"] for _, settings, _ in data] == [
        f"BraTS2021_90001 {name}" for name in ("T1", "T1c", "T2", "FLAIR")
    ]
    for _, settings, kind in data:
        assert kind == "image"
        assert min(settings["scale"]) > 0
        assert settings["units"] == ("mm", "mm", "mm")
        assert settings["axis_labels"] == ("x", "y", "z")


def test_a_voxel_of_the_file_is_at_its_own_place_in_the_world(case, brats_folder):
    file = nib.load(brats_folder / "BraTS2021_90001_t1.nii.gz")
    layers = add_case(ViewerModel(), case)
    voxel = (4, 20, 9)
    world = nib.affines.apply_affine(file.affine, voxel)
    x, y, z = np.rint(layers["T1"].world_to_data(world)).astype(int)
    assert layers["T1"].data[x, y, z] == file.dataobj[voxel]


def test_an_oblique_scan_keeps_spacing_and_origin_and_is_not_sheared():
    turn = nib.eulerangles.euler2mat(z=0.2)
    affine = nib.affines.from_matvec(turn @ np.diag([0.5, 0.75, 3.0]), [-10, 20, -30])
    scale, translate = scale_translate(Grid((4, 5, 6), affine))
    assert scale == pytest.approx((0.5, 0.75, 3.0))
    assert translate == pytest.approx((-10, 20, -30))


def test_contrast_comes_from_the_brain_and_not_from_the_background(case):
    for image, settings, _ in image_layer_data(case):
        low, high = settings["contrast_limits"]
        assert 0 < low < high <= image.max()


def test_a_constant_image_still_gets_contrast_limits():
    image = np.zeros((4, 4, 4), np.float32)
    image[1:3, 1:3, 1:3] = 7
    ((_, settings, _),) = image_layer_data(case_from_arrays({"T1": image}, np.eye(4), name="flat"))
    assert settings["contrast_limits"] == (7, 8)


def test_only_the_top_image_is_visible(case):
    viewer = ViewerModel()
    layers = add_case(viewer, case)
    assert [name for name, layer in layers.items() if layer.visible] == ["FLAIR"]


def test_layers_know_their_case(case):
    layers = add_case(ViewerModel(), case)
    assert all(case_of(layer) is case for layer in layers.values())
    assert case_of(Image(np.zeros((2, 2)))) is None


def test_the_expert_mask_is_hidden_and_in_class_indices(case):
    ((classes, settings, kind),) = expert_layer_data(case)
    assert kind == "labels"
    assert not settings["visible"]
    assert set(np.unique(classes)) == {0, 1, 2, 3}


def other_case():
    noise = np.random.default_rng(0).uniform(1, 9, (4, 9, 11, 13)).astype(np.float32)
    images = dict(zip(("T1", "T1c", "T2", "FLAIR"), noise, strict=True))
    return case_from_arrays(images, np.diag([2.0, 3.0, 1.5, 1.0]), name="other")


def test_another_patient_in_the_same_layers_is_as_in_new_ones(case):
    fresh, viewer = ViewerModel(), ViewerModel()
    other = other_case()
    expected = add_case(fresh, other)
    layers = add_case(viewer, case)
    layers["T2"].visible, layers["FLAIR"].colormap = True, "magma"
    for one in (fresh, viewer):
        show_plane(one, "axial")
    viewer.dims.set_current_step(2, 3)
    heard = []
    viewer.layers.events.inserted.connect(heard.append)
    assert replace_images(viewer, list(layers.values()), other)
    assert not heard
    assert (viewer.dims.range, viewer.dims.point) == (fresh.dims.range, fresh.dims.point)
    for name, layer in layers.items():
        assert layer.data is other.images[name]
        assert case_of(layer) is other
        for what in ("name", "visible", "contrast_limits", "contrast_limits_range", "metadata", "units"):
            assert getattr(layer, what) == getattr(expected[name], what), what
        np.testing.assert_array_equal(layer.extent.world, expected[name].extent.world)
        if name != "FLAIR":
            np.testing.assert_array_equal(layer.thumbnail, expected[name].thumbnail)
    assert layers["FLAIR"].colormap.name == "magma", "a user's own looks stay"


@pytest.mark.parametrize("why", ["fewer", "order", "removed", "mirrored", "none"])
def test_layers_that_do_not_fit_another_patient_are_left_alone(case, why):
    viewer, other = ViewerModel(), other_case()
    layers = list(add_case(viewer, case).values())
    if why == "fewer":
        other = replace(other, images={name: other.images[name] for name in ("T1", "FLAIR")})
    elif why == "order":
        viewer.layers.move(0, 4)
    elif why == "removed":
        viewer.layers.remove(layers[1])
    elif why == "mirrored":
        layers[0].metadata[LAYER_KEY]["mirrors"] = [layers[1]]
    elif why == "none":
        layers = []
    assert not replace_images(viewer, layers, other)
    assert all(case_of(layer) is case for layer in viewer.layers)


def test_find_images_leaves_out_what_cannot_be_a_modality(case):
    viewer = ViewerModel()
    layers = add_case(viewer, case)
    viewer.add_image(np.zeros((5, 5)), name="flat")
    viewer.add_image(np.zeros((5, 5, 5, 3), np.uint8), rgb=True, name="colour")
    viewer.add_labels(np.zeros((5, 5, 5), np.uint8))
    assert find_images(viewer) == list(layers.values())


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("BraTS2021_00006_t1ce", "T1c"),
        ("patient t2 flair", "FLAIR"),
        ("sub-01-t2w", "T2"),
        ("T1Gd [1]", "T1c"),
        ("something", None),
    ],
)
def test_guess_modality_from_a_layer_name(name, modality):
    assert guess_modality(Image(np.zeros((2, 2, 2)), name=name)) == modality


def test_metadata_outweighs_the_name():
    layer = Image(np.zeros((2, 2, 2)), name="t1", metadata={LAYER_KEY: {"modality": "T2"}})
    assert guess_modality(layer) == "T2"


def test_colours_have_a_default_so_that_stray_labels_are_not_drawn():
    colours = class_colormap().color_dict
    assert set(colours) == {None, 0, 1, 2, 3}
    assert colours[None][3] == 0


def test_colours_follow_file_values():
    colours = class_colormap({0: 0, 1: 1, 2: 2, 4: 3}).color_dict
    np.testing.assert_allclose(colours[4], class_colormap().color_dict[3])


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("um", 1e-3), ("cm", 10), ("pixel", 1)])
def test_world_affine_is_in_millimetres(unit, factor):
    layer = Image(np.zeros((3, 3, 3)), scale=(1, 2, 3), translate=(4, 5, 6), units=(unit,) * 3)
    expected = np.diag([1.0, 2, 3, 1 / factor])
    expected[:3, 3] = (4, 5, 6)
    np.testing.assert_allclose(world_affine(layer), np.vstack([expected[:3] * factor, [0, 0, 0, 1]]))
