"""``napari-rdl evaluate``: the paper's table."""

from __future__ import annotations

import json


def test_evaluate_prints_the_papers_table(shell, patients_folder, tiny_checkpoint, tmp_path):
    words = ("evaluate", patients_folder, "--model", tiny_checkpoint, "--out", tmp_path, "--no-hd95")
    code, out, _ = shell(*words, "--modalities", "t1ce,flair", "--device", "cpu")
    assert code == 0
    assert "| | Fl | T1c | T1c+Fl | Avg. |" in out
    code, out, _ = shell(*words, "--modalities", "T1c", "--device", "cpu", "--json")
    assert code == 0
    assert json.loads(out)["tables"][0]["columns"] == ["T1c", "Avg."]


def test_a_list_that_no_split_file_has_is_refused_by_the_names_of_those_it_has(
    shell, patients_folder, tmp_path
):
    code, _, err = shell("evaluate", patients_folder, "--out", tmp_path / "out", "--part", "trian")
    assert code == 2
    assert "'train', 'validation' or 'test' (given: 'trian')" in err
    assert not (tmp_path / "out").exists()
