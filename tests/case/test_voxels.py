"""Damaged, lying and oversized files: refused in a sentence, before memory is spent on them."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_rdl.case import case_from_arrays, load_case, read_image, save_labels
from napari_rdl.case.voxels import quiet_nibabel
from napari_rdl.errors import CaseError


def packed(volume: np.ndarray, **fields) -> bytes:
    """Return the bytes of a NIfTI image, its header's fields as given, right or wrong."""
    image = nib.Nifti1Image(volume, np.eye(4))
    image.header.set_xyzt_units("mm")
    content = bytearray(image.to_bytes())
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[:348] = header.binaryblock
    return bytes(content)


def said_of(path: Path) -> str:
    """Return the sentence with which a file is refused, or one that says that it is read."""
    try:
        read_image(path)
    except CaseError as error:
        return str(error)
    return f"{path} is read."


def refused(path: Path, words: str) -> None:
    with pytest.raises(CaseError, match=words) as caught:
        read_image(path)
    said = str(caught.value)
    assert str(path) in said
    assert said.endswith(".")
    assert "\n" not in said


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flipped_byte_of_a_packed_image_is_read_as_sound(tmp_path, volume, data) -> None:
    content = bytearray(gzip.compress(packed(volume), mtime=0))
    # The ten bytes before say when and where it was packed, and nothing of the image.
    place = data.draw(st.integers(10, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "x_t1.nii.gz"
    path.write_bytes(content)
    try:
        read = read_image(path)[0]
    except CaseError:
        return
    # Deflate has bits that no reader looks at.
    np.testing.assert_array_equal(read, volume)


@pytest.mark.parametrize("cut", [1, 4, 8, 9])
def test_a_missing_end_is_refused(tmp_path, volume, cut) -> None:
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(packed(volume))[:-cut])
    refused(path, "is cut off or damaged")


def test_a_wrong_checksum_and_a_wrong_length_are_refused(tmp_path, volume) -> None:
    for place in (-8, -1):
        content = bytearray(gzip.compress(packed(volume)))
        content[place] ^= 1
        path = tmp_path / "x.nii.gz"
        path.write_bytes(content)
        refused(path, "is cut off or damaged")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize(("slope", "inter"), [(1, 0), (0.5, -3), (1e-3, 1000)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".hdr", ".hdr.gz"])
def test_values_are_nibabels_to_the_bit(tmp_path, volume, kind, slope, inter, ending) -> None:
    pair = ending.startswith(".hdr")
    image = (nib.Nifti1Pair if pair else nib.Nifti1Image)(volume.astype(kind), np.eye(4))
    image.header.set_slope_inter(slope, inter)
    path = tmp_path / f"x{ending}"
    nib.save(image, path)
    expected = nib.load(path).get_fdata(dtype=np.float32)
    read = read_image(path)[0]
    assert read.dtype == np.float32
    assert read.tobytes() == expected.tobytes()


def peak_and_sentence(path: Path) -> tuple[float, str]:
    """Read a file in a process of its own; return by how many MB it grew, and what was said."""
    program = (
        "import resource, sys\n"
        "from napari_rdl.case import read_image; from napari_rdl.errors import CaseError\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "try: read_image(sys.argv[1]); said = ''\n"
        "except CaseError as error: said = str(error)\n"
        "sys.stdout.write(f'{(peak() - before) / 1024} {said}')"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    grown, _, said = done.stdout.partition(" ")
    return float(grown), said


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted otherwise")
@pytest.mark.parametrize("name", ["claim.nii", "claim.nii.gz"])
@pytest.mark.parametrize(
    ("dim", "words"), [((800, 800, 800), "more than 268,435,456"), ((500, 500, 500), "cannot hold them")]
)
def test_a_claim_that_the_file_cannot_hold_costs_nothing(tmp_path, volume, name, dim, words) -> None:
    content = packed(volume, dim=[3, *dim, 1, 1, 1, 1])[:1000]
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    grown, said = peak_and_sentence(path)
    assert words in said
    assert grown < 60


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted otherwise")
def test_a_well_packed_image_costs_its_own_size(tmp_path) -> None:
    """A small file of many zeros: one array in single precision, and a piece at a time beside it."""
    path = tmp_path / "zeros.nii.gz"
    path.write_bytes(gzip.compress(packed(np.zeros((300, 300, 300), np.int16)), 9))
    grown, said = peak_and_sentence(path)
    assert "zero everywhere" in said
    assert grown < 1.7 * 300**3 * 4 / 2**20


def test_what_stands_behind_the_voxels_is_bounded(tmp_path, volume) -> None:
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(packed(volume) + bytes(2**25)))
    refused(path, "is cut off or damaged")
    path.write_bytes(gzip.compress(packed(volume) + b"a remark"))
    np.testing.assert_array_equal(read_image(path)[0], volume)


@pytest.mark.parametrize("size", [1e-10, 1e-3, 0.09, 20.5, 1e9, 1e30])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_voxels_that_no_head_has_are_refused(tmp_path, volume, size, form) -> None:
    fields = {"pixdim": [1, size, size, size, 1, 1, 1, 1], "sform_code": 0, "qform_code": 1}
    if form == "sform":
        rows = {f"srow_{axis}": np.eye(4)[place] * size for place, axis in enumerate("xyz")}
        fields = {"sform_code": 1, "qform_code": 0, **rows}
    path = tmp_path / "x.nii"
    path.write_bytes(packed(volume, **fields))
    refused(path, "not between 0.1 and 20 mm|cannot be inverted")


@pytest.mark.parametrize("size", [0, np.nan, np.inf])
def test_voxels_without_a_size_are_refused(tmp_path, volume, size) -> None:
    path = tmp_path / "x.nii"
    pixdim = [1, 1, size, 1, 1, 1, 1, 1]
    path.write_bytes(packed(volume, pixdim=pixdim, sform_code=0, qform_code=1))
    refused(path, "the size 1 x|not a NIfTI file|cannot be inverted")


@pytest.mark.parametrize(("code", "millimetres"), [(0, 1), (2, 1), (1, 1000), (3, 0.001), (4, 1), (10, 1)])
def test_units_are_honoured(tmp_path, volume, code, millimetres) -> None:
    affine = np.diag([1.5 / millimetres] * 3 + [1.0])
    rows = {f"srow_{axis}": affine[place] for place, axis in enumerate("xyz")}
    path = tmp_path / "P_t1.nii"
    path.write_bytes(packed(volume, sform_code=1, qform_code=0, xyzt_units=code, **rows))
    case = load_case(path)
    np.testing.assert_allclose(case.grid.spacing, 1.5, rtol=1e-6)
    saved = nib.load(save_labels(np.zeros(case.grid.shape, np.uint8), case, tmp_path / "seg.nii.gz"))
    # As they came: the same affine to the bit, in the same unit.
    assert saved.affine.tobytes() == nib.load(path).affine.tobytes()
    assert int(saved.header["xyzt_units"]) == code


@pytest.mark.parametrize(
    "fields",
    [
        {"vox_offset": 1e9},
        {"vox_offset": -4},
        {"vox_offset": np.nan},
        {"datatype": 1234},
        {"datatype": 64},
        {"bitpix": 3},
        {"dim": [0] * 8},
        {"dim": [-3, 4, 4, 4, 1, 1, 1, 1]},
        {"dim": [7, -1, 9, 9, 9, 9, 9, 9]},
        {"magic": b"zz"},
        {"scl_slope": np.inf},
        {"qform_code": 30000, "sform_code": -5},
    ],
    ids=str,
)
def test_a_header_that_lies_is_refused_in_a_sentence_and_nobody_else_speaks(
    tmp_path, volume, fields, capfd
) -> None:
    path = tmp_path / "x.nii"
    path.write_bytes(packed(volume, **fields))
    assert str(path) in said_of(path)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_ends_otherwise_than_in_a_sentence(tmp_path, volume, data) -> None:
    content = bytearray(packed(volume))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 351))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.nii"
    path.write_bytes(content)
    assert said_of(path).endswith(".")


