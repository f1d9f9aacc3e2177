import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import napari_rdl
from napari_rdl.brats import LABEL_CONVENTIONS
from napari_rdl.case import Case, case_from_arrays, load_case
from napari_rdl.errors import CaseError, GridsDifferError, Remedy

Write = Callable[..., Path]


def test_a_brats_folder(brats_folder: Path) -> None:
    case = load_case(brats_folder)
    assert isinstance(case, napari_rdl.Case)
    assert case.name == "BraTS2021_90001"
    assert case.modalities == ("T1", "T1c", "T2", "FLAIR")
    assert case.convention.name == "brats2018"
    assert case.convention_known
    assert not case.resampled
    assert case.notes == ()
    assert case.grid.spacing == (1.0, 1.0, 1.0)
    assert "".join(nib.orientations.ornt2axcodes(case.native.orientation)) == "LPS"
    for modality, image in case.images.items():
        stored = nib.load(case.files[modality])
        assert image.dtype == np.float32
        assert image.flags.c_contiguous
        np.testing.assert_array_equal(image, nib.as_closest_canonical(stored).get_fdata())
        np.testing.assert_allclose(case.grid.affine, nib.as_closest_canonical(stored).affine)
    truth = nib.as_closest_canonical(nib.load(case.mask_file)).get_fdata()
    np.testing.assert_array_equal(case.truth(), np.select([truth == 4, truth > 0], [3, truth], 0))


def test_only_some_modalities_are_read_when_asked(brats_folder: Path) -> None:
    case = load_case(brats_folder, modalities=["flair", "T1c"])
    assert case.modalities == ("T1c", "FLAIR")
    assert set(case.files) == {"T1c", "FLAIR"}
    np.testing.assert_array_equal(case.images["FLAIR"], load_case(brats_folder).images["FLAIR"])


def test_a_modality_that_is_not_there_is_named(write: Write, tmp_path: Path) -> None:
    write("P_t1.nii.gz")
    with pytest.raises(CaseError, match="has no FLAIR: choose among T1"):
        load_case(tmp_path, modalities=["FLAIR"])


def test_files_by_modality(write: Write, tmp_path: Path) -> None:
    case = load_case({"t1ce": write("a.nii.gz"), "T2": str(write("b.nii")), "seg": write("m.nii")}, name="me")
    assert (case.name, case.modalities, case.mask_file) == ("me", ("T1c", "T2"), tmp_path / "m.nii")
    assert not case.convention_known


def test_one_file_that_says_its_modality(write: Write) -> None:
    assert load_case(write("P_t2w.nii.gz")).modalities == ("T2",)
    with pytest.raises(CaseError, match=r"does not say its modality: give it as T1=scan.nii.gz"):
        load_case(write("scan.nii.gz"))


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"PD": "a.nii"}, r"'PD' \(given for .*a.nii\) is no modality: use T1, T1c, T2, FLAIR"),
        (
            {"T1c": "a.nii", "t1gd": "b.nii"},
            r"Two files were given for T1c \(.*a.nii and .*b.nii\): give one",
        ),
        ({"seg": "a.nii"}, "No modality was given"),
        ({"T1": "absent.nii"}, "absent.nii does not exist"),
    ],
)
def test_a_map_that_cannot_be_used(write: Write, tmp_path: Path, names: dict, sentence: str) -> None:
    write("a.nii")
    write("b.nii")
    with pytest.raises(CaseError, match=sentence):
        load_case({key: tmp_path / name for key, name in names.items()})


def test_different_grids_are_refused_with_their_difference(write: Write, volume: np.ndarray) -> None:
    t1 = write("P_t1.nii.gz")
    t2 = write("P_t2.nii.gz", volume[:, :-1], np.diag([-1.0, -1.0, 2.0, 1.0]))
    with pytest.raises(
        CaseError, match=r"P_t2.nii.gz has shape 9 x 9 x 11 instead of 9 x 10 x 11, spacing"
    ) as caught:
        load_case(t1.parent)
    assert caught.value.remedy is Remedy.RESAMPLE
    assert str(t1) in str(caught.value)
    assert t2.name in str(caught.value)


