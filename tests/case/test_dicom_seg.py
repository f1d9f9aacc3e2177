"""Labels as a DICOM segmentation: SimpleITK converts the series, highdicom reads what was written."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_rdl.case import load_case, save_correction
from napari_rdl.case.dicom_seg import save_dicom_seg
from napari_rdl.cli import main
from napari_rdl.errors import CaseError, ConfigError, OutputError

hd = pytest.importorskip("highdicom")
sitk = pytest.importorskip("SimpleITK")
pydicom = pytest.importorskip("pydicom")

SHAPE = (6, 9, 7)  # slices, rows, columns


def write_series(folder: Path, orientation, spacing=(0.9, 1.1), step=2.5) -> None:
    """Write a small MR series whose slices lie as `orientation` says."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    folder.mkdir()
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    normal = np.cross(orientation[:3], orientation[3:])
    voxels = np.random.default_rng(0).integers(1, 900, SHAPE).astype(np.uint16)
    for number in range(SHAPE[0]):
        image = pydicom.Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.PatientID, image.PatientName, image.Modality = "7", "Nobody^", "MR"
        image.PatientBirthDate, image.PatientSex, image.StudyDate, image.StudyTime = (
            "",
            "O",
            "20260101",
            "1200",
        )
        image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "1", "", ""
        image.Manufacturer, image.SeriesNumber, image.InstanceNumber = "none", 3, number + 1
        image.ImageOrientationPatient = [float(part) for part in orientation]
        place = np.array([-11.0, 7.0, 3.0]) + number * step * normal
        image.ImagePositionPatient = [float(part) for part in place]
        image.PixelSpacing, image.SliceThickness = list(spacing), step
        image.Rows, image.Columns = SHAPE[1:]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.PixelData = voxels[number].tobytes()
        # Names say nothing of the order.
        image.save_as(folder / f"{(number * 5) % 7}.dcm", enforce_file_format=True)


@pytest.fixture(params=["axial", "sagittal, turned"])
def patient(request, tmp_path):
    """A series, and the patient that SimpleITK made of it."""
    orientations = {"axial": (1, 0, 0, 0, 1, 0), "sagittal, turned": (0, 1, 0, 0, 0, -1)}
    write_series(tmp_path / "dicom", orientations[request.param])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "dicom")))
    (tmp_path / "case").mkdir()
    sitk.WriteImage(reader.Execute(), str(tmp_path / "case" / "case_t1.nii.gz"))
    return tmp_path


def labels_of(case) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, case.grid.shape).astype(np.uint8)


def test_what_is_written_lies_where_the_images_lie(patient):
    case = load_case(patient / "case")
    labels = labels_of(case)
    path = save_dicom_seg(labels, case, patient / "dicom", patient / "seg.dcm", annotator="Anna^B")
    read = hd.seg.segread(path)
    assert read.segmented_property_types[0].meaning == "Necrosis"
    assert str(read.ContentCreatorName) == "Anna B^"
    volume = read.get_volume(combine_segments=True)
    # In patient coordinates: from an index of the volume to LPS, to RAS, to the case's voxel.
    where = np.argwhere(np.ones(volume.shape, bool))
    lps = volume.map_indices_to_reference(where)
    ras = lps * [-1, -1, 1]
    voxels = np.linalg.inv(case.grid.affine) @ np.c_[ras, np.ones(len(ras))].T
    at = np.round(voxels[:3]).astype(int)
    assert np.abs(voxels[:3] - at).max() < 1e-3
    np.testing.assert_array_equal(volume.array[tuple(where.T)], labels[tuple(at)])


def test_the_shell_writes_one(patient, capsys):
    case = load_case(patient / "case")
    save_correction(labels_of(case), case, patient / "case_corrected.nii.gz")
    words = ["--case", patient / "case", "--series", patient / "dicom", "--out", patient / "seg.dcm"]
    assert main(["dicom", str(patient / "case_corrected.nii.gz"), *map(str, words)]) == 0
    assert capsys.readouterr().out.strip() == str(patient / "seg.dcm")
    assert hd.seg.segread(patient / "seg.dcm").number_of_segments == 3


def test_only_a_segmentation_is_written_over(patient):
    case = load_case(patient / "case")
    labels = labels_of(case)
    image, slice_ = patient / "case" / "case_t1.nii.gz", next((patient / "dicom").glob("*.dcm"))
    for own in (image, slice_):
        before = own.read_bytes()
        with pytest.raises(OutputError, match="no DICOM segmentation"):
            save_dicom_seg(labels, case, patient / "dicom", own)
        assert own.read_bytes() == before
    for _ in range(2):
        save_dicom_seg(labels, case, patient / "dicom", patient / "seg.dcm")


def test_the_patient_is_one_patient(patient, capsys):
    case = load_case(patient / "case")
    save_correction(labels_of(case), case, patient / "case_corrected.nii.gz")
    (patient / "two" / "other").mkdir(parents=True)
    (patient / "case").rename(patient / "two" / "case")
    image = patient / "two" / "case" / "case_t1.nii.gz"
    (patient / "two" / "other" / "other_t1.nii.gz").write_bytes(image.read_bytes())
    words = ["--series", patient / "dicom", "--out", patient / "seg.dcm"]
    words = ["dicom", str(patient / "case_corrected.nii.gz"), *map(str, words)]
    assert main([*words, "--case", str(patient / "two")]) == 2
    assert "has 2 patients" in capsys.readouterr().err
    assert main([*words, "--case", f"T1={image}"]) == 0


def test_another_grid_is_refused_in_a_sentence(patient, tmp_path):
    case = load_case(patient / "case")
    write_series(tmp_path / "other", (1, 0, 0, 0, 1, 0), spacing=(1.0, 1.0))
    with pytest.raises(CaseError, match="does not lie on the grid"):
        save_dicom_seg(labels_of(case), case, tmp_path / "other", tmp_path / "seg.dcm")
    next((patient / "dicom").glob("*.dcm")).unlink()
    with pytest.raises(CaseError, match=r"no stack|others"):
        save_dicom_seg(labels_of(case), case, patient / "dicom", tmp_path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()


def test_what_is_no_series_is_refused_in_a_sentence(patient, tmp_path, monkeypatch):
    case = load_case(patient / "case")
    with pytest.raises(CaseError, match="no single-frame DICOM"):
        save_dicom_seg(labels_of(case), case, tmp_path / "case", tmp_path / "seg.dcm")
    with pytest.raises(CaseError, match="no labels"):
        save_dicom_seg(np.zeros(case.grid.shape, np.uint8), case, patient / "dicom", tmp_path / "seg.dcm")
    write_series(patient / "dicom" / "second", (1, 0, 0, 0, 1, 0))
    with pytest.raises(CaseError, match="has 2 series: name one of"):
        save_dicom_seg(labels_of(case), case, patient / "dicom", tmp_path / "seg.dcm")
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(ConfigError, match=r"napari-rdl\[dicom\]"):
        save_dicom_seg(labels_of(case), case, patient / "dicom", tmp_path / "seg.dcm")
