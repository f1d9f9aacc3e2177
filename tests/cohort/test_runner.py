"""The per-patient runner: what is kept, what is done anew, and what ends it."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from napari_rdl.cohort.patients import Patient, phantoms
from napari_rdl.cohort.runner import run_patients
from napari_rdl.errors import Cancelled, CaseError, OutputError
from napari_rdl.files import plain_name

THREE = phantoms(3, 0)


class Count(BaseModel):
    key: str
    letters: int


class Counting:
    """Counts the letters of names; further work is a file beside."""

    doing = "Counting"
    kind = Count

    def __init__(self, key: str = "a", wrong: dict[str, BaseException] | None = None) -> None:
        self.key, self.wrong, self.done = key, wrong or {}, []

    def stamp(self, patient):
        return {"key": self.key}

    def make(self, patient, stamp, stem, cancelled):
        if error := self.wrong.get(patient.name):
            raise error
        self.done.append(patient.name)
        stem.parent.mkdir(parents=True, exist_ok=True)
        stem.with_name(stem.name + ".txt").write_text(patient.name)
        return Count(key=stamp["key"], letters=len(patient.name))

    def is_whole(self, stem):
        return stem.with_name(stem.name + ".txt").is_file()


def test_what_is_done_is_kept_and_what_no_longer_holds_is_done_anew(tmp_path):
    work = Counting()
    outcome = run_patients(THREE, work, tmp_path)
    assert list(outcome.records) == work.done == [patient.name for patient in THREE]
    run_patients(THREE, work, tmp_path)
    assert len(work.done) == 3
    (tmp_path / "patients" / f"{THREE[1].name}.txt").unlink()
    run_patients(THREE, work, tmp_path)
    assert work.done[3:] == [THREE[1].name]
    other = Counting("b")
    run_patients(THREE, other, tmp_path)
    assert len(other.done) == 3


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"{", b"[]", b'{"key": 1}', b"9" * 5000, b"[" * 100_000]
)
def test_a_damaged_record_is_made_again(tmp_path, content):
    work = Counting()
    run_patients(THREE[:1], work, tmp_path)
    (tmp_path / "patients" / f"{THREE[0].name}.json").write_bytes(content)
    assert run_patients(THREE[:1], work, tmp_path).records[THREE[0].name].letters
    assert len(work.done) == 2


def test_failures_are_named_and_tried_again(tmp_path):
    wrong = {THREE[0].name: CaseError("It is broken."), THREE[1].name: ZeroDivisionError("odd")}
    outcome = run_patients(THREE, Counting(wrong=wrong), tmp_path)
    assert outcome.failed == {THREE[0].name: "It is broken.", THREE[1].name: "ZeroDivisionError: odd"}
    assert list(outcome.records) == [THREE[2].name]
    mended = Counting()
    assert run_patients(THREE, mended, tmp_path).failed == {}
    assert mended.done == [THREE[0].name, THREE[1].name]


@pytest.mark.parametrize("error", [Cancelled(), OutputError("The disk is full.")])
def test_a_wish_to_stop_and_a_full_disk_are_no_patients_fault(tmp_path, error):
    with pytest.raises(type(error)):
        run_patients(THREE, Counting(wrong={THREE[1].name: error}), tmp_path)
    records = sorted(path.name for path in (tmp_path / "patients").glob("*.json"))
    assert records == [f"{THREE[0].name}.json"]


def test_several_processes_take_every_nth_patient(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    second, first = Counting(), Counting()
    monkeypatch.setenv("RANK", "1")
    assert run_patients(THREE, second, tmp_path) is None
    monkeypatch.setenv("RANK", "0")
    assert len(run_patients(THREE, first, tmp_path).records) == 3
    assert (first.done, second.done) == ([THREE[0].name, THREE[2].name], [THREE[1].name])


def test_a_process_that_ended_early_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    outcome = run_patients(THREE, Counting(), tmp_path)
    assert outcome.failed == {THREE[1].name: "The process that had it ended early; run it again."}


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..\\x", ".."])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    assert not set(plain_name(name)) & set("/\\\0")
    out = tmp_path / "out"
    run_patients([Patient(name, seed=0)], Counting(), out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in out.iterdir()] == ["patients"]
    (record,) = out.glob("patients/*.json")
    assert json.loads(record.read_text())["letters"] == len(name)
