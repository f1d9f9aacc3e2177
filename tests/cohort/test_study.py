"""The study of a folder of patients: its numbers, resumed, shared, with failures named."""

import json
import os
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.case import load_case
from napari_rdl.cli import main
from napari_rdl.cohort import load_study
from napari_rdl.cohort.evaluate import EvaluationSettings, evaluate
from napari_rdl.cohort.patients import folder_patients
from napari_rdl.cohort.study import StudySettings, study_cohort
from napari_rdl.compare import study_subsets
from napari_rdl.errors import Cancelled, CaseError
from tests.cohort.conftest import FAST, named
from tests.compare.conftest import QUICK


def test_numbers_equal_the_evaluations_to_the_last_digit(finished, cohort, tiny_model, tmp_path):
    scores = evaluate(str(cohort), tiny_model, tmp_path, settings=EvaluationSettings(segment=QUICK)).scores
    assert set(scores) == {"BraTS2021_A", "BraTS2021_B"}
    for name in "AB":
        patient = named(finished, name)
        assert scores[patient.name] == {
            row.name: {
                region: {"dice": score.dice, "hd95": score.hd95} for region, score in row.scores.items()
            }
            for row in patient.rows
        }
    pooled = json.loads((finished.folder / "results.json").read_text())["tables"]
    evaluated = json.loads((tmp_path / "results.json").read_text())["tables"]
    assert pooled[:3] == evaluated


def test_worst_first_those_without_reference_last(finished):
    scores = [patient.score for patient in finished.patients]
    assert scores[0] < scores[1]
    assert scores[2] is None
    assert finished.patients[2].name == "BraTS2021_C"
    full = named(finished, "B").rows[-1].scores
    # ET is empty in the mask of B: its Dice would be a rule, no score.
    assert named(finished, "B").score == pytest.approx((full["WT"].dice + full["TC"].dice) / 2)


def test_what_a_patient_lacks_is_said(finished):
    alone = named(finished, "C")
    assert "has one modality (T1c): the study is one row" in alone.remark
    assert "has no expert mask: volumes alone" in alone.remark
    assert [row.name for row in alone.rows] == ["T1c"]
    assert alone.worth.measure == "ml"
    empty = named(finished, "B")
    assert "ET is empty in the expert mask: Dice is 1 where" in empty.remark
    assert empty.worth.values["ET"] is None
    assert {row.scores["ET"].reference_empty for row in empty.rows} == {True}


@pytest.mark.usefixtures("undrawn")
def test_the_full_set_as_reference(cohort, tiny_model, tmp_path):
    full = StudySettings(reference="full", distances=False)
    study = study_cohort(cohort / "BraTS2021_A", tiny_model, tmp_path, settings=full, segment=QUICK)
    (patient,) = study.patients
    assert patient.rows[-1].scores["WT"].dice == 1
    others = [score for row in patient.rows[:-1] for score in row.scores.values()]
    expected = np.mean([score.dice for score in others if not score.reference_empty])
    assert patient.score == pytest.approx(expected)
    opened = study.open(patient, study.load_case(patient))
    assert opened.reference.title == "full set"
    assert opened.rows == patient.rows


@pytest.mark.usefixtures("undrawn")
def test_interrupted_it_goes_on_where_it_was(cohort, tiny_model, tmp_path, encodings):
    with pytest.raises(Cancelled):
        study_cohort(
            cohort,
            tiny_model,
            tmp_path,
            settings=FAST,
            segment=QUICK,
            # Not before the second one's turn has come.
            cancelled=lambda: len(list(tmp_path.glob("patients/*.json"))) == 1,
        )
    assert encodings == ["BraTS2021_A"]
    with pytest.raises(CaseError, match="holds no finished study"):
        load_study(tmp_path)
    study_cohort(cohort, tiny_model, tmp_path, settings=FAST, segment=QUICK)
    assert sorted(encodings) == ["BraTS2021_A", "BraTS2021_B", "BraTS2021_C"]
    study_cohort(cohort, tiny_model, tmp_path, settings=FAST, segment=QUICK)
    assert len(encodings) == 3


