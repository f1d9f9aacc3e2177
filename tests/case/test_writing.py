import dataclasses
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_rdl.brats import LABEL_CONVENTIONS
from napari_rdl.case import Case, case_from_arrays, load_case, read_mask, save_correction, save_labels
from napari_rdl.case.label_record import record_of
from napari_rdl.case.naming import is_expert_mask
from napari_rdl.errors import OutputError
from napari_rdl.files import is_scratch
from tests.case.test_geometry import affines, shapes


def random_classes(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)


def image_values(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(7).integers(1, 3000, shape).astype(np.int16)


def case_of(image: nib.Nifti1Pair, folder: Path, name: str = "P_t1.nii.gz") -> Case:
    nib.save(image, folder / name)
    return load_case(folder / name)


@given(
    affine=affines(),
    shape=shapes,
    kind=st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]),
    convention=st.sampled_from(sorted(LABEL_CONVENTIONS)),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_labels_come_back_on_the_native_grid_to_the_bit(
    tmp_path: Path, affine: np.ndarray, shape: tuple[int, int, int], kind: type, convention: str, seed: int
) -> None:
    case = case_of(kind(image_values(shape), affine), tmp_path)
    case = dataclasses.replace(case, convention=LABEL_CONVENTIONS[convention])
    classes = random_classes(case.grid.shape, seed)
    path = save_labels(classes, case, tmp_path / "out" / "P_seg.nii.gz")
    saved, source = nib.load(path), nib.load(case.files["T1"])
    assert type(saved) is kind
    assert saved.affine.tobytes() == source.affine.tobytes()
    assert saved.shape == source.shape
    assert saved.get_data_dtype() == np.uint8
    for field in ("pixdim", "qform_code", "sform_code", "quatern_b", "qoffset_x", "srow_x", "xyzt_units"):
        np.testing.assert_array_equal(saved.header[field], source.header[field])
    values = np.asarray(saved.dataobj)
    assert set(np.unique(values)) <= set(case.convention.from_class)
    np.testing.assert_array_equal(case.native.from_native(case.convention.decode(values)), classes)
    again = save_labels(classes, case, tmp_path / "again" / "other_name.nii.gz")
    assert again.read_bytes() == path.read_bytes()


def test_labels_lie_on_the_image_that_they_were_drawn_on(tmp_path: Path) -> None:
    image = image_values((5, 6, 7))
    image[1, 2, 3] = 9999
    affine = np.array([[0, 0, -2.0, 5], [1.5, 0, 0, 6], [0, -1.0, 0, 7], [0, 0, 0, 1]])
    case = case_of(nib.Nifti1Image(image, affine), tmp_path)
    classes = (case.images["T1"] == 9999).astype(np.uint8) * 3
    saved = np.asarray(nib.load(save_labels(classes, case, tmp_path / "x_seg.nii")).dataobj)
    assert saved[1, 2, 3] == 4
    assert (saved > 0).sum() == 1


def test_only_a_qform(tmp_path: Path) -> None:
    image = nib.Nifti1Image(image_values((5, 6, 7)), None)
    affine = np.eye(4)
    turn = np.radians(20)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    image.header.set_qform(affine, code=1)
    case = case_of(image, tmp_path)
    saved = nib.load(save_labels(random_classes(case.grid.shape), case, tmp_path / "s.nii.gz"))
    source = nib.load(case.files["T1"])
    assert saved.affine.tobytes() == source.affine.tobytes()
    assert (int(saved.header["sform_code"]), int(saved.header["qform_code"])) == (0, 1)


def test_neither_sform_nor_qform(tmp_path: Path) -> None:
    case = case_of(nib.Nifti1Image(image_values((5, 6, 7)), None), tmp_path)
    saved = nib.load(save_labels(random_classes(case.grid.shape), case, tmp_path / "s.nii.gz"))
    assert saved.affine.tobytes() == nib.load(case.files["T1"]).affine.tobytes()
    assert int(saved.header["sform_code"]) == int(saved.header["qform_code"]) == 0