@pytest.mark.parametrize("size", [1e-9, 0.05, 25, 1e9])
def test_layers_have_a_heads_voxels_too(volume, size) -> None:
    with pytest.raises(CaseError, match=r"not between 0\.1 and 20 mm|cannot be inverted"):
        case_from_arrays({"T1": volume}, np.diag([size] * 3 + [1.0]), name="layers")


@pytest.mark.skipif(sys.platform == "win32", reason="no devices")
def test_a_device_is_no_image() -> None:
    with pytest.raises(CaseError, match="is a device or a pipe"):
        read_image("/dev/zero")


@pytest.mark.parametrize("name", ["x" * 300 + ".nii", "x\0.nii"])
def test_a_name_that_no_file_can_have(tmp_path, name) -> None:
    with pytest.raises(CaseError, match="check the name"):
        read_image(tmp_path / name)


def test_nibabel_speaks_again_after_several_threads_were_quiet() -> None:
    logger = nib.imageglobals.logger
    assert not logger.disabled
    first, second = quiet_nibabel(), quiet_nibabel()
    first.__enter__()
    second.__enter__()
    # Those who came first need not go last.
    first.__exit__(None, None, None)
    assert logger.disabled
    second.__exit__(None, None, None)
    assert not logger.disabled


@pytest.mark.parametrize("slope", [None, 0.25], ids=["as stored", "scaled"])
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<i4", "<f4", "<f8"])
@pytest.mark.parametrize("turned", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)], ids=str)
def test_a_patients_values_are_those_of_nibabel_turned_to_ras(tmp_path, dtype, turned, slope) -> None:
    values = np.random.default_rng(3).integers(0, 200, (6, 5, 7)).astype(dtype)
    affine = np.diag([*turned, 1.0])[[1, 0, 2, 3]]
    image = nib.Nifti1Image(values, affine, dtype=np.dtype(dtype))
    image.header.set_xyzt_units("mm")
    if slope is not None:
        image.header.set_slope_inter(slope, 3)
    path = tmp_path / "x_t1.nii.gz"
    nib.save(image, path)
    expected = nib.as_closest_canonical(nib.load(path)).get_fdata(dtype=np.float32)
    found = load_case({"T1": path}).images["T1"]
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.array_equal(found, expected)
