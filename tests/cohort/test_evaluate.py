"""The evaluation of a model on every subset of every patient, and its report."""

import csv
import json
import os
import subprocess

import numpy as np
import pytest

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.case import load_case
from napari_rdl.cohort import evaluate as evaluation
from napari_rdl.cohort.evaluate import EvaluationSettings, evaluate
from napari_rdl.cohort.patients import folder_patients
from napari_rdl.cohort.report import evaluation_markdown, evaluation_tables
from napari_rdl.cohort.tables import FURTHER, WORST_MM
from napari_rdl.errors import Cancelled, ConfigError
from napari_rdl.metrics import region_scores
from napari_rdl.segment import SegmentSettings, encode

PAPER = ["Fl", "T2", "T1c", "T1", "T2+Fl", "T1c+Fl", "T1c+T2", "T1+Fl", "T1+T2", "T1+T1c"]
PAPER += ["~T1", "~T1c", "~T2", "~Fl", "Full", "Avg."]
SEGMENT = SegmentSettings(device="cpu", precision="float32", tile=32, overlap=0)
QUICK = EvaluationSettings(segment=SEGMENT, distances=False)


@pytest.fixture(autouse=True)
def _drawn_once(request):
    """Draw the table for the one test that looks at it."""
    if request.node.name != "test_report_has_the_papers_columns":
        request.getfixturevalue("uncharted")


@pytest.fixture
def count_encodings(monkeypatch):
    calls = []
    monkeypatch.setattr(
        evaluation,
        "encode",
        lambda case, *rest, **more: calls.append(case.name) or encode(case, *rest, **more),
    )
    return calls


@pytest.fixture
def two_patients(patients_folder, tmp_path):
    """One with all modalities, one without T2."""
    root = tmp_path / "data"
    root.mkdir()
    for patient in folder_patients(patients_folder)[2:]:
        (root / patient.name).symlink_to(patient.folder)
    return root


def test_scores_are_those_of_the_segmentation(two_patients, tiny_model, tmp_path, count_encodings):
    settings = EvaluationSettings(segment=SEGMENT)
    result = evaluate(str(two_patients), tiny_model, tmp_path / "out", settings=settings)
    assert count_encodings == list(result.scores)  # each patient once, for all its subsets
    first, last = folder_patients(two_patients)
    assert list(result.scores) == [first.name, last.name]
    assert set(result.scores[first.name]) == {subset_name(subset) for subset in SUBSETS}
    assert set(result.scores[last.name]) == {subset_name(subset) for subset in SUBSETS if "T2" not in subset}
    case = load_case(first.folder)
    representations = encode(case, tiny_model, settings=SEGMENT)
    for subset in (("T1c",), ("T1", "FLAIR")):
        expected = region_scores(representations.labels(subset), case.truth(), case.grid.spacing)
        assert result.scores[first.name][subset_name(subset)] == expected


def test_further_scores_are_measured_when_asked_for(two_patients, tiny_model, tmp_path):
    from napari_rdl.cohort.calibration import expected_calibration_error
    from napari_rdl.compare.lesions import lesion_scores

    settings = QUICK.model_copy(update={"scores": ("surface", "lesions", "calibration")})
    result = evaluate(str(two_patients), tiny_model, tmp_path / "out", settings=settings)
    case = load_case(folder_patients(two_patients)[0].folder)
    representations = encode(case, tiny_model, settings=SEGMENT)
    row = result.scores[case.name]["T1c"]
    found, true = representations.labels(["T1c"]) > 0, case.truth() > 0
    assert row["WT"]["lesion_dice"] == lesion_scores(found, true, case.grid.spacing).dice
    said = representations.probabilities(["T1c"])
    tumour = said[1:].sum(0)[said[0] < 0.99]
    error = expected_calibration_error(np.stack([1 - tumour, tumour], 1), true[said[0] < 0.99].astype(int))
    assert row["ET"].keys() >= {"hd95_pooled", "surface_dice", "lesion_hd95"}
    assert row["WT"]["calibration_error"] == pytest.approx(error, abs=1e-6)
    tables = {table.measure: table for table in evaluation_tables(result)}
    assert list(tables)[1:] == list(FURTHER[:5])
    both = [rows["T1c"]["WT"]["lesion_dice"] for rows in result.scores.values()]
    assert tables["lesion_dice"].values["WT"][2] == pytest.approx(100 * np.mean(both))
    assert "## Lesion-wise Dice (%)" in (tmp_path / "out" / "report.md").read_text()


