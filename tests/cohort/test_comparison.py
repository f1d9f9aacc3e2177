"""Several models side by side: intervals, tests, ranks, and what is refused."""

import json

import numpy as np
import pytest

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.cli import main
from napari_rdl.cohort.comparison import WORST_MM, compare, refuse_unlike_models
from napari_rdl.cohort.comparison_page import write_comparison
from napari_rdl.cohort.evaluate import Evaluation, EvaluationSettings
from napari_rdl.cohort.intervals import mean_interval, mean_of_columns
from napari_rdl.cohort.tables import pool, scores_of_mapping
from napari_rdl.errors import CheckpointError, ConfigError

MODALITIES = ("T1", "T1c", "T2", "FLAIR")


def evaluation(shift, seed=0, patients=12, distances=True):
    """Dice of made patients; the first patient's tumour is missed altogether."""
    rng = np.random.default_rng(seed)
    scores = {}
    for number in range(patients):
        rows = {}
        for subset in SUBSETS:
            value = 0.0 if not number else float(np.clip(rng.uniform(0.5, 0.8) + shift, 0, 1))
            one = {"dice": value, "hd95": None if not number else 10 - 5 * value}
            rows[subset_name(subset)] = {region: dict(one) for region in ("WT", "TC", "ET")}
        scores[f"p{number}"] = rows
    return Evaluation(scores, {}, MODALITIES, EvaluationSettings(distances=distances), {})


def test_what_is_better_is_told_and_what_is_not_is_not(tmp_path):
    found = compare({"ours": evaluation(0.0), "better": evaluation(0.1), "same": evaluation(0.0)})
    assert found.columns[0] == "Fl"
    assert (found.columns[-1], len(found.columns), found.patients) == ("Avg.", 16, 12)
    better = [one for one in found.differences if one.model == "better"]
    assert len(better) == 48
    assert all(one.told and one.difference.mean == pytest.approx(100 * 0.1 * 11 / 12) for one in better)
    assert not any(one.told for one in found.differences if one.model == "same")
    assert found.ranks["better"] < found.ranks["ours"] == found.ranks["same"]
    text = write_comparison(found, {"data": "x"}, tmp_path)
    assert "- better is better than ours in WT, Fl: +9.2" in text
    assert "- same and ours: no column differs" in text
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["differences"][0]["told"] is True


def test_distances_stand_with_their_count_and_the_worst():
    found = compare({"ours": evaluation(0.0), "other": evaluation(0.1)})
    mean, count, worst = found.hd95["WT"]["ours"][0]
    assert count == 11
    assert worst == pytest.approx((11 * mean + WORST_MM) / 12)
    assert found.hd95["WT"]["ours"][-1][1] == 11 * 15
    assert (
        compare({"ours": evaluation(0.0, distances=False), "b": evaluation(0.1, distances=False)}).hd95 == {}
    )


def test_averages_are_those_of_a_models_own_table():
    """Also where patients lack a subset, or a distance: both files lie in one folder and must agree."""
    patchy = evaluation(0.0)
    for name in ("p1", "p2", "p3"):
        for subset in [subset for subset in patchy.scores[name] if "T1c" in subset]:
            del patchy.scores[name][subset]
    for name in ("p4", "p5"):
        patchy.scores[name]["T1"]["WT"]["hd95"] = None
    found = compare({"ours": patchy, "other": patchy})
    scores = scores_of_mapping(patchy.scores)
    own = {measure: pool(scores, MODALITIES, measure) for measure in ("dice", "hd95", "hd95_worst")}
    for region in ("WT", "TC", "ET"):
        dice = [one.mean for one in found.dice[region]["ours"]]
        assert dice == pytest.approx(own["dice"].values[region])
        means, counts, worst = zip(*found.hd95[region]["ours"], strict=True)
        assert means == pytest.approx(own["hd95"].values[region])
        assert worst == pytest.approx(own["hd95_worst"].values[region])
        assert list(counts[:-1]) == own["hd95"].counts[region]