def test_resampling_goes_to_the_finest_grid_and_is_said(
    write: Write, volume: np.ndarray, tmp_path: Path
) -> None:
    write("P_t1c.nii.gz", volume[:, :, ::2], np.diag([1.0, 1.0, 2.0, 1.0]))
    fine = write("P_flair.nii.gz", volume, np.eye(4))
    case = load_case(tmp_path, resample=True)
    assert case.resampled
    assert case.notes == ("T1c resampled onto the grid of FLAIR.",)
    assert case.native.shape == volume.shape
    np.testing.assert_array_equal(case.native.affine, nib.load(fine).affine)
    np.testing.assert_array_equal(case.images["FLAIR"], volume)
    np.testing.assert_array_equal(case.images["T1c"][:, :, ::2], volume[:, :, ::2])


def test_of_equally_fine_grids_t1c_is_the_reference(write: Write, volume: np.ndarray, tmp_path: Path) -> None:
    shifted = np.eye(4)
    shifted[0, 3] = 3
    write("P_t1.nii.gz", volume, np.eye(4))
    write("P_t1c.nii.gz", volume, shifted)
    case = load_case(tmp_path, resample=True)
    np.testing.assert_array_equal(case.native.affine, shifted)
    assert case.notes == ("T1 resampled onto the grid of T1c.",)


def test_one_grid_in_two_storage_orders_needs_no_resampling(
    write: Write, volume: np.ndarray, tmp_path: Path
) -> None:
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = volume.shape[0] - 1
    write("P_t1.nii.gz", volume, np.eye(4))
    write("P_t2.nii.gz", volume[::-1], flipped)
    case = load_case(tmp_path)
    assert not case.resampled
    np.testing.assert_array_equal(case.images["T1"], case.images["T2"])


def test_a_mask_given_as_a_modality_is_refused(write: Write, volume: np.ndarray) -> None:
    path = write("P_t1.nii.gz", np.where(volume > 1000, 4, volume > 0).astype(np.uint8))
    with pytest.raises(
        CaseError, match=r"P_t1.nii.gz was given as T1 but holds only the values 0, 1, 4: .* a mask"
    ):
        load_case(path)


def test_each_modality_is_read_alone(write: Write, tmp_path: Path, volume: np.ndarray) -> None:
    write("P_t1.nii.gz")
    alone = load_case(tmp_path).images["T1"]
    write("P_t2.nii.gz", volume[::-1] * 2)
    np.testing.assert_array_equal(load_case(tmp_path).images["T1"], alone)


def test_what_was_mended_is_noted(write: Write, volume: np.ndarray) -> None:
    array = volume.astype(np.float32)
    array[4, 4, 4] = np.nan
    assert "1 voxels were NaN" in load_case(write("P_t1.nii.gz", array)).notes[0]


class TestTruth:
    def case(
        self, write: Write, mask: np.ndarray | None, affine: np.ndarray | None = None, **options
    ) -> Case:
        path = write("BraTS_1_t1.nii.gz")
        if mask is not None:
            write("BraTS_1_seg.nii.gz", mask, affine)
        return load_case(path.parent, **options)

    def test_none_without_a_mask(self, write: Write) -> None:
        assert self.case(write, None).truth() is None

    def test_on_another_grid_it_is_refused(self, write: Write, volume: np.ndarray) -> None:
        case = self.case(write, np.zeros(volume.shape, np.uint8), np.eye(4))
        with pytest.raises(
            CaseError, match=r"BraTS_1_seg.nii.gz is not on the images' grid \(centre shifted"
        ):
            case.truth()

    def test_in_another_storage_order_it_is_the_same(self, write: Write, volume: np.ndarray) -> None:
        mask = np.random.default_rng(0).choice(np.array([0, 1, 2, 4], np.uint8), volume.shape)
        same = self.case(write, mask).truth()
        image = nib.as_closest_canonical(nib.Nifti1Image(mask, np.diag([-1.0, -1.0, 1.0, 1.0])))
        np.testing.assert_array_equal(self.case(write, image.get_fdata(), image.affine).truth(), same)

    def test_a_value_of_another_convention_is_refused(self, write: Write, volume: np.ndarray) -> None:
        mask = np.full(volume.shape, 3, np.uint8)
        with pytest.raises(CaseError, match="the label 3"):
            self.case(write, mask).truth()
        assert (self.case(write, mask, labels="brats2023").truth() == 3).all()

    def test_without_a_known_convention_it_is_not_guessed(self, write: Write, volume: np.ndarray) -> None:
        mask = write("x_seg.nii.gz", np.ones(volume.shape, np.uint8))
        files = {"T1": write("x.nii.gz"), "seg": mask}
        with pytest.raises(CaseError, match=r"do not say what the values of .*x_seg.nii.gz mean: name the"):
            load_case(files).truth()
        assert (load_case(files, labels="brats2018").truth() == 1).all()


