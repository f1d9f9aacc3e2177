"""The shell: what is written where, what is said, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.cli import main
from napari_rdl.cli.app import app
from napari_rdl.models import ModelCard, load_model, save_model

NAME = "BraTS2021_90001"
ROOT = Path(__file__).parents[1]


@pytest.fixture
def patient(brats_folder, tmp_path) -> Path:
    """A copy of the small patient, to be changed at will."""
    return Path(shutil.copytree(brats_folder, tmp_path / "patients" / NAME))


@pytest.fixture
def shell(capsys, tiny_checkpoint):
    """Run a command with tiny weights where it takes any; return its exit code, stdout and stderr."""

    def run(*words: object):
        arguments = [str(word) for word in words]
        if arguments and arguments[0] in ("predict", "demo", "bench") and "--model" not in arguments:
            arguments += ["--model", str(tiny_checkpoint)]
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def is_one_sentence(text: str) -> bool:
    lines = text.strip().splitlines()
    return len(lines) == 1 and "Traceback" not in text and lines[0].rstrip().endswith(".")


# --- the program as a whole

COMMANDS = sorted(
    [command.name or command.callback.__name__ for command in app.registered_commands]
    + [group.name or group.typer_instance.info.name for group in app.registered_groups]
)


def test_every_command_stands_in_help_and_documentation(shell):
    code, out, _ = shell("--help")
    assert code == 0
    listed = re.findall(r"^  ([a-z]+)  +[A-Z]", out.partition("Commands:")[2], re.M)
    assert sorted(listed) == COMMANDS
    page = (ROOT / "docs" / "shell.md").read_text()
    assert sorted(re.findall(r"^## ([a-z]+)$", page, re.M)) == COMMANDS
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"napari-rdl {command}" in readme


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(shell, command):
    code, out, err = shell(command, "--help")
    assert code == 0
    assert out.startswith("Usage: napari-rdl " + command)
    assert not err


def test_evaluate_prints_the_papers_table(shell, patients_folder, tiny_checkpoint, tmp_path):
    words = ("evaluate", patients_folder, "--model", tiny_checkpoint, "--out", tmp_path, "--no-hd95")
    code, out, _ = shell(*words, "--modalities", "t1ce,flair", "--device", "cpu")
    assert code == 0
    assert "| | Fl | T1c | T1c+Fl | Avg. |" in out
    code, out, _ = shell(*words, "--modalities", "T1c", "--device", "cpu", "--json")
    assert code == 0
    assert json.loads(out)["tables"][0]["columns"] == ["T1c", "Avg."]


def test_patients_that_fail_end_every_command_alike(shell, brats_folder, tiny_checkpoint, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(brats_folder, data / "good")
    shutil.copytree(brats_folder, data / "bad")
    damaged = next((data / "bad").glob("*_t2.*"))
    damaged.write_bytes(damaged.read_bytes()[:900])
    for command, more in (
        ("check", ()),
        ("predict", ("--out", tmp_path / "p", "--model", tiny_checkpoint, "--device", "cpu")),
        ("study", ("--out", tmp_path / "s", "--model", tiny_checkpoint, "--device", "cpu", "--no-hd95")),
        ("evaluate", ("--out", tmp_path / "e", "--model", tiny_checkpoint, "--device", "cpu", "--no-hd95")),
    ):
        code, _, err = shell(command, data, *more)
        assert code == 2, command
        assert "failed: bad: " in err
        assert err.splitlines()[-1].startswith("1 of 2 patients ")
        assert err.endswith("; the others are done.\n")


def test_the_installed_program_says_its_version():
    program = Path(sys.executable).with_name("napari-rdl")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("napari-rdl ")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("predict",), "--out"),
        (("predict", "--nonsense"), "--nonsense"),
        (("nonsense",), "nonsense"),
        (("bench", "--repeats", "0"), "--repeats"),
        (("bench", "--size", "huge"), "huge"),
        (("phantom", "--count", "many", "--out", "x"), "--count"),
        (("phantom", "--tumour", "cubic", "--out", "x"), "cubic"),
        (("phantom", "--spacing", "6", "--out", "x"), "--spacing"),
    ],
)
def test_wrong_words_end_in_one_sentence(shell, words, named):
    code, out, err = shell(*words)
    assert (code, out) == (2, "")
    assert is_one_sentence(err)
    assert named in err


def test_a_bug_keeps_its_traceback(shell, monkeypatch, patient, tmp_path):
    def broken(*_args, **_kwargs):
        raise KeyError("a slip of ours")

    monkeypatch.setattr("napari_rdl.segment.encode", broken)
    with pytest.raises(KeyError, match="a slip of ours"):
        shell("predict", patient, "--out", tmp_path)


def test_an_interrupted_run_says_so(shell, monkeypatch, patient, tmp_path):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_rdl.segment.encode", interrupted)
    code, _, err = shell("predict", patient, "--out", tmp_path / "out")
    assert code == 130
    assert "Interrupted" in err
    assert not (tmp_path / "out").exists()


# --- predict


def test_predict_writes_the_native_grid_and_one_json_object(shell, patient, tmp_path):
    code, out, _ = shell("predict", patient, "--out", tmp_path / "out", "--device", "cpu", "--json")
    assert code == 0
    document = json.loads(out)
    assert set(document) == {"segmentations", "seconds"}
    assert set(document["seconds"]) == {"load", "encode", "combine", "save"}
    assert all(seconds >= 0 for seconds in document["seconds"].values())
    (record,) = document["segmentations"]
    assert set(record) == {"modalities", "path", "volumes_ml"}
    assert record["modalities"] == ["T1", "T1c", "T2", "FLAIR"]
    assert Path(record["path"]) == tmp_path / "out" / f"{NAME}_seg.nii.gz"
    assert set(record["volumes_ml"]) == {"WT", "TC", "ET"}

    labels, image = nib.load(record["path"]), nib.load(next(patient.glob("*_t1.nii.gz")))
    assert labels.get_data_dtype() == np.uint8
    assert labels.shape == image.shape
    assert np.array_equal(labels.affine, image.affine)
    values = np.asarray(labels.dataobj)
    assert set(np.unique(values)) <= {0, 1, 2, 4}
    voxel_ml = abs(np.linalg.det(image.affine)) / 1000
    assert record["volumes_ml"]["WT"] == pytest.approx(np.count_nonzero(values) * voxel_ml)
    assert record["volumes_ml"]["ET"] == pytest.approx(np.count_nonzero(values == 4) * voxel_ml)


def test_predict_without_json_says_path_and_volumes(shell, patient, tmp_path):
    code, out, _ = shell("predict", patient, "--out", tmp_path)
    assert code == 0
    assert str(tmp_path / f"{NAME}_seg.nii.gz") in out
    assert "WT" in out
    assert " ml" in out


def test_predict_says_what_to_expect_of_each_subset(shell, patient, tmp_path, tiny_checkpoint):
    model = load_model(tiny_checkpoint)
    false = {"median": 0.1, "largest": 2, "share_below_half_ml": 0.8, "heads": 5}
    card = ModelCard.model_validate({**model.card.model_dump(), "expected": {"T2": {"false_ml": false}}})
    told = save_model(tmp_path / "told.safetensors", model.network, card)
    words = ("predict", patient, "--out", tmp_path / "out", "--all-subsets", "--model", told)
    code, out, _ = shell(*words)
    assert code == 0
    lines = out.splitlines()
    assert sum("expect" in line for line in lines) == 1
    (number,) = (number for number, line in enumerate(lines) if "  T2: " in line)
    assert lines[number + 1].strip() == "expect up to 2.0 ml false tumour in a head without one"
    _, out, _ = shell(*words, "--json")
    told = [one for one in json.loads(out)["segmentations"] if "expected" in one]
    assert [one["modalities"] for one in told] == [["T2"]]
    assert told[0]["expected"]["false_ml"]["largest"] == 2


def test_what_was_mended_on_reading_is_said(shell, patient, tmp_path):
    path = patient / f"{NAME}_t1.nii.gz"
    image = nib.load(path)
    values = image.get_fdata(dtype=np.float32)
    values[10, 10, 10] = np.nan
    nib.save(nib.Nifti1Image(values, image.affine), path)
    code, _, err = shell("predict", patient, "--out", tmp_path / "out", "--modalities", "T1")
    assert code == 0
    assert f"note: {NAME}: {path.name}: 1 voxels were NaN or infinite" in err


def test_all_subsets_are_fifteen_files_named_by_their_modalities(shell, patient, tmp_path):
    code, out, _ = shell("predict", patient, "--out", tmp_path, "--all-subsets", "--json")
    assert code == 0
    expected = [f"{NAME}_seg_{subset_name(subset)}.nii.gz" for subset in SUBSETS[:-1]] + [
        f"{NAME}_seg.nii.gz"
    ]
    assert sorted(path.name for path in tmp_path.glob("*.nii.gz")) == sorted(expected)
    listed = {tuple(record["modalities"]) for record in json.loads(out)["segmentations"]}
    assert listed == set(SUBSETS)
    image = nib.load(patient / f"{NAME}_t1.nii.gz")
    for path in tmp_path.glob("*.nii.gz"):
        labels = nib.load(path)
        assert labels.shape == image.shape
        assert np.array_equal(labels.affine, image.affine)
        assert labels.get_data_dtype() == np.uint8
        assert set(np.unique(np.asarray(labels.dataobj))) <= {0, 1, 2, 4}


def test_a_subset_that_is_asked_for_equals_the_one_among_all(shell, patient, tmp_path):
    shell("predict", patient, "--out", tmp_path / "all", "--all-subsets", "--device", "cpu")
    code, _, _ = shell(
        "predict", patient, "--out", tmp_path / "one", "--modalities", "flair,t1ce", "--device", "cpu"
    )
    assert code == 0
    name = f"{NAME}_seg_T1c+FLAIR.nii.gz"
    assert [path.name for path in (tmp_path / "one").glob("*.nii.gz")] == [name]
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()


def test_files_named_one_by_one_are_one_patient(shell, patient, tmp_path):
    pairs = [f"FLAIR={patient}/{NAME}_flair.nii.gz", f"t1ce={patient}/{NAME}_t1ce.nii.gz"]
    code, out, _ = shell("predict", *pairs, "--out", tmp_path, "--json")
    assert code == 0
    assert json.loads(out)["segmentations"][0]["modalities"] == ["T1c", "FLAIR"]


@pytest.fixture
def cohort(patient, tmp_path):
    """Three patients, the second of which is broken."""
    folder = tmp_path / "cohort"
    for number in (1, 2, 3):
        shutil.copytree(patient, folder / f"patient{number}")
    (folder / "patient2" / f"{NAME}_t2.nii.gz").write_bytes(b"")
    return folder


def test_a_cohort_goes_on_after_a_failure_and_lists_it(shell, cohort, tmp_path):
    code, out, err = shell("predict", cohort, "--out", tmp_path / "out", "--json")
    assert code == 2
    document = json.loads(out)
    assert [record["case"] for record in document["segmentations"]] == ["patient1", "patient3"]
    (failure,) = document["failures"]
    assert failure["case"] == "patient2"
    assert "_t2.nii.gz" in failure["message"]
    assert err.strip().splitlines()[-1].startswith("1 of 3 patients")
    names = [path.name for path in (tmp_path / "out").glob("*.nii.gz")]
    assert sorted(names) == ["patient1_seg.nii.gz", "patient3_seg.nii.gz"]


def test_patients_of_one_name_are_refused_before_anything_is_written(shell, patient, tmp_path):
    twin = tmp_path / "elsewhere" / patient.name
    shutil.copytree(patient, twin)
    code, _, err = shell("predict", patient, twin, "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "same name" in err
    assert not (tmp_path / "out").exists()


def empty_folder(folder: Path) -> tuple[list[str], str]:
    (folder / "empty").mkdir()
    return [str(folder / "empty")], "empty"


def missing_folder(folder: Path) -> tuple[list[str], str]:
    return [str(folder / "nowhere")], "nowhere"


def text_as_image(folder: Path) -> tuple[list[str], str]:
    (folder / "a_t1.nii").write_text("this is no image")
    return [f"T1={folder}/a_t1.nii"], "a_t1.nii"


def cut_off_gzip(folder: Path) -> tuple[list[str], str]:
    path = folder / "a_t1.nii.gz"
    nib.save(nib.Nifti1Image(np.random.default_rng(0).normal(size=(9, 9, 9)), np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:700])
    return [f"T1={path}"], "a_t1.nii.gz"


def four_axes(folder: Path) -> tuple[list[str], str]:
    nib.save(nib.Nifti1Image(np.ones((5, 5, 5, 2), np.float32), np.eye(4)), folder / "a_t1.nii.gz")
    return [f"T1={folder}/a_t1.nii.gz"], "a_t1.nii.gz"


def all_zero(folder: Path) -> tuple[list[str], str]:
    nib.save(nib.Nifti1Image(np.zeros((5, 5, 5), np.float32), np.eye(4)), folder / "a_t1.nii.gz")
    return [f"T1={folder}/a_t1.nii.gz"], "a_t1.nii.gz"


def unknown_modality(folder: Path) -> tuple[list[str], str]:
    return [f"PET={folder}/a.nii.gz"], "PET"


def twice_the_same(folder: Path) -> tuple[list[str], str]:
    return ["T1c=a.nii.gz", "t1ce=b.nii.gz"], "b.nii.gz"


def folder_and_pair(folder: Path) -> tuple[list[str], str]:
    return [str(folder), "T1=a.nii.gz"], str(folder)


def bare_file(folder: Path) -> tuple[list[str], str]:
    (folder / "scan.nii.gz").write_bytes(b"")
    return [str(folder / "scan.nii.gz")], "scan.nii.gz"


@pytest.mark.parametrize(
    "make",
    [
        empty_folder,
        missing_folder,
        text_as_image,
        cut_off_gzip,
        four_axes,
        all_zero,
        unknown_modality,
        twice_the_same,
        folder_and_pair,
        bare_file,
    ],
)
@pytest.mark.parametrize("command", ["predict", "check"])
def test_bad_input_ends_in_one_sentence_and_writes_nothing(shell, tmp_path, command, make):
    words, named = make(tmp_path)
    out = tmp_path / "out"
    code, stdout, err = shell(command, *words, *(["--out", out] if command == "predict" else []))
    assert (code, stdout) == (2, "")
    assert is_one_sentence(err), err
    assert named in err
    assert not out.exists()


def test_grids_that_differ_are_refused_until_resampling_is_asked_for(shell, patient, tmp_path):
    path = patient / f"{NAME}_flair.nii.gz"
    image = nib.load(path)
    affine = image.affine.copy()
    affine[:3, 3] += 5
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine, image.header), path)
    code, _, err = shell("predict", patient, "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "--resample" in err
    assert not (tmp_path / "out").exists()
    code, _, _ = shell("predict", patient, "--out", tmp_path / "out", "--resample")
    assert code == 0
    assert (tmp_path / "out" / f"{NAME}_seg.nii.gz").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--modalities", "T1,PET"), "PET"),
        (("--modalities", ""), "at least one"),
        (("--labels", "brats1999"), "brats1999"),
        (("--device", "abacus"), "abacus"),
        (("--model", "no-such.safetensors"), "no-such.safetensors"),
        (("--model", __file__), Path(__file__).name),
    ],
)
def test_wrong_settings_end_in_one_sentence_and_write_nothing(shell, patient, tmp_path, words, named):
    out = tmp_path / "out"
    code, _, err = shell("predict", patient, "--out", out, *words)
    assert code == 2
    assert is_one_sentence(err), err
    assert named in err
    assert not out.exists()


def test_a_modality_that_the_patient_lacks_is_named(shell, patient, tmp_path):
    (patient / f"{NAME}_t2.nii.gz").unlink()
    code, _, err = shell("predict", patient, "--out", tmp_path / "out", "--modalities", "T2")
    assert code == 2
    assert is_one_sentence(err)
    assert "T2" in err
    assert "T1, T1c, FLAIR" in err


def test_an_output_folder_that_is_a_file_is_refused_before_the_run(shell, patient, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_rdl.models.load_model", lambda *_: pytest.fail("the model was loaded"))
    (tmp_path / "taken").write_text("")
    code, _, err = shell("predict", patient, "--out", tmp_path / "taken" / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert str(tmp_path / "taken") in err


# --- predict --from


@pytest.mark.parametrize("words", [(), ("--modalities", "T1c,FLAIR")])
def test_a_recorded_run_is_repeated_to_the_byte(shell, patient, tmp_path, words):
    shell("predict", patient, "--out", tmp_path / "first", "--device", "cpu", *words)
    (record,) = (tmp_path / "first").glob("*.json")
    (labels,) = (tmp_path / "first").glob("*.nii.gz")
    code, out, _ = shell("predict", "--from", record, "--out", tmp_path / "again", "--json")
    assert code == 0
    assert set(json.loads(out)) == {"segmentations", "seconds"}
    assert (tmp_path / "again" / labels.name).read_bytes() == labels.read_bytes()


def test_a_resampled_run_is_repeated_to_the_byte(shell, patient, tmp_path):
    path = patient / f"{NAME}_t2.nii.gz"
    image = nib.load(path)
    nib.save(
        nib.Nifti1Image(np.asarray(image.dataobj)[:, :, ::2], image.affine @ np.diag([1, 1, 2, 1])), path
    )
    words = ("--resample", "--modalities", "T2", "--labels", "brats2023", "--device", "cpu")
    assert shell("predict", patient, "--out", tmp_path / "first", *words)[0] == 0
    (record,) = (tmp_path / "first").glob("*.json")
    (labels,) = (tmp_path / "first").glob("*.nii.gz")
    code, _, err = shell("predict", "--from", record, "--out", tmp_path / "again")
    assert code == 0, err
    assert (tmp_path / "again" / labels.name).read_bytes() == labels.read_bytes()


def test_a_run_is_not_repeated_on_a_changed_image(shell, patient, tmp_path):
    shell("predict", patient, "--out", tmp_path / "first", "--device", "cpu")
    (record,) = (tmp_path / "first").glob("*.json")
    path = patient / f"{NAME}_t2.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) + 1, image.affine, image.header), path)
    code, _, err = shell("predict", "--from", record, "--out", tmp_path / "again")
    assert code == 2
    assert is_one_sentence(err)
    assert path.name in err
    assert not (tmp_path / "again").exists()


def test_a_run_is_not_repeated_with_other_weights(shell, patient, tmp_path, tiny_checkpoint):
    shell("predict", patient, "--out", tmp_path / "first", "--device", "cpu")
    (record,) = (tmp_path / "first").glob("*.json")
    from napari_rdl.models import load_model, save_model

    model = load_model(tiny_checkpoint)
    with_other_card = model.card.model_copy(update={"steps": model.card.steps + 1})
    other = save_model(tmp_path / "other.safetensors", model.network, with_other_card)
    code, _, err = shell("predict", "--from", record, "--out", tmp_path / "again", "--model", other)
    assert code == 2
    assert is_one_sentence(err)
    assert "weights" in err
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"modalities": 3}'])
def test_a_file_that_is_no_record_is_refused(shell, tmp_path, content):
    path = tmp_path / "record.json"
    path.write_text(content)
    code, _, err = shell("predict", "--from", path, "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "record.json" in err


def test_a_repeated_run_takes_no_other_input(shell, patient, tmp_path):
    code, _, err = shell("predict", patient, "--from", tmp_path / "record.json", "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "--from" in err


# --- check, demo, bench, phantom


def test_check_says_what_was_found(shell, patient):
    code, out, _ = shell("check", patient)
    assert code == 0
    for word in (NAME, "T1c", "_flair.nii.gz", "_seg.nii.gz", "26 x 30 x 22", "LPS", "brats2018"):
        assert word in out


def test_check_writes_one_json_object(shell, patient):
    code, out, _ = shell("check", patient, "--json")
    assert code == 0
    document = json.loads(out)
    assert list(document["modalities"]) == ["T1", "T1c", "T2", "FLAIR"]
    assert document["native"]["shape"] == [26, 30, 22]
    assert document["native"]["orientation"] == "LPS"


def test_check_of_a_cohort_lists_who_cannot_be_used(shell, cohort):
    code, out, err = shell("check", cohort, "--json")
    assert code == 2
    document = json.loads(out)
    assert [case["case"] for case in document["cases"]] == ["patient1", "patient3"]
    assert [failure["case"] for failure in document["failures"]] == ["patient2"]
    assert err.strip().splitlines()[-1].startswith("1 of 3 patients")


@pytest.fixture
def small_sample(monkeypatch, patient):
    """A small patient in the sample patient's place: making the real one takes half a minute."""
    monkeypatch.setattr("napari_rdl.phantom.sample_patient_folder", lambda *_args, **_kwargs: patient)


