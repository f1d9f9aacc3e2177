"""Files of an earlier version still open: settings, a checkpoint, a record of a run, a study, a training.

What lies in `old/` was written by the version of commit 825efbd, of patients as `tiny_arrays` makes them,
which lay in `/data/world/patients`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from napari_rdl.case import load_case
from napari_rdl.cli import main
from napari_rdl.cohort import load_study
from napari_rdl.compare import study_subsets
from napari_rdl.models import load_model
from napari_rdl.plugin.compare.memory import CompareMemory
from napari_rdl.plugin.segment.choices import Choices
from napari_rdl.plugin.train.memory import TrainMemory
from napari_rdl.segment import encode
from tests.conftest import TINY_SHAPE, tiny_arrays

OLD = Path(__file__).parent / "old"
PATIENTS = "/data/world/patients"
ENDINGS = {"T1": "t1", "T1c": "t1ce", "T2": "t2", "FLAIR": "flair", "seg": "seg"}


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """The two patients, byte for byte as they were."""
    images, classes = tiny_arrays()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[1, 3] = TINY_SHAPE[1] - 1
    for name in ("BraTS2021_91000", "BraTS2021_91001"):
        folder = tmp_path / "patients" / name
        folder.mkdir(parents=True)
        for kind, array in {**images, "seg": np.array([0, 1, 2, 4], np.uint8)[classes]}.items():
            image = nib.Nifti1Image(np.ascontiguousarray(array[::-1, ::-1]), affine)
            nib.save(image, folder / f"{name}_{ENDINGS[kind]}.nii")
    return tmp_path / "patients"


def settings_of(memory) -> dict:
    return memory.choices.model_dump(mode="json")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("segment_tumour", Choices), ("compare_subsets", CompareMemory), ("train_model", TrainMemory)],
)
def test_remembered_settings(name, kind, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_config_path", lambda _: tmp_path)
    shutil.copy(OLD / "settings" / f"{name}.json", tmp_path)
    written = json.loads((tmp_path / f"{name}.json").read_text())
    assert settings_of(kind()).items() >= written.items()
    # A user of both versions has the file read by either.
    kind().remember(**{next(iter(written)): written[next(iter(written))]})
    assert settings_of(kind()).items() >= written.items()


def test_a_checkpoint(patients):
    model = load_model(OLD / "tiny.safetensors")
    assert (model.card.name, model.card.spacing) == ("tiny", (2.0, 2.0, 2.0))
    assert model.sha256 == json.loads((OLD / "study/study.json").read_text())["about"]["weights_sha256"]
    labels = encode(load_case(patients / "BraTS2021_91000"), model).combine({"T2"}).labels
    assert np.unique(labels).size > 1


def test_a_recorded_run_is_repeated(patients, tmp_path):
    (recorded,) = (OLD / "predicted").glob("*.json")
    text = recorded.read_text().replace(PATIENTS, patients.as_posix())
    (tmp_path / recorded.name).write_text(text.replace("/data/out", OLD.as_posix()))
    assert main(["predict", "--from", str(tmp_path / recorded.name), "--out", str(tmp_path / "again")]) in (
        0,
        None,
    )
    name = recorded.with_suffix(".nii.gz").name
    before, again = (nib.load(folder / name) for folder in (OLD / "predicted", tmp_path / "again"))
    assert np.array_equal(before.affine, again.affine)
    # To the byte on the same machine; on another, rounding may turn a voxel.
    assert np.mean(np.asarray(before.dataobj) == np.asarray(again.dataobj)) > 0.9995
    assert np.asarray(before.dataobj).any()


def test_a_study(patients, tmp_path):
    folder = shutil.copytree(OLD / "study", tmp_path / "study")
    record = folder / "patients/BraTS2021_91000.json"
    record.write_text(record.read_text().replace(PATIENTS, patients.as_posix()))
    finished = load_study(folder)
    (patient,) = finished.patients
    case = finished.load_case(patient)
    opened = finished.open(patient, case)
    assert opened.rows == patient.rows
    anew = study_subsets(encode(case, load_model(OLD / "tiny.safetensors")), "truth")
    for old, new in zip(opened.rows, anew.rows, strict=True):
        assert old.subset == new.subset
        assert old.volumes_ml == pytest.approx(new.volumes_ml, abs=0.01)


def test_a_training(patients, tmp_path):
    from napari_rdl.training.run.folder import RunFolder
    from napari_rdl.training.run.reader import RunReader, State
    from napari_rdl.training.run.session import resume_training
    from napari_rdl.training.step.state import STATE_KEY

    folder = RunFolder(shutil.copytree(OLD / "run", tmp_path / "run"))
    glance = RunReader(folder.path).look()
    assert (glance.state, glance.step, glance.steps, glance.resumable) == (State.STOPPED, 3, 5, True)
    # Its patients lie elsewhere now; the state remembers the configuration by its hash.
    tensors, about = state_of(folder)
    assert about["config"] == config_hash(folder)
    moved = folder.config.read_text().replace(PATIENTS, patients.as_posix())
    folder.config.write_text(moved.replace("/data/world", tmp_path.as_posix()))
    about["config"] = config_hash(folder)
    save_file(tensors, folder.state, {STATE_KEY: json.dumps(about)})
    assert resume_training(folder.path).finished
    assert [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()][-1] == 5
    assert load_model(folder.last).card.steps == 5


def config_hash(folder):
    return hashlib.sha256(folder.read_config().model_dump_json(exclude_unset=True).encode()).hexdigest()


def state_of(folder):
    from napari_rdl.training.step.state import STATE_KEY

    with safe_open(folder.state, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, json.loads(file.metadata()[STATE_KEY])
