"""The reader: what it takes, what it refuses at once, and that bad files leave one sentence and no layer."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.case import load_case, save_correction
from napari_rdl.plugin import readers
from napari_rdl.plugin.readers import few_labels, get_reader, read_paths
from napari_rdl.plugin.viewer.roles import LAYER_KEY

NOTHING = [(None,)]


@pytest.fixture
def warned(monkeypatch) -> list[str]:
    """The warnings that a user would have seen."""
    said: list[str] = []
    monkeypatch.setattr(readers, "show_warning", said.append)
    return said


def roles(layers):
    return [settings["metadata"][LAYER_KEY]["role"] for _, settings, _ in layers]


def test_a_patients_folder_becomes_its_images_and_a_hidden_expert_mask(brats_folder, warned):
    layers = get_reader(str(brats_folder))(str(brats_folder))
    assert roles(layers) == ["image"] * 4 + ["expert"]
    assert not layers[-1][1]["visible"]
    assert warned == []


@pytest.mark.parametrize("content", [[], ["notes.txt"], ["scan.nii.gz"], ["a/b/picture.png"]])
def test_any_other_folder_is_refused_at_once(tmp_path, content):
    for name in content:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert get_reader(str(tmp_path)) is None


@pytest.mark.parametrize("name", ["a.png", "a.gz", "a.tiff", "missing"])
def test_other_files_are_refused(tmp_path, name):
    assert get_reader(str(tmp_path / name)) is None
    assert get_reader([str(tmp_path / "a.nii"), str(tmp_path / name)]) is None


def test_nothing_is_opened_to_decide(tmp_path):
    path = tmp_path / "UPPER.NII.GZ"
    path.write_text("no image at all")
    assert get_reader(str(path)) is read_paths


def test_one_image_is_placed_where_its_file_says(brats_folder, warned):
    path = brats_folder / "BraTS2021_90001_t1ce.nii.gz"
    ((image, settings, kind),) = read_paths(str(path))
    file = nib.as_closest_canonical(nib.load(path))
    assert kind == "image"
    np.testing.assert_array_equal(image, file.get_fdata())
    assert settings["translate"] == pytest.approx(file.affine[:3, 3])
    assert settings["metadata"][LAYER_KEY]["modality"] == "T1c"
    assert warned == []


def test_a_known_patients_mask_is_read_as_classes_with_our_colours_and_names(brats_folder, warned):
    ((labels, settings, kind),) = read_paths(str(brats_folder / "BraTS2021_90001_seg.nii.gz"))
    assert kind == "labels"
    # In the file they are 0, 1, 2 and 4; the folder's names say so.
    np.testing.assert_array_equal(labels, load_case(brats_folder).truth())
    assert set(settings["colormap"].color_dict) == {None, 0, 1, 2, 3}
    assert "enhancing tumour (ET)" in settings["features"]["class"]


@pytest.fixture
def correction(brats_folder, tmp_path):
    """A saved correction of the small patient, in a folder of its own with its record."""
    case = load_case(brats_folder)
    return save_correction(case.truth(), case, tmp_path / "anything.nii.gz")


def test_a_saved_correction_is_known_by_its_record(brats_folder, correction, warned):
    ((labels, settings, _),) = read_paths(str(correction))
    known = settings["metadata"][LAYER_KEY]
    np.testing.assert_array_equal(labels, load_case(brats_folder).truth())
    assert (known["case"], known["corrected"]) == ("BraTS2021_90001", True)
    assert set(settings["colormap"].color_dict) == {None, 0, 1, 2, 3}
    assert warned == []


def test_a_correction_without_a_record_is_known_by_the_patient_beside_it(brats_folder, tmp_path, warned):
    folder = tmp_path / brats_folder.name
    shutil.copytree(brats_folder, folder)
    path = folder / f"{folder.name}_seg_corrected.nii.gz"
    shutil.copy(folder / f"{folder.name}_seg.nii.gz", path)
    ((labels, settings, _),) = read_paths(str(path))
    assert labels.max() == 3
    assert settings["metadata"][LAYER_KEY]["corrected"]


def test_a_value_that_the_convention_lacks_is_refused_by_name(correction, warned):
    image = nib.load(correction)
    values = np.array(image.dataobj)
    values[0, 0, 0] = 3
    nib.save(nib.Nifti1Image(values, image.affine), correction)
    assert read_paths(str(correction)) == NOTHING
    (sentence,) = warned
    assert "anything.nii.gz" in sentence
    assert "the label 3" in sentence
    assert "brats2018" in sentence


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"[" * 100_000, b'{"case": 3}', b'{"case": "x", "labels": "none"}', b"[1]"]
)
def test_a_record_that_is_none_costs_nothing(correction, content, warned):
    correction.with_name("anything.json").write_bytes(content)
    ((_, settings, kind),) = read_paths(str(correction))
    assert kind == "labels"
    assert "colormap" not in settings


def test_whole_values_without_a_known_meaning_get_napari_colours(tmp_path, warned):
    values = np.zeros((5, 6, 7), np.int16)
    values[1:3] = 9
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "atlas.nii")
    ((_, settings, kind),) = read_paths(str(tmp_path / "atlas.nii"))
    assert kind == "labels"
    assert "colormap" not in settings


@pytest.mark.parametrize(
    ("values", "is_mask"),
    [([0, 1, 2], True), ([0, 255], True), ([-1, 1], False), ([0, 0.5], False), (range(51), False)],
)
def test_few_labels(values, is_mask):
    array = np.resize(np.array(list(values), np.float32), (4, 4, 4))
    assert (few_labels(array) is not None) == is_mask


def test_several_files_become_a_layer_each_and_a_bad_one_is_left_out(brats_folder, tmp_path, warned):
    bad = tmp_path / "bad.nii"
    bad.write_text("not an image")
    layers = read_paths([str(brats_folder / "BraTS2021_90001_t1.nii.gz"), str(bad)])
    assert roles(layers) == ["image"]
    (sentence,) = warned
    assert "bad.nii" in sentence


def test_grids_that_differ_are_said_and_no_layer_is_made(brats_folder, tmp_path, warned):
    folder = tmp_path / brats_folder.name
    shutil.copytree(brats_folder, folder)
    path = folder / f"{folder.name}_t2.nii.gz"
    nib.save(nib.Nifti1Image(np.arange(8.0).reshape(2, 2, 2), np.eye(4)), path)
    assert read_paths(str(folder)) == NOTHING
    (sentence,) = warned
    assert path.name in sentence


def test_a_bad_expert_mask_costs_a_warning_and_not_the_images(brats_folder, tmp_path, warned):
    folder = tmp_path / brats_folder.name
    shutil.copytree(brats_folder, folder)
    (folder / f"{folder.name}_seg.nii.gz").write_bytes(b"")
    assert roles(read_paths(str(folder))) == ["image"] * 4
    (sentence,) = warned
    assert "_seg.nii.gz" in sentence


def test_nan_is_mended_and_said(tmp_path, warned):
    values = np.arange(60, dtype=np.float32).reshape(3, 4, 5) + 0.5
    values[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "x_flair.nii.gz")
    ((image, _, _),) = read_paths(str(tmp_path / "x_flair.nii.gz"))
    assert np.isfinite(image).all()
    (sentence,) = warned
    assert "NaN" in sentence


ODD = [
    "NIFTI-Reader-JS/not-nifti.nii",
    "NIFTI-Reader-JS/5D_small.nii",
    "NIfTI.jl/empty.nii.gz",
    "nibabel/functional.nii",
    "nibabel/invalid.nii.gz",
    "nifti-rs/complex/complex64.nii",
    "nifti-rs/rgb/3D.nii",
]


def make_text(path) -> None:
    path.write_text("no image at all")


def make_nothing(path) -> None:
    path.touch()


def make_short(path) -> None:
    nib.save(nib.Nifti1Image(np.ones((8, 8, 8), np.float32), np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:1000])


def make_four_axes(path) -> None:
    nib.save(nib.Nifti1Image(np.ones((3, 4, 5, 6), np.float32), np.eye(4)), path)


def make_five_axes(path) -> None:
    nib.save(nib.Nifti1Image(np.ones((3, 4, 5, 1, 2), np.float32), np.eye(4)), path)


def make_complex(path) -> None:
    nib.save(nib.Nifti1Image(np.ones((3, 4, 5), np.complex64), np.eye(4)), path)


def make_colour(path) -> None:
    colour = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5), colour), np.eye(4)), path)


@pytest.mark.parametrize(
    "make",
    [make_text, make_nothing, make_short, make_four_axes, make_five_axes, make_complex, make_colour],
)
def test_odd_files_made_here_leave_one_sentence_and_no_layer(tmp_path, make, warned):
    path = tmp_path / "odd.nii"
    make(path)
    assert read_paths(str(path)) == NOTHING
    (sentence,) = warned
    assert path.name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ODD)
def test_odd_files_leave_one_sentence_and_no_layer(odd_data, name, warned):
    path = odd_data / name
    assert read_paths(str(path)) == NOTHING
    (sentence,) = warned
    assert path.name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("endings", "images"),
    [
        (("-t1n", "-t1c", "-t2w", "-t2f"), 4),
        (("_t1", "_t1ce", "_t2", "_flair"), 4),
        (("_T1c_subtrMeanDivStd", "_Flair_subtrMeanDivStd", "_brainmask"), 2),
    ],
)
def test_made_patients_named_as_real_ones_open(brats_folder, tmp_path, endings, images, warned):
    folder = tmp_path / "patient"
    folder.mkdir()
    for source, ending in zip(("t1", "t1ce", "t2", "flair"), endings, strict=False):
        path = brats_folder / f"{brats_folder.name}_{source}.nii.gz"
        if ending == "_brainmask":
            image = nib.load(path)
            brain = (np.asarray(image.dataobj) != 0).astype(np.uint8)
            nib.save(nib.Nifti1Image(brain, image.affine), folder / "brainmask.nii.gz")
        else:
            shutil.copy(path, folder / f"patient{ending}.nii.gz")
    assert roles(read_paths(str(folder))).count("image") == images
    assert warned == []


@pytest.mark.parametrize(
    ("name", "images"), [("BraTS-GLI-00027-000", 4), ("BraTS2021_00006", 4), ("brats_2013_pat0001_1", 2)]
)
def test_real_patients_open(real_data, name, images, warned):
    assert roles(read_paths(str(real_data / name))).count("image") == images


def test_real_patient_on_different_grids_is_refused_with_a_sentence(real_data, warned):
    assert read_paths(str(real_data / "native-mismatched-grids")) == NOTHING
    assert len(warned) == 1
