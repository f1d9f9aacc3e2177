"""``napari-rdl check``: what was found, and who cannot be used."""

from __future__ import annotations

import json

from tests.cli.conftest import NAME


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
