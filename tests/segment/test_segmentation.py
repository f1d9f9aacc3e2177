"""A result on disk: the native grid to the bit, the case's own labels, and a record to repeat it from."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.case import Provenance, case_from_arrays, load_case
from napari_rdl.errors import OutputError
from napari_rdl.models import Expectation
from napari_rdl.segment import SegmentSettings, encode, output_name

from ..conftest import tiny_arrays

CPU = SegmentSettings(device="cpu", tile=16)


@pytest.fixture
def representations(brats_folder, tiny_model):
    return encode(load_case(brats_folder), tiny_model, settings=CPU)


@pytest.mark.parametrize(
    ("modalities", "present", "name"),
    [
        (("T1", "T1c", "T2", "FLAIR"), ("T1", "T1c", "T2", "FLAIR"), "p_seg.nii.gz"),
        (("T1c", "FLAIR"), ("T1", "T1c", "T2", "FLAIR"), "p_seg_T1c+FLAIR.nii.gz"),
        (("T1c", "FLAIR"), ("T1c", "FLAIR"), "p_seg.nii.gz"),
        (("T2",), ("T1c", "T2"), "p_seg_T2.nii.gz"),
    ],
)
def test_file_names_tell_the_subset(modalities, present, name):
    assert output_name("p", modalities, present) == name


@pytest.mark.parametrize("subset", [None, ("T1c", "FLAIR")], ids=["all", "subset"])
def test_labels_lie_on_the_native_grid_in_the_patients_own_values(
    representations, brats_folder, tmp_path, subset
):
    segmentation = representations.combine(subset)
    path = segmentation.save(tmp_path / "new" / "folder")
    saved, source = nib.load(path), nib.load(brats_folder / "BraTS2021_90001_t1.nii.gz")
    assert np.array_equal(saved.affine, source.affine)
    assert saved.shape == source.shape
    assert saved.get_data_dtype() == np.uint8
    values = np.asarray(saved.dataobj)
    assert set(np.unique(values)) <= {0, 1, 2, 4}
    # LPS on disk, RAS+ in the program.
    assert np.array_equal(values[::-1, ::-1], np.array([0, 1, 2, 4], np.uint8)[segmentation.labels])


def test_the_record_says_what_the_result_was_made_from(representations, tiny_model, tmp_path):
    path = representations.combine(["T2"]).save(tmp_path)
    record = Provenance.read(path.with_name("BraTS2021_90001_seg_T2.json"))
    assert record.modalities == ("T2",)
    assert set(record.inputs) == {"T1", "T1c", "T2", "FLAIR"}
    assert record.weights.sha256 == tiny_model.sha256
    assert record.device == "cpu"
    assert SegmentSettings.model_validate(record.settings) == CPU
    assert record.output == path.name


def test_the_record_says_what_is_to_be_expected_of_the_subset(tiny_model, brats_folder, tmp_path):
    expected = Expectation.model_validate({"dice": {"WT": {"mean": 0.5, "patients": 1}}, "basis": "one"})
    card = tiny_model.card.model_copy(update={"expected": {"T2": expected}})
    representations = encode(load_case(brats_folder), replace(tiny_model, card=card), settings=CPU)
    assert representations.combine().expected is None
    path = representations.combine(["T2"]).save(tmp_path)
    record = Provenance.read(path.with_name("BraTS2021_90001_seg_T2.json"))
    assert Expectation.model_validate(record.expected) == expected


def test_saving_twice_gives_the_same_bytes(representations, tmp_path):
    first = representations.combine().save(tmp_path / "a").read_bytes()
    second = representations.combine().save(tmp_path / "b").read_bytes()
    assert first == second


def test_a_folder_that_cannot_be_written_gets_a_sentence_and_no_file(representations, tmp_path):
    (tmp_path / "out").write_text("a file, no folder")
    with pytest.raises(OutputError):
        representations.combine().save(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_images_without_files_are_recorded_by_their_content(tiny_model, tmp_path):
    images, _ = tiny_arrays()
    case = case_from_arrays(images, np.diag([1.0, 1, 1, 1]), name="layers")
    path = encode(case, tiny_model, settings=CPU).combine().save(tmp_path)
    record = Provenance.read(tmp_path / "layers_seg.json")
    assert record.native_grid == "layer"
    assert record.inputs["T1"].path is None
    assert len(record.inputs["T1"].sha256) == 64
    assert nib.load(path).shape == images["T1"].shape


def test_volumes_are_those_of_the_saved_file(representations, tmp_path):
    segmentation = representations.combine()
    saved = np.asarray(nib.load(segmentation.save(tmp_path)).dataobj)
    volumes = segmentation.volumes_ml()
    assert volumes["WT"] == pytest.approx(np.count_nonzero(saved) / 1000)
    assert volumes["TC"] == pytest.approx(np.isin(saved, [1, 4]).sum() / 1000)
    assert volumes["ET"] == pytest.approx((saved == 4).sum() / 1000)