@pytest.mark.usefixtures("undrawn")
def test_other_files_and_settings_are_studied_anew(cohort, tiny_model, tmp_path, encodings):
    data = shutil.copytree(cohort, tmp_path / "data", ignore=shutil.ignore_patterns("*_A", "*_C"))
    out = tmp_path / "out"
    study_cohort(data, tiny_model, out, settings=FAST, segment=QUICK)
    path = data / "BraTS2021_B" / "BraTS2021_B_t1ce.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) * 2, image.affine), path)
    study_cohort(data, tiny_model, out, settings=FAST, segment=QUICK)
    assert len(encodings) == 2
    (out / "patients" / "BraTS2021_B.npz").unlink()
    study_cohort(data, tiny_model, out, settings=FAST, segment=QUICK)
    assert len(encodings) == 3
    study_cohort(data, tiny_model, out, settings=StudySettings(reference="full"), segment=QUICK)
    assert len(encodings) == 4


@pytest.fixture
def with_failures(cohort, tmp_path):
    """The cohort with masks that do not fit, and a damaged image in the middle."""
    data = shutil.copytree(cohort, tmp_path / "data")
    for name in ("AB_grid", "AC_label", "AD_damaged"):
        shutil.copytree(data / "BraTS2021_A", data / name)
    mask = next((data / "AB_grid").glob("*_seg*"))
    image = nib.load(mask)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[:-1], image.affine), mask)
    mask = next((data / "AC_label").glob("*_seg*"))
    nib.save(nib.Nifti1Image(np.full(image.shape, 7, np.uint8), image.affine), mask)
    damaged = next((data / "AD_damaged").glob("*_t2.*"))
    damaged.write_bytes(damaged.read_bytes()[:900])
    return data