class TestArrays:
    def test_any_axis_order_becomes_ras(self, volume: np.ndarray) -> None:
        affine = np.array([[0, -2.0, 0, 5], [1.0, 0, 0, 6], [0, 0, -3.0, 7], [0, 0, 0, 1]])
        case = case_from_arrays({"FLAIR": volume, "t1ce": volume * 2}, affine, name="me")
        assert case.modalities == ("T1c", "FLAIR")
        assert case.grid.spacing == (2.0, 1.0, 3.0)
        np.testing.assert_array_equal(case.images["FLAIR"], volume.transpose(1, 0, 2)[::-1, :, ::-1])
        np.testing.assert_array_equal(case.native.affine, affine)
        assert case.convention is LABEL_CONVENTIONS["brats2018"]
        assert case.files == {}

    def test_the_callers_arrays_are_neither_shared_nor_changed(self, volume: np.ndarray) -> None:
        image = volume.astype(np.float32)
        image[4, 4, 4] = np.nan
        before = image.copy()
        case = case_from_arrays({"T1": image}, np.eye(4), name="me")
        np.testing.assert_array_equal(image, before)
        assert not np.shares_memory(case.images["T1"], image)
        assert "1 voxels" in case.notes[0]

    @pytest.mark.parametrize(
        ("images", "affine", "sentence"),
        [
            ({}, np.eye(4), "No modality was given"),
            ({"PD": np.ones((3, 3, 3))}, np.eye(4), "PD are not distinct modalities"),
            ({"T1c": np.ones((3, 3, 3)), "t1ce": np.ones((3, 3, 3))}, np.eye(4), "not distinct"),
            ({"T1": np.ones((3, 3))}, np.eye(4), "no 3D volume"),
            ({"T1": np.ones((3, 3, 3)), "T2": np.ones((3, 3, 4))}, np.eye(4), "T2 image of me has the shape"),
            ({"T1": np.ones((3, 3, 3))}, np.zeros((4, 4)), "cannot be inverted"),
            ({"T1": np.full((3, 3, 3), np.nan)}, np.eye(4), "no finite value"),
        ],
    )
    def test_arrays_that_cannot_be_used(self, images: dict, affine: np.ndarray, sentence: str) -> None:
        with pytest.raises(CaseError, match=sentence):
            case_from_arrays(images, affine, name="me")


def test_real_mismatched_grids(real_data: Path) -> None:
    folder = real_data / "native-mismatched-grids"
    with pytest.raises(
        CaseError, match=r"_fla.nii.gz has shape 208 x 256 x 26 instead of .* shifted by 18.5 mm"
    ):
        load_case(folder)
    case = load_case(folder, resample=True)
    assert case.notes == ("T2, FLAIR resampled onto the grid of T1c.",)
    assert "".join(nib.orientations.ornt2axcodes(case.native.orientation)) == "LAS"


def test_made_grids_of_slices_and_of_a_volume(write: Write, volume: np.ndarray) -> None:
    """Native grids as scanners give them: a fine T1c, a FLAIR of thick slices that begins elsewhere."""
    from scipy.ndimage import zoom

    fine = write("P_t1ce.nii.gz", volume, np.diag([-1.0, 1.0, 1.0, 1.0]))
    thick = np.diag([-1.0, 1.0, 3.0, 1.0])
    thick[2, 3] = 1.5
    write("P_flair.nii.gz", zoom(volume, (1, 1, 1 / 3), order=1), thick)
    with pytest.raises(
        GridsDifferError, match=r"P_flair.nii.gz has shape 9 x 10 x 4 instead of .* shifted by"
    ):
        load_case(fine.parent)
    case = load_case(fine.parent, resample=True)
    assert case.notes == ("FLAIR resampled onto the grid of T1c.",)
    assert case.grid.shape == volume.shape
    assert "".join(nib.orientations.ornt2axcodes(case.native.orientation)) == "LAS"


def test_of_several_damaged_images_the_first_is_told(brats_folder, tmp_path):
    for file in brats_folder.iterdir():
        shutil.copy(file, tmp_path / file.name)
    for ending in ("_flair", "_t1ce"):
        path = next(tmp_path.glob(f"*{ending}.nii.gz"))
        path.write_bytes(path.read_bytes()[:-4])
    for _ in range(3):
        with pytest.raises(CaseError, match=r"_t1ce\.nii\.gz is cut off"):
            load_case(tmp_path)
