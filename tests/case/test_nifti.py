import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.brats import LABEL_CONVENTIONS
from napari_rdl.case import read_image, read_mask
from napari_rdl.errors import CaseError

Write = Callable[..., Path]


def refused(path: Path, sentence: str) -> None:
    with pytest.raises(CaseError, match=sentence) as caught:
        read_image(path)
    message = str(caught.value)
    assert str(path) in message
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize("dtype", ["u1", "i2", ">i2", "i4", "f4", ">f4", "f8", "u2"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr"])
def test_what_is_read_is_what_was_written(write: Write, volume: np.ndarray, dtype: str, name: str) -> None:
    array = (volume % 250).astype(dtype)
    if name == "a.hdr":
        path = write("placeholder.nii").with_name(name)
        nib.save(nib.Nifti1Pair(array, np.eye(4)), path)
    else:
        path = write(name, array, np.eye(4))
    image, affine, header, notes = read_image(path)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, array.astype(np.float32))
    np.testing.assert_array_equal(affine, np.eye(4))
    assert header.get_data_shape() == array.shape
    assert notes == ()


def test_scaled_integers_come_back_in_their_units(write: Write, volume: np.ndarray) -> None:
    path = write("a.nii")
    image = nib.Nifti1Image(volume, np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    nib.save(image, path)
    np.testing.assert_allclose(read_image(path)[0], volume * 0.5 + 10)


def test_trailing_axes_of_size_one_are_dropped(write: Write, volume: np.ndarray) -> None:
    assert read_image(write("a.nii", volume[..., None, None]))[0].shape == volume.shape


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.ones((5, 6, 7, 2), np.int16), r"is 4D \(5 x 6 x 7 x 2\): split it"),
        (np.ones((5, 6, 7, 1, 3), np.int16), "is 5D"),
        (np.ones((5, 6), np.int16), r"is no volume \(5 x 6 voxels\)"),
        (np.ones((5, 6, 1), np.int16), "is no volume"),
        (np.ones((5, 6, 7), np.complex64), "complex numbers: give the magnitude"),
        (np.zeros((5, 6, 7), [("R", "u1"), ("G", "u1"), ("B", "u1")]), r"colour \(RGB\)"),
        (np.zeros((5, 6, 7), np.int16), "zero everywhere"),
        (np.full((5, 6, 7), 3, np.int16), "the value 3 everywhere"),
        (np.full((5, 6, 7), np.nan, np.float32), "no finite value"),
    ],
    ids=["4D", "5D", "2D", "one slice", "complex", "RGB", "zero", "constant", "NaN"],
)
def test_arrays_that_are_no_modality_are_refused(write: Write, array: np.ndarray, sentence: str) -> None:
    refused(write("bad.nii.gz", array), sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"patient,age\n1,40\n" * 50, "is not a NIfTI file"),
        (b"\x1f\x8b\x08", "is cut off or damaged"),
        (gzip.compress(b"text " * 200), "is not a NIfTI file"),
    ],
    ids=["empty", "text", "half a gzip header", "gzipped text"],
)
@pytest.mark.parametrize("name", ["bad.nii", "bad.nii.gz"])
def test_files_that_are_no_nifti_are_refused(
    tmp_path: Path, content: bytes, sentence: str, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refused(path, sentence)


@pytest.mark.parametrize("name", ["cut.nii", "cut.nii.gz"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_cut_off_file_is_refused(write: Write, name: str, share: float) -> None:
    path = write(name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(path, "is cut off or damaged")


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent.nii.gz", "does not exist")
    refused(tmp_path, "is a folder")


@pytest.mark.parametrize("column", [0, 1, 2])
def test_an_affine_that_cannot_be_inverted_is_refused(write: Write, volume: np.ndarray, column: int) -> None:
    path = write("flat.nii")
    image = nib.Nifti1Image(volume, np.eye(4))
    image.header["sform_code"] = 1
    image.header[("srow_x", "srow_y", "srow_z")[column]] = 0
    image.header["qform_code"] = 0
    path.write_bytes(image.header.binaryblock + bytes(4) + volume.tobytes(order="F"))
    refused(path, "affine that cannot be inverted")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_voxels_become_background_and_it_is_said(
    write: Write, volume: np.ndarray, bad: float
) -> None:
    array = volume.astype(np.float32) - 7
    array[4, 4, 4:6] = bad
    image, *_, notes = read_image(write("holes.nii.gz", array))
    assert np.isfinite(image).all()
    assert (image[4, 4, 4:6] == -7).all()
    assert notes == ("holes.nii.gz: 2 voxels were NaN or infinite and were set to the background -7.",)


def test_a_file_that_does_not_say_where_it_lies_is_read_with_a_note(write: Write, volume: np.ndarray) -> None:
    path = write("lost.nii")
    image = nib.Nifti1Image(volume, None)
    nib.save(image, path)
    *_, notes = read_image(path)
    assert "no sform, no qform" in notes[0]


def test_a_surface_file_is_no_volume(odd_data: Path) -> None:
    refused(odd_data / "nibabel" / "row_major.dconn.nii", "Cifti2Image, not a NIfTI volume")


ODD_REFUSED = [
    ("nibabel/example4d.nii.gz", "4D"),
    ("nibabel/functional.nii", "4D"),
    ("nibabel/example_nifti2.nii.gz", "4D"),
    ("NIFTI-Reader-JS/5D_zeros.nii.gz", "5D"),
    ("NIfTI.jl/example4d.hdr.gz", "4D"),
    ("nifti-rs/minimal_extended_hdr.nii", "no volume"),
    ("nifti-rs/rgb/3D.nii", "RGB"),
    ("nifti-rs/rgba/4D.nii", "RGB"),
    ("nifti-rs/complex/complex64.nii", "complex"),
    ("nibabel/invalid.nii", "not a NIfTI file"),
    ("nibabel/invalid.nii.gz", "not a NIfTI file"),
    ("NIfTI.jl/empty.nii.gz", "is empty"),
    ("NIFTI-Reader-JS/not-nifti.nii", "not a NIfTI file"),
]
ODD_READ = [
    ("nibabel/someones_epi.nii.gz", (53, 61, 33)),
    ("nibabel/anatomical.nii", (33, 41, 25)),
    ("nibabel/resampled_anat_moved.nii", (17, 21, 3)),
    ("NIfTI.jl/avg152T1_LR_nifti.nii.gz", (91, 109, 91)),
    ("NIFTI-Reader-JS/air.hdr.gz", (79, 67, 64)),
    ("NIFTI-Reader-JS/air2.img.gz", (79, 67, 64)),
    ("NIFTI-Reader-JS/little.nii.gz", (64, 64, 21)),
    ("NIFTI-Reader-JS/big.nii.gz", (64, 64, 21)),
    ("nifti-rs/minimal.hdr", (64, 64, 10)),
    ("nifti-rs/27/uint64.nii", (3, 3, 3)),
    ("nifti-rs/27/int64.nii", (3, 3, 3)),
]


@pytest.mark.parametrize(("name", "sentence"), ODD_REFUSED)
def test_odd_files_are_refused_in_a_sentence(odd_data: Path, name: str, sentence: str) -> None:
    refused(odd_data / name, sentence)


@pytest.mark.parametrize(("name", "shape"), ODD_READ)
def test_odd_files_are_read(odd_data: Path, name: str, shape: tuple[int, ...]) -> None:
    image, affine, _, _ = read_image(odd_data / name)
    assert image.shape == shape
    assert np.isfinite(image).all()
    assert abs(np.linalg.det(affine)) > 0


def test_a_big_endian_file_reads_like_its_twin(odd_data: Path) -> None:
    little = read_image(odd_data / "NIFTI-Reader-JS" / "little.nii.gz")[0]
    big = read_image(odd_data / "NIFTI-Reader-JS" / "big.nii.gz")[0]
    np.testing.assert_array_equal(little, big)


@pytest.mark.parametrize("convention", LABEL_CONVENTIONS.values(), ids=LABEL_CONVENTIONS)
def test_a_mask_is_read_by_its_convention_alone(write: Write, convention) -> None:
    values = np.array(sorted(convention.to_class), np.uint8)
    array = np.resize(values, (4, 5, 6))
    classes, _, _ = read_mask(write("x_seg.nii.gz", array), convention)
    assert classes.dtype == np.uint8
    expected = np.vectorize(convention.to_class.get)(array)
    np.testing.assert_array_equal(classes, expected)


def test_a_label_of_another_convention_is_refused(write: Write) -> None:
    array = np.resize(np.array([0, 1, 2, 4], np.uint8), (4, 5, 6))
    path = write("x_seg.nii.gz", array)
    with pytest.raises(
        CaseError,
        match=r"x_seg.nii.gz cannot be read as a mask .it holds the label 4.*: name the label",
    ):
        read_mask(path, LABEL_CONVENTIONS["brats2023"])


# --- made twins of the odd files, for where those are absent


def test_a_made_surface_file_is_no_volume(tmp_path: Path) -> None:
    from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis

    brain = BrainModelAxis.from_mask(np.ones((2, 2, 2), bool), affine=np.eye(4))
    path = tmp_path / "x_t1.dscalar.nii"
    nib.save(Cifti2Image(np.zeros((1, 8), np.float32), (ScalarAxis(["a"]), brain)), path)
    refused(path, "Cifti2Image, not a NIfTI volume")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"])
@pytest.mark.parametrize("kind", ["Nifti1", "Nifti2"])
def test_made_files_of_either_byte_order_read_alike(
    tmp_path: Path, volume: np.ndarray, ending: str, kind: str
) -> None:
    made = getattr(nib, f"{kind}{'Image' if ending.startswith('.nii') else 'Pair'}")
    read = []
    for order in "<>":
        header = made.header_class(endianness=order)
        header.set_data_dtype(np.dtype(np.int16).newbyteorder(order))
        path = tmp_path / f"x{ord(order)}{ending}"
        nib.save(made(volume, np.eye(4), header), path)
        assert nib.load(path).header.endianness == order
        read.append(read_image(path)[0])
    np.testing.assert_array_equal(read[0], volume)
    np.testing.assert_array_equal(read[1], volume)


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.uint32, np.int8])
def test_made_files_of_rare_kinds_are_read(tmp_path: Path, volume: np.ndarray, kind: type) -> None:
    array = (volume % 100).astype(kind)
    nib.save(nib.Nifti1Image(array, np.eye(4), dtype=kind), tmp_path / "x.nii.gz")
    np.testing.assert_array_equal(read_image(tmp_path / "x.nii.gz")[0], array)


def test_a_made_header_with_remarks_is_read_past_them(tmp_path: Path, volume: np.ndarray) -> None:
    image = nib.Nifti1Image(volume, np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"remark " * 40))
    nib.save(image, tmp_path / "x.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "x.nii")[0], volume)