@pytest.mark.usefixtures("uncharted")
def test_patients_that_fail_are_named_and_the_others_go_on(with_failures, tiny_checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["study", str(with_failures), "--out", str(out), "--model", str(tiny_checkpoint)]
    assert main([*words, "--no-hd95", "--device", "cpu", "--json"]) == 2
    captured = capsys.readouterr()
    listed = json.loads(captured.out)["failures"]
    assert [failure["case"] for failure in listed] == ["AB_grid", "AC_label", "AD_damaged"]
    assert "holds the label 7" in listed[1]["message"]
    assert "failed: AB_grid: " in captured.err
    assert "is not on the images' grid" in captured.err
    assert "holds the label 7" in captured.err
    assert "cut off or damaged" in captured.err
    assert captured.err.endswith("3 of 6 patients could not be studied; the others are done.\n")
    study = load_study(out)
    assert list(study.failed) == ["AB_grid", "AC_label", "AD_damaged"]
    assert len(study.patients) == 3
    assert "holds the label 7" in (out / "report.html").read_text()
    # Mended, it is studied with the next run, and nothing else is.
    shutil.rmtree(with_failures / "AD_damaged")
    for name in ("AB_grid", "AC_label"):
        next((with_failures / name).glob("*_seg*")).unlink()
    assert main([*words, "--no-hd95", "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["about"]["patients"] == 5


@pytest.mark.usefixtures("undrawn")
def test_what_nobody_foresaw_does_not_stop_the_others(cohort, tiny_model, tmp_path, monkeypatch, caplog):
    from napari_rdl.cohort import study as module

    def explode(representations, reference=None, **more):
        if representations.case.name == "BraTS2021_A":
            raise ZeroDivisionError("odd")
        return study_subsets(representations, reference, **more)

    monkeypatch.setattr(module, "study_subsets", explode)
    study = study_cohort(cohort, tiny_model, tmp_path, settings=FAST, segment=QUICK)
    assert study.failed == {"BraTS2021_A": "ZeroDivisionError: odd"}
    assert "Traceback" in caplog.text
    assert len(study.patients) == 2


@pytest.mark.usefixtures("uncharted")
def test_shell_says_the_tables(cohort, tiny_checkpoint, tmp_path, capsys):
    words = ["study", str(cohort / "BraTS2021_A"), "--out", str(tmp_path), "--model", str(tiny_checkpoint)]
    assert main([*words, "--no-hd95", "--device", "cpu", "--reference", "full"]) == 0
    out = capsys.readouterr().out
    assert "## Dice (%)" in out
    assert "HD95" not in out.split("## Dice")[1]
    assert f"Report: {tmp_path / 'report.html'}" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("/nowhere",), "no folder /nowhere"),
        (("phantom:3",), "no folder phantom:3"),
        (("EMPTY",), "holds no patients"),
        (("EMPTY", "--reference", "best"), "best"),
    ],
)
def test_wrong_words_end_in_one_sentence(tmp_path, capsys, words, said):
    empty = tmp_path / "empty"
    empty.mkdir()
    given = [str(empty) if word == "EMPTY" else word for word in words]
    assert main(["study", *given, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_patients_of_the_same_name_are_kept_apart(cohort, tmp_path):
    for site in ("one", "two"):
        shutil.copytree(cohort / "BraTS2021_B", tmp_path / site / "BraTS2021_B")
    assert [patient.name for patient in folder_patients(tmp_path)] == ["one/BraTS2021_B", "two/BraTS2021_B"]


def _start(python, cohort, checkpoint, out, **environment):
    program = (
        "import sys; from napari_rdl.cohort import picture, report;"
        "picture.draw_patient = lambda case, study: b''; report.write_study = lambda study: None;"
        "from napari_rdl.cohort.study import study_cohort;"
        "from napari_rdl.models import load_model;"
        "from napari_rdl.segment import SegmentSettings;"
        "done = study_cohort(sys.argv[1], load_model(sys.argv[2]), sys.argv[3], segment=SegmentSettings("
        "device='cpu', precision='float32', tile=32, overlap=0));"
        "print('wrote' if done else 'shared')"
    )
    return subprocess.Popen(
        [python, "-c", program, str(cohort), str(checkpoint), str(out)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_share_the_patients(cohort, tiny_checkpoint, finished, warm_python, tmp_path):
    port = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(31000 + os.getpid() % 2000), "WORLD_SIZE": "2"}
    started = [
        _start(warm_python, cohort, tiny_checkpoint, tmp_path, RANK=str(rank), **port) for rank in range(2)
    ]
    assert [process.communicate(timeout=250)[0].strip() for process in started] == ["wrote", "shared"]
    assert load_study(tmp_path).patients == finished.patients


@pytest.mark.usefixtures("undrawn")
def test_real_patients(real_data, tiny_model, tmp_path):
    """Real folders' names, masks and grids, with weights that take no time."""
    data = tmp_path / "data"
    data.mkdir()
    for name in ("brats_2013_pat0001_1", "native-mismatched-grids"):
        (data / name).symlink_to(real_data / name)
    study = study_cohort(data, tiny_model, tmp_path / "out", settings=FAST)
    assert "different grids" in study.failed["native-mismatched-grids"]
    (patient,) = study.patients
    assert [row.name for row in patient.rows] == ["FLAIR", "T1c", "T1c+FLAIR"]
    case = load_case(data / patient.name)
    truth = case.truth()
    assert patient.rows[0].scores["WT"].reference_ml == np.count_nonzero(truth) * case.grid.voxel_ml


@pytest.mark.usefixtures("undrawn")
def test_made_patients_on_several_grids(cohort, tiny_model, tmp_path):
    """One whose modalities lie on different grids is named, and studied where resampling is asked for."""
    data = shutil.copytree(cohort, tmp_path / "data", ignore=shutil.ignore_patterns("*_A", "*_C"))
    path = next((data / "BraTS2021_B").glob("*_t1.*"))
    image = nib.load(path)
    moved = image.affine.copy()
    moved[0, 3] += 1.5
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), moved), path)
    study = study_cohort(data, tiny_model, tmp_path / "out", settings=FAST, segment=QUICK)
    assert "different grids" in study.failed["BraTS2021_B"]
    resampled = FAST.model_copy(update={"resample": True})
    study = study_cohort(data, tiny_model, tmp_path / "out", settings=resampled, segment=QUICK)
    assert study.failed == {}
    assert study.load_case(study.patients[0]).resampled