def test_a_mean_distance_stands_with_its_count_and_its_worst_case(tmp_path):
    one = {"dice": 0.5, "hd95": 10.0}, {"dice": 0.0, "hd95": None}, {"dice": 1.0, "hd95": None}
    scores = {
        f"p{number}": {"T1": {region: dict(row) for region in ("WT", "TC", "ET")}}
        for number, row in enumerate(one)
    }
    result = evaluation.Evaluation(scores, {}, ("T1",), EvaluationSettings(), {"patients": 3})
    tables = evaluation_tables(result)
    assert [table.measure for table in tables] == ["dice", "hd95", "hd95_worst"]
    assert tables[2].values["WT"] == [pytest.approx((10 + WORST_MM) / 3)] * 2
    assert "| WT | 10.0 (1) | 10.0 (1) |" in evaluation_markdown(result, tables)


def test_report_has_the_papers_columns(two_patients, tiny_model, tmp_path):
    out = tmp_path / "out"
    result = evaluate(str(two_patients), tiny_model, out, settings=QUICK)
    report = (out / "report.md").read_text()
    assert "| | " + " | ".join(PAPER) + " |" in report
    for words in (
        "Hard Dice",
        "Post-processing: none",
        "Empty masks: Dice is 1 where both",
        str(two_patients),
    ):
        assert words in report
    rows = list(csv.reader(line for line in (out / "table.csv").open() if not line.startswith("#")))
    assert rows[0] == ["measure", "region", *PAPER]
    assert [row[1] for row in rows[1:]] == ["WT", "TC", "ET"]
    content = json.loads((out / "results.json").read_text())
    assert content["patients"] == result.scores
    whole = [scores["FLAIR"]["WT"]["dice"] for scores in result.scores.values()]
    assert content["tables"][0]["values"]["WT"][0] == pytest.approx(100 * np.mean(whole))
    assert float(rows[1][2]) == pytest.approx(100 * np.mean(whole), abs=1e-3)
    assert content["tables"][0]["counts"]["WT"] == [2 - ("T2" in subset) for subset in SUBSETS]
    assert (out / "heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(csv.reader((out / "patients.csv").open()))) == 1 + 3 * (15 + 7)


def test_interrupted_evaluation_goes_on(two_patients, tiny_model, tmp_path, count_encodings):
    out = tmp_path / "out"
    with pytest.raises(Cancelled):
        evaluate(
            str(two_patients),
            tiny_model,
            out,
            settings=QUICK,
            cancelled=lambda: len(list(out.glob("patients/*.json"))) == 1,
        )
    assert len(list((out / "patients").iterdir())) == 1
    assert not (out / "report.md").exists()
    evaluate(str(two_patients), tiny_model, out, settings=QUICK)
    assert len(count_encodings) == 2
    evaluate(str(two_patients), tiny_model, out, settings=QUICK)
    assert len(count_encodings) == 2


def test_other_settings_are_measured_anew(two_patients, tiny_model, tmp_path, count_encodings):
    evaluate(str(two_patients), tiny_model, tmp_path, settings=QUICK)
    evaluate(str(two_patients), tiny_model, tmp_path, settings=QUICK.model_copy(update={"smallest_et": 9}))
    assert len(count_encodings) == 4


def test_other_files_of_the_same_name_are_measured_anew(two_patients, tiny_model, tmp_path, count_encodings):
    import shutil

    evaluate(str(two_patients), tiny_model, tmp_path / "out", settings=QUICK)
    first, last = folder_patients(two_patients)
    other = tmp_path / "other"
    shutil.copytree(last.folder, other / last.name)
    # One image in another's place: the same names, other voxels.
    images = {end: next((other / last.name).glob(f"*_{end}.nii.gz")) for end in ("t1", "flair")}
    images["t1"].write_bytes(images["flair"].read_bytes())
    (other / first.name).symlink_to(first.folder.resolve())
    evaluate(str(other), tiny_model, tmp_path / "out", settings=QUICK)
    assert count_encodings == [first.name, last.name, last.name]


def test_chosen_modalities_and_their_subsets(two_patients, tiny_model, tmp_path):
    settings = QUICK.model_copy(update={"modalities": ("T1c", "FLAIR")})
    evaluate(str(two_patients), tiny_model, tmp_path, settings=settings)
    assert "| | Fl | T1c | T1c+Fl | Avg. |" in (tmp_path / "report.md").read_text()


def test_small_enhancing_tumour_is_taken_away(two_patients, tiny_model, tmp_path):
    settings = QUICK.model_copy(update={"smallest_et": 10**6})
    result = evaluate(str(two_patients), tiny_model, tmp_path, settings=settings)
    assert {row["ET"]["dice"] for scores in result.scores.values() for row in scores.values()} == {0.0}
    assert "ET under 1000000 voxels taken away" in (tmp_path / "report.md").read_text()


def test_undefined_distances_are_counted_not_averaged(two_patients, tiny_model, tmp_path):
    settings = EvaluationSettings(segment=SEGMENT, smallest_et=10**6)
    result = evaluate(str(two_patients), tiny_model, tmp_path, settings=settings)
    _, table, worst = evaluation_tables(result)
    assert table.values["ET"] == [None] * 16
    assert all(0 <= value < WORST_MM + 1e-6 for value in worst.values["ET"])
    assert table.undefined >= 22
    assert f"{table.undefined} values are undefined" in (tmp_path / "report.md").read_text()


def test_failed_patients_are_listed_and_the_others_go_on(two_patients, tiny_model, tmp_path):
    import shutil

    source = folder_patients(two_patients)[0].folder
    shutil.copytree(source, two_patients / "no_mask", ignore=shutil.ignore_patterns("*_seg*"))
    result = evaluate(str(two_patients), tiny_model, tmp_path / "out", settings=QUICK)
    assert len(result.scores) == 2
    assert "has no mask" in result.failed["no_mask"]
    assert "No scores for no_mask" in (tmp_path / "out" / "report.md").read_text()


def test_synthetic_patients_are_measured_at_full_size(tiny_model, tmp_path, monkeypatch):
    from napari_rdl import phantom

    made = []

    def quick(seed, **settings):
        made.append((seed, settings))
        return phantom_of(seed, spacing=4.0)

    phantom_of = phantom.make_phantom
    monkeypatch.setattr(phantom, "make_phantom", quick)
    one = QUICK.model_copy(update={"modalities": ("T1c",)})
    result = evaluate("phantom:1:held-out", tiny_model, tmp_path, settings=one)
    assert len(result.scores) == 1
    ((seed, settings),) = made
    assert seed >= 10_000_000
    assert settings == {"settings": phantom.held_out_settings()}


@pytest.mark.parametrize(
    ("data", "settings", "words"),
    [
        ("/nowhere", QUICK, "no folder /nowhere"),
        ("phantom:1", QUICK.model_copy(update={"modalities": ("DWI",)}), "DWI"),
    ],
)
def test_bad_input(tiny_model, tmp_path, data, settings, words):
    with pytest.raises(ConfigError, match=words):
        evaluate(data, tiny_model, tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()


def test_split_file_without_test_patients(patients_folder, tiny_model, tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"root": str(patients_folder), "train": ["BraTS2021_91000"]}))
    with pytest.raises(ConfigError, match="names no test patients"):
        evaluate(str(path), tiny_model, tmp_path / "out", settings=QUICK)


def test_two_processes_share_the_patients(two_patients, tiny_checkpoint, warm_python, tmp_path):
    program = (
        "import sys; from napari_rdl.models import load_model;"
        "from napari_rdl.segment import SegmentSettings;"
        "from napari_rdl.cohort.evaluate import EvaluationSettings, evaluate;"
        "done = evaluate(sys.argv[1], load_model(sys.argv[2]), sys.argv[3], settings=EvaluationSettings("
        "distances=False, segment=SegmentSettings(device='cpu', precision='float32', tile=32, overlap=0)));"
        "print('wrote' if done else 'shared')"
    )
    port = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(29000 + os.getpid() % 2000)}
    out = tmp_path / "out"
    processes = [
        subprocess.Popen(
            [warm_python, "-c", program, str(two_patients), str(tiny_checkpoint), str(out)],
            env={**os.environ, **port, "RANK": str(rank), "WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=250)[0].strip() for process in processes]
    assert said == ["wrote", "shared"]
    from napari_rdl.models import load_model

    alone = evaluate(str(two_patients), load_model(tiny_checkpoint), tmp_path / "alone", settings=QUICK)
    assert json.loads((out / "results.json").read_text())["patients"] == alone.scores