def test_what_else_was_measured_has_intervals_too(tmp_path):
    both = {"ours": evaluation(0.0), "other": evaluation(0.1)}
    for one in both.values():
        for rows in one.scores.values():
            for row in rows.values():
                for region in row.values():
                    region["lesion_dice"] = region["dice"]
    found = compare(both)
    assert found.further == {"lesion_dice": found.dice}
    assert "## Lesion-wise Dice (%), WT" in write_comparison(found, {}, tmp_path)


def test_intervals_of_a_table_are_scipys():
    found = compare({"ours": evaluation(0.0), "other": evaluation(0.0, seed=1)})
    one = found.dice["TC"]["ours"][3]
    values = [100 * rows["T1"]["TC"]["dice"] for rows in evaluation(0.0).scores.values()]
    theirs = mean_interval(values)
    assert (one.mean, one.count) == (pytest.approx(theirs.mean), 12)
    assert one.low == pytest.approx(theirs.low, abs=1)
    assert one.high == pytest.approx(theirs.high, abs=1)


def test_an_average_over_columns_has_the_interval_of_the_patients_means():
    """Where nobody lacks anything, the two orders of averaging are one."""
    values = np.random.default_rng(3).uniform(size=(9, 15))
    average, plain = mean_of_columns(values), mean_interval(values.mean(1))
    assert (average.mean, average.count) == (pytest.approx(plain.mean), 9)
    assert average.low == pytest.approx(plain.low, abs=0.01)
    assert average.high == pytest.approx(plain.high, abs=0.01)
    assert mean_of_columns(values[:1]).low is None
    assert mean_of_columns(np.full((2, 3), np.nan)) is None


def test_models_that_mean_other_things_are_refused(tiny_model):
    from dataclasses import replace

    network = tiny_model.card.network.model_copy(update={"classes": ("background", "tumour")})
    other = replace(tiny_model, card=tiny_model.card.model_copy(update={"network": network, "name": "x"}))
    with pytest.raises(CheckpointError, match="differ in their classes"):
        refuse_unlike_models([tiny_model, other])
    network = tiny_model.card.network.model_copy(update={"modalities": ("T1", "T2")})
    other = replace(tiny_model, card=tiny_model.card.model_copy(update={"network": network, "name": "x"}))
    with pytest.raises(CheckpointError, match="differ in their modalities"):
        refuse_unlike_models([tiny_model, other])
    with pytest.raises(ConfigError, match="Two models are called"):
        refuse_unlike_models([tiny_model, tiny_model])
    with pytest.raises(ConfigError, match="No patient is scored by all"):
        compare({"a": evaluation(0), "b": Evaluation({}, {}, MODALITIES, EvaluationSettings(), {})})


def test_evaluate_and_study_take_several_models(brats_folder, tiny_checkpoint, tmp_path, capsys, uncharted):
    from ..joint import registered, save_tiny_joint

    out = tmp_path / "out"
    with registered():
        other = save_tiny_joint(tmp_path)
        words = ["evaluate", brats_folder.parent, "--model", tiny_checkpoint, "--model", other]
        words += ["--out", out, "--device", "cpu", "--no-hd95"]
        assert main([str(word) for word in words]) == 0
    text = capsys.readouterr().out
    assert "## Dice (%), WT" in text
    assert "| joint |" in text
    evaluated = json.loads((out / "comparison.json").read_text())
    assert (out / "joint" / "report.md").is_file()
    with registered():
        words[0], words[words.index(out)] = "study", tmp_path / "studies"
        assert main([str(word) for word in words]) == 0
    assert "| joint |" in capsys.readouterr().out
    studied = json.loads((tmp_path / "studies" / "comparison.json").read_text())
    # One table, however the scores were made.
    assert {**studied, "about": None} == {**evaluated, "about": None}
    assert (tmp_path / "studies" / "joint" / "report.html").is_file()
