"""The writer: labels go back to the grid that they belong to, or to their own."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_rdl.case import load_case
from napari_rdl.plugin import writers
from napari_rdl.plugin.compare.layers import CompareLayers
from napari_rdl.plugin.readers import read_paths
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role
from napari_rdl.plugin.viewer.side_by_side import SideBySide
from napari_rdl.plugin.writers import write_labels


@pytest.fixture
def said(monkeypatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(writers, "show_warning", messages.append)
    monkeypatch.setattr(writers, "show_info", messages.append)
    return messages


def write(path, layer: Labels) -> list[str]:
    data, attributes, _ = layer.as_layer_data_tuple()
    return write_labels(str(path), data, attributes)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_patients_labels_return_to_the_native_grid_and_convention(brats_folder, tmp_path, ending, said):
    classes, settings, _ = read_paths(str(brats_folder))[-1]
    path = tmp_path / f"out{ending}"
    assert write(path, Labels(classes, **settings)) == [str(path)]
    saved, truth = nib.load(path), nib.load(brats_folder / "BraTS2021_90001_seg.nii.gz")
    np.testing.assert_array_equal(saved.affine, truth.affine)
    np.testing.assert_array_equal(np.asarray(saved.dataobj), np.asarray(truth.dataobj))
    assert said == []


def test_a_mask_read_from_a_file_returns_to_it_unchanged(brats_folder, tmp_path, said):
    ((labels, settings, _),) = read_paths(str(brats_folder / "BraTS2021_90001_seg.nii.gz"))
    write(tmp_path / "copy.nii.gz", Labels(labels, **settings))
    saved = nib.load(tmp_path / "copy.nii.gz")
    truth = nib.load(brats_folder / "BraTS2021_90001_seg.nii.gz")
    np.testing.assert_array_equal(saved.affine, truth.affine)
    np.testing.assert_array_equal(np.asarray(saved.dataobj), np.asarray(truth.dataobj))
    assert said == []


@pytest.mark.parametrize("strange", [4, 9])
def test_a_value_painted_beyond_the_classes_is_refused_with_a_sentence(brats_folder, tmp_path, said, strange):
    ((labels, settings, _),) = read_paths(str(brats_folder / "BraTS2021_90001_seg.nii.gz"))
    labels[0, 0, 0] = strange
    assert write(tmp_path / "copy.nii.gz", Labels(labels, **settings)) == []
    assert not list(tmp_path.iterdir())
    (sentence,) = said
    assert f"the label {strange}, which is no class" in sentence


def test_a_mask_whose_values_are_more_than_our_classes_keeps_them(brats_folder, tmp_path, said):
    names = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f", "seg": "seg"}
    folder = tmp_path / "BraTS-GLI-00001-101"
    folder.mkdir()
    for old, new in names.items():
        shutil.copy(
            brats_folder / f"BraTS2021_90001_{old}.nii.gz", folder / f"BraTS-GLI-00001-101-{new}.nii.gz"
        )
    mask = folder / "BraTS-GLI-00001-101-seg.nii.gz"
    ((labels, settings, _),) = read_paths(str(mask))
    # 4 is the cavity there, which is no class of ours.
    assert labels.max() == 4
    assert "resection cavity" not in settings["features"]["class"]
    write(tmp_path / "copy.nii.gz", Labels(labels, **settings))
    saved = nib.load(tmp_path / "copy.nii.gz")
    np.testing.assert_array_equal(np.asarray(saved.dataobj), np.asarray(nib.load(mask).dataobj))
    labels[0, 0, 0] = 9
    assert write(tmp_path / "refused.nii.gz", Labels(labels, **settings)) == []
    assert "the label 9" in said[-1]


def side_by_side_labels(viewer, case):
    SideBySide(viewer, case).show("A", "full set", case.truth())
    return next(layer for layer in viewer.layers if layer.name.startswith("A:"))


def studied_labels(viewer, case):
    CompareLayers(viewer).show_labels(case, "studied labels", case.truth(), {}, [], role=Role.STUDIED)
    return viewer.layers[-1]


@pytest.mark.parametrize("make", [side_by_side_labels, studied_labels])
def test_every_layer_of_classes_returns_to_the_native_grid_and_convention(brats_folder, tmp_path, make, said):
    viewer = ViewerModel()
    write(tmp_path / "out.nii.gz", make(viewer, load_case(brats_folder)))
    saved = nib.load(tmp_path / "out.nii.gz")
    truth = nib.load(brats_folder / "BraTS2021_90001_seg.nii.gz")
    np.testing.assert_array_equal(saved.affine, truth.affine)
    np.testing.assert_array_equal(np.asarray(saved.dataobj), np.asarray(truth.dataobj))
    assert said == []


def test_a_difference_keeps_its_values_on_the_patients_grid(brats_folder, tmp_path, said):
    case, viewer = load_case(brats_folder), ViewerModel()
    CompareLayers(viewer).show_labels(case, "difference", case.truth(), {}, [])
    write(tmp_path / "out.nii.gz", viewer.layers[-1])
    saved = nib.load(tmp_path / "out.nii.gz")
    truth = nib.load(brats_folder / "BraTS2021_90001_seg.nii.gz")
    np.testing.assert_array_equal(saved.affine, truth.affine)
    in_file = np.asarray(truth.dataobj)
    np.testing.assert_array_equal(np.asarray(saved.dataobj), np.where(in_file == 4, 3, in_file))
    assert said == []


def test_a_layer_of_nobody_is_saved_on_its_own_grid_and_that_is_said(tmp_path, said):
    data = np.arange(24).reshape(2, 3, 4)
    layer = Labels(data, scale=(1, 2, 3), translate=(-5, 6, 7), units=("mm",) * 3, name="mine")
    write(tmp_path / "mine.nii.gz", layer)
    saved = nib.load(tmp_path / "mine.nii.gz")
    np.testing.assert_array_equal(np.asarray(saved.dataobj), data)
    np.testing.assert_allclose(saved.affine, nib.affines.from_matvec(np.diag([1, 2, 3]), [-5, 6, 7]))
    (sentence,) = said
    assert "own grid" in sentence


def test_the_same_labels_are_the_same_bytes(tmp_path, said):
    layer = Labels(np.arange(24).reshape(2, 3, 4))
    contents = set()
    for name in ("a.nii.gz", "b.nii.gz"):
        write(tmp_path / name, layer)
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize(("highest", "dtype"), [(255, np.uint8), (256, np.int16), (70_000, np.int32)])
def test_values_are_kept_whatever_their_size(tmp_path, highest, dtype, said):
    data = np.zeros((3, 3, 3), np.int64)
    data[1, 1, 1] = highest
    write(tmp_path / "a.nii", Labels(data))
    saved = nib.load(tmp_path / "a.nii")
    assert saved.get_data_dtype() == dtype
    assert np.asarray(saved.dataobj).max() == highest


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Labels(np.zeros((4, 4), np.uint8), name="flat"), "'flat' has 2 axes"),
        (Labels(np.full((2, 2, 2), 2**40), name="huge"), "too large"),
        (
            Labels(np.zeros((2, 2, 2), np.uint8), name="lines", metadata={LAYER_KEY: {"role": "outline"}}),
            "save that one itself",
        ),
    ],
)
def test_what_cannot_be_written_is_one_sentence_and_no_file(tmp_path, layer, words, said):
    assert write(tmp_path / "a.nii.gz", layer) == []
    assert not list(tmp_path.iterdir())
    (sentence,) = said
    assert words in sentence


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, said):
    (tmp_path / "file").touch()
    assert write(tmp_path / "file" / "a.nii.gz", Labels(np.zeros((2, 2, 2), np.uint8))) == []
    (sentence,) = said
    assert "cannot be written" in sentence
