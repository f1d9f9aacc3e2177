"""Files to Case and back: finding, reading, checking, one grid; labels and their record."""

from napari_rdl.case.arrays import case_from_arrays
from napari_rdl.case.checks import Finding, check_case
from napari_rdl.case.finding import CaseFiles, find_case_files, find_patients, is_patient_folder
from napari_rdl.case.geometry import Grid, Native
from napari_rdl.case.intensity import brain_mask, normalize
from napari_rdl.case.loading import load_case
from napari_rdl.case.nifti import read_image, read_mask
from napari_rdl.case.patient import Case
from napari_rdl.case.provenance import InputRecord, Provenance, WeightsRecord, file_sha256, input_records
from napari_rdl.case.writing import save_correction, save_labels

__all__ = [
    "Case",
    "CaseFiles",
    "Finding",
    "Grid",
    "InputRecord",
    "Native",
    "Provenance",
    "WeightsRecord",
    "brain_mask",
    "case_from_arrays",
    "check_case",
    "file_sha256",
    "find_case_files",
    "find_patients",
    "input_records",
    "is_patient_folder",
    "load_case",
    "normalize",
    "read_image",
    "read_mask",
    "save_correction",
    "save_labels",
]