@pytest.mark.parametrize("name", ["P_t1.hdr", "P_t1.nii"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pairs_and_byte_orders(tmp_path: Path, name: str, order: str) -> None:
    kind = nib.Nifti1Pair if name.endswith("hdr") else nib.Nifti1Image
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    case = case_of(kind(image_values((5, 6, 7)), np.diag([2.0, 3, 4, 1]), header), tmp_path, name)
    classes = random_classes(case.grid.shape)
    saved = nib.load(save_labels(classes, case, tmp_path / "s.nii.gz"))
    np.testing.assert_array_equal(saved.affine, np.diag([2.0, 3, 4, 1]))
    np.testing.assert_array_equal(case.convention.decode(np.asarray(saved.dataobj)), classes)


def test_trailing_axes_of_size_one_come_back(tmp_path: Path) -> None:
    case = case_of(nib.Nifti1Image(image_values((5, 6, 7, 1)), np.eye(4)), tmp_path)
    saved = nib.load(save_labels(random_classes(case.grid.shape), case, tmp_path / "s.nii.gz"))
    assert saved.shape == (5, 6, 7, 1)


def test_scaling_and_extensions_of_the_image_are_not_the_labels(tmp_path: Path) -> None:
    image = nib.Nifti1Image(image_values((5, 6, 7)), np.eye(4))
    image.header.set_slope_inter(0.25, -3)
    image.header["cal_max"] = 3000
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"name of the patient"))
    case = case_of(image, tmp_path)
    classes = random_classes(case.grid.shape)
    path = save_labels(classes, case, tmp_path / "s.nii")
    assert b"patient" not in path.read_bytes()
    saved = nib.load(path)
    np.testing.assert_array_equal(case.convention.decode(saved.get_fdata()), classes)
    assert float(saved.header["cal_max"]) == 0


@given(affine=affines(), shape=shapes)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_case_without_files_is_saved_on_its_own_grid(
    tmp_path: Path, affine: np.ndarray, shape: tuple[int, int, int]
) -> None:
    image = image_values(shape)
    case = case_from_arrays({"T2": image}, affine, name="layers")
    labels = (case.images["T2"] > 1500).astype(np.uint8)
    saved = nib.load(save_labels(labels, case, tmp_path / "s.nii.gz"))
    assert saved.affine.tobytes() == case.native.affine.tobytes()
    np.testing.assert_allclose(saved.affine, affine, rtol=1e-6, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(saved.dataobj), image > 1500)


def test_labels_of_another_shape_are_a_programming_error(brats_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not on the case's grid"):
        save_labels(np.zeros((3, 3, 3), np.uint8), load_case(brats_folder), tmp_path / "s.nii.gz")


def test_no_labels_are_written_over_a_patients_own_files(brats_folder: Path, tmp_path: Path) -> None:
    case = load_case(shutil.copytree(brats_folder, tmp_path / brats_folder.name))
    for own in (*case.files.values(), case.mask_file):
        before = own.read_bytes()
        with pytest.raises(OutputError, match="own files"):
            save_labels(np.zeros(case.grid.shape, np.uint8), case, own)
        assert own.read_bytes() == before


def test_labels_want_a_nifti_name(brats_folder: Path, tmp_path: Path) -> None:
    case = load_case(brats_folder)
    with pytest.raises(OutputError, match=r"let it end in .nii.gz"):
        save_labels(np.zeros(case.grid.shape, np.uint8), case, tmp_path / "s.mha")
    assert list(tmp_path.iterdir()) == []


SAVING = """
import sys
import numpy as np
from napari_rdl.case import load_case, save_correction
case = load_case(sys.argv[1])
rng = np.random.default_rng(0)
print("ready", flush=True)
while True:
    classes = rng.integers(0, 4, case.grid.shape).astype(np.uint8)
    for number in range(3):
        save_correction(classes, case, f"{sys.argv[2]}/{number}_seg.nii.gz")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such end on Windows")
def test_whenever_it_is_killed_no_label_stands_without_its_record(brats_folder, tmp_path):
    rng = random.Random(7)
    case = load_case(brats_folder)
    for repetition in range(5):
        out = tmp_path / str(repetition)
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(brats_folder), str(out)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.08))
        process.kill()
        process.wait()
        process.stdout.close()
        for labels in out.glob("[0-9]*.nii.gz"):
            record = record_of(labels)
            assert record is not None
            assert record.corrected
            assert set(np.unique(read_mask(labels, record.convention)[0])) <= {0, 1, 2, 3}
        # The next one to write there takes away what was left.
        save_correction(case.truth(), case, out / "next_seg.nii.gz")
        assert not [path for path in out.iterdir() if is_scratch(path.name)]


def test_the_version_before_keeps_its_record_and_takes_no_other(brats_folder, tmp_path):
    case = load_case(brats_folder)
    path = save_correction(case.truth(), case, tmp_path / "a_seg.nii.gz")
    first = path.read_bytes()
    save_correction(np.zeros(case.grid.shape, np.uint8), case, path)
    kept = tmp_path / "a_seg.before.nii.gz"
    assert kept.read_bytes() == first
    record = record_of(kept)
    assert record is not None
    assert record.corrected
    # Somebody's own file in its place has no record, so the next version before has none either.
    path.with_name("a_seg.json").unlink()
    save_correction(case.truth(), case, path)
    assert record_of(kept) is None


def test_a_correction_is_a_humans_word_and_a_prediction_is_not(brats_folder, tmp_path):
    case = load_case(brats_folder)
    path = save_correction(case.truth(), case, tmp_path / "a_seg.nii.gz")
    assert is_expert_mask(path)
    record = path.with_name("a_seg.json")
    record.write_text(record.read_text().replace("correction", "prediction"))
    assert not is_expert_mask(path)
