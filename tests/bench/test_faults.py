"""The bench of faults: damage ends in a sentence or costs nothing; the documentation's table is true."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from napari_rdl.bench.faults import DOORS, FaultCase, FaultReport, measure_faults
from napari_rdl.bench.faults.door import Door
from napari_rdl.cli import main
from napari_rdl.errors import CaseError

DOCS = Path(__file__).parents[2] / "docs"
CASES = int(os.environ.get("NAPARI_RDL_FAULTS", "12"))
"""Of each door; a night is for hundreds."""
SEED = int(os.environ.get("NAPARI_RDL_FAULTS_SEED", "0"))


@pytest.fixture(scope="module")
def table():
    with (DOCS / "faults.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.timeout(60 + 30 * CASES)
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_every_door_answers_in_a_sentence_or_reads_what_is_right(door, table):
    report = measure_faults(CASES, SEED, doors=[door])
    assert report.broken == ()
    assert {case.outcome for case in report.cases} <= {"read", "refused"}
    if SEED == 0:
        listed = [row for row in table if row["door"] == door.name][:CASES]
        found = [(str(case.number), case.damage, case.outcome) for case in report.cases][: len(listed)]
        assert found == [(row["case"], row["damage"], row["outcome"]) for row in listed]


def test_the_table_of_the_documentation_is_that_of_the_cases(table):
    assert len(table) >= 500
    assert {row["outcome"] for row in table} == {"read", "refused"}
    assert list(dict.fromkeys(row["door"] for row in table)) == [door.name for door in DOORS]
    cases = [FaultCase(number=int(row.pop("case")), seconds=0, **row) for row in (dict(row) for row in table)]
    report = FaultReport(seed=0, cases=tuple(cases))
    assert report.as_markdown() in (DOCS / "reliability.md").read_text("utf-8")
    assert report.as_csv() == (DOCS / "faults.csv").read_text("utf-8")


class _Bad(Door):
    name = "bad"

    def damage(self, rng):
        return "nothing"

    def open(self):
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("x"), "KeyError"),
        (CaseError(""), "no plain sentence"),
        (RecursionError(), "RecursionError"),
    ],
)
def test_a_door_that_answers_otherwise_is_found(error, said):
    class Bad(_Bad):
        pass

    Bad.error = error
    (case,) = measure_faults(1, doors=[Bad]).cases
    assert case.outcome == "broken"
    assert said in case.said


def test_a_door_that_writes_or_reads_wrongly_is_found():
    class Writes(_Bad):
        def open(self):
            (self.folder / "left").touch()
            return ""

    class Wrong(_Bad):
        def open(self):
            return "other voxels"

    first, second = measure_faults(1, doors=[Writes, Wrong]).cases
    assert (first.outcome, first.said) == ("broken", "opening it changed files")
    assert (second.outcome, second.said) == ("broken", "other voxels")


def test_the_command_says_what_broke_and_writes_each_case(monkeypatch, tmp_path, capsys):
    from napari_rdl.bench import faults

    class Bad(_Bad):
        error = KeyError("x")

    monkeypatch.setattr(faults, "measure_faults", lambda *args, **more: measure_faults(2, doors=[Bad]))
    assert main(["bench", "faults", "--csv", str(tmp_path / "faults.csv")]) == 2
    shown = capsys.readouterr()
    assert "| bad | 2 | 0 | 0 | 2 |" in shown.out
    assert "2 of 2 cases ended otherwise" in shown.err
    assert len((tmp_path / "faults.csv").read_text().splitlines()) == 3
