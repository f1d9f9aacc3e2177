"""Three patients and their study, and the patient that the comparison's tests have."""

import shutil

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.cohort.study import StudySettings, study_cohort
from napari_rdl.segment import encode
from tests.compare.conftest import QUICK, case, representations, stack, study

__all__ = ["case", "representations", "stack", "study"]

FAST = StudySettings(distances=False)


@pytest.fixture(scope="session")
def cohort(brats_folder, tmp_path_factory):
    """Three patients: all modalities; no T2 and a shifted mask; one modality and no mask."""
    root = tmp_path_factory.mktemp("cohort")
    kept = {"A": ("_t1.", "_t1ce.", "_t2.", "_flair.", "_seg."), "B": ("_t1.", "_t1ce.", "_flair.", "_seg.")}
    for name, endings in {**kept, "C": ("_t1ce.",)}.items():
        (root / f"BraTS2021_{name}").mkdir()
        for file in brats_folder.iterdir():
            if any(ending in file.name for ending in endings):
                shutil.copy(
                    file,
                    root / f"BraTS2021_{name}" / file.name.replace(brats_folder.name, f"BraTS2021_{name}"),
                )
    path = root / "BraTS2021_B" / "BraTS2021_B_seg.nii.gz"
    mask = nib.load(path)
    shifted = np.roll(np.asarray(mask.dataobj), 3, axis=0)
    shifted[shifted == 4] = 1
    nib.save(nib.Nifti1Image(shifted, mask.affine), path)
    return root


@pytest.fixture(scope="session")
def finished(cohort, tiny_checkpoint, tmp_path_factory):
    from napari_rdl.models import load_model

    out = tmp_path_factory.mktemp("study")
    return study_cohort(cohort, load_model(tiny_checkpoint), out, segment=QUICK)


@pytest.fixture
def encodings(monkeypatch):
    """Names of the cases that are encoded from now on."""
    from napari_rdl import segment

    calls = []
    monkeypatch.setattr(
        segment, "encode", lambda case, *rest, **more: calls.append(case.name) or encode(case, *rest, **more)
    )
    return calls


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out pictures and report, which take longer than all the rest."""
    from napari_rdl.cohort import picture, report

    monkeypatch.setattr(picture, "draw_patient", lambda case, study: b"")
    monkeypatch.setattr(report, "write_study", lambda study: None)


def named(study, name):
    return next(patient for patient in study.patients if patient.name == f"BraTS2021_{name}")