@pytest.mark.usefixtures("small_sample")
def test_the_demo_without_a_display_writes_labels_volumes_and_a_picture(shell, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.chdir(tmp_path)
    code, out, err = shell("demo")
    assert code == 0
    assert "DISPLAY" in err
    assert "napari-rdl-demo" in err
    written = [Path(line) for line in out.splitlines()]
    assert all(path.exists() for path in written)
    assert len([path for path in written if path.name.endswith(".nii.gz")]) == 5
    (picture,) = [path for path in written if path.suffix == ".png"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    (volumes,) = [path for path in written if path.suffix == ".json"]
    records = json.loads(volumes.read_text())["segmentations"]
    assert [len(record["modalities"]) for record in records] == [4, 3, 3, 3, 3]
    assert all(set(record["volumes_ml"]) == {"WT", "TC", "ET"} for record in records)


@pytest.mark.usefixtures("small_sample")
def test_the_demo_goes_where_it_is_told(shell, tmp_path):
    code, _, err = shell("demo", "--headless", "--out", tmp_path / "there")
    assert code == 0
    assert "--headless" in err
    assert (tmp_path / "there" / f"{NAME}_seg.nii.gz").exists()


@pytest.mark.usefixtures("small_sample")
def test_bench_without_a_window_reports_ratios(shell):
    code, out, _ = shell("bench", "--size", "brats", "--repeats", "1", "--no-viewer", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["shape"] == [26, 30, 22]
    assert [row["modalities"] for row in report["encode"]] == [1, 2, 3, 4]
    assert report["encode"][-1]["ratio"] == 1
    assert report["all_subsets"]["subsets"] == 15
    assert report["all_subsets"]["ratio"] > 0
    assert 0 < report["study"]["ratio"] == report["study"]["seconds"] / report["encode"][-1]["seconds"]
    assert report["study"]["reference"] == "mask"
    assert report["flip"]["slice_seconds"] < report["flip"]["volume_seconds"] * 10
    assert report["viewer"] is None


def test_phantoms_are_written_as_brats_folders_and_are_the_same_again(shell, tmp_path):
    words = ("--count", "2", "--seed", "7", "--spacing", "4")
    for folder in ("first", "again"):
        code, out, _ = shell("phantom", *words, "--out", tmp_path / folder)
        assert code == 0
        assert len(out.split()) == 2
    first = sorted(path for path in (tmp_path / "first").rglob("*.nii.gz"))
    assert len(first) == 10
    for path in first:
        again = tmp_path / "again" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == again.read_bytes()
    code, _, _ = shell("check", tmp_path / "first")
    assert code == 0


def test_each_type_in_turn_is_drawn_on_one_sheet(shell, tmp_path, monkeypatch):
    from napari_rdl import phantom

    made, one = [], phantom.make_phantom(7, spacing=4.0, tumour="none")
    monkeypatch.setattr(phantom, "make_phantom", lambda seed, **more: made.append(more["tumour"]) or one)
    monkeypatch.setattr(phantom, "write_phantom", lambda patient, out: out)
    words = ("--count", "11", "--tumour", "each", "--sheet", tmp_path / "sheet.png")
    code, _, _ = shell("phantom", *words, "--out", tmp_path / "out")
    assert code == 0
    assert made == [*phantom.TUMOUR_TYPES, phantom.TUMOUR_TYPES[0]]
    assert (tmp_path / "sheet.png").stat().st_size > 0


def test_a_display_that_cannot_be_reached_is_said_and_not_waited_for(monkeypatch):
    from napari_rdl.cli.display import reason_for_no_window

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setenv("DISPLAY", ":98765")
    reason = reason_for_no_window()
    assert reason is not None
    assert ":98765" in reason


# --- real patients


def test_a_real_patient_has_fifteen_results_on_its_native_grid(shell, real_data, tmp_path):
    patient = real_data / "BraTS2021_00006"
    code, out, _ = shell("predict", patient, "--out", tmp_path, "--all-subsets", "--device", "cpu", "--json")
    assert code == 0
    records = json.loads(out)["segmentations"]
    assert len(records) == 15
    image = nib.load(patient / "BraTS2021_00006_t1.nii.gz")
    for record in records:
        labels = nib.load(record["path"])
        assert labels.shape == image.shape
        assert np.array_equal(labels.affine, image.affine)
        assert labels.get_data_dtype() == np.uint8
        assert set(np.unique(np.asarray(labels.dataobj))) <= {0, 1, 2, 4}


def test_a_real_patient_on_several_grids_is_refused_in_one_sentence(shell, real_data, tmp_path):
    code, _, err = shell("predict", real_data / "native-mismatched-grids", "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "--resample" in err
    assert not (tmp_path / "out").exists()


# --- names, records and links that mean ill


@pytest.mark.parametrize("case", ["../escaped", "/tmp/escaped", "a/b", "..", "x\x1b]0;hi\x07"])
def test_a_records_case_is_a_name_and_no_path(shell, patient, tmp_path, case):
    code, _, _ = shell("predict", patient, "--out", tmp_path / "out", "--modalities", "T1", "--device", "cpu")
    assert code == 0
    record = next((tmp_path / "out").glob("*.json"))
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"case": case}))
    before = sorted(tmp_path.rglob("*"))
    code, _, err = shell("predict", "--from", record, "--out", tmp_path / "again")
    assert code == 2
    assert is_one_sentence(err)
    assert "is no name of a patient" in err
    assert "\x1b" not in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices")
def test_a_record_that_has_no_end(shell, tmp_path):
    code, _, err = shell("predict", "--from", "/dev/zero", "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "no plain file" in err


def test_an_empty_name_is_no_patient(shell, tmp_path):
    for command in (("check", ""), ("predict", "", "--out", tmp_path / "out")):
        code, _, err = shell(*command)
        assert code == 2
        assert is_one_sentence(err)
        assert "is empty" in err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
@pytest.mark.parametrize("name", [b"P\xff\xfe", b"P\x1b[31mred", b"P" * 250, "P①²".encode()])
def test_odd_names_are_segmented_and_command_no_terminal(shell, brats_folder, tmp_path, name):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    shutil.copytree(brats_folder, folder)
    out = tmp_path / "out"
    code, said, err = shell("predict", folder, "--out", out, "--modalities", "T1", "--device", "cpu")
    assert code == 0, err
    labels, record = sorted(out.iterdir(), key=lambda path: path.suffix)
    assert labels.name.endswith("_seg_T1.nii.gz")
    assert json.loads(record.read_text())["output"] == labels.name
    assert "\x1b" not in said + err
    code, said, err = shell("check", folder, "--json")
    assert code == 0, err
    assert json.loads(said)["case"]
    said.encode()
