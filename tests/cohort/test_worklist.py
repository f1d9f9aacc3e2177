"""A worklist: states, order, two people, and what it is to those who train."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from napari_rdl.cli import main
from napari_rdl.cohort.patients import patients_of
from napari_rdl.cohort.worklist import Worklist
from napari_rdl.cohort.worklist_file import State, is_worklist, new_worklist
from napari_rdl.errors import ConfigError, OutputError

NAMES = [f"BraTS2021_9100{number}" for number in range(4)]


@pytest.fixture
def path(patients_folder, tmp_path):
    new_worklist([patients_folder], tmp_path / "lists" / "list.json")
    return tmp_path / "lists" / "list.json"


@pytest.fixture
def worklist(path):
    with Worklist(path, "Anna") as opened:
        yield opened


def test_it_has_every_patient_below_a_folder(worklist, patients_folder):
    assert [entry.name for entry in worklist.entries] == NAMES
    assert {entry.state for entry in worklist.entries} == {State.TO_DO}
    assert worklist.folder_of(worklist.entries[2]) == patients_folder / NAMES[2]
    assert not worklist.entries[0].folder.startswith("/")


def test_what_is_changed_is_on_the_disk(worklist, path):
    worklist.change(NAMES[1], state="needs review", note="Is that a cyst?")
    entry = Worklist(path, read_only=True).entry(NAMES[1])
    assert (entry.state, entry.note, entry.annotator) == (State.NEEDS_REVIEW, "Is that a cyst?", "Anna")
    assert entry.changed.startswith("20")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="state"):
        worklist.change(NAMES[1], state="dnoe")
    with pytest.raises(ConfigError, match="no patient 'nobody'"):
        worklist.change("nobody", state="done")
    assert path.read_bytes() == before


def test_next_and_previous_pass_by_who_is_done(worklist):
    worklist.change(NAMES[1], state=State.DONE)
    assert worklist.step(None).name == NAMES[0]
    assert worklist.step(NAMES[0]).name == NAMES[2]
    assert worklist.step(NAMES[2], -1).name == NAMES[0]
    assert worklist.step(NAMES[3]) is None
    assert worklist.step(NAMES[0], -1) is None


def test_the_least_sure_come_first_if_asked(worklist):
    for name, doubt in ((NAMES[0], 0.1), (NAMES[2], 0.4), (NAMES[3], 0.0)):
        worklist.change(name, doubt=doubt)
    ordered = [entry.name for entry in worklist.ordered(by_doubt=True)]
    assert ordered == [NAMES[2], NAMES[0], NAMES[3], NAMES[1]]
    assert worklist.step(NAMES[2], by_doubt=True).name == NAMES[0]


def test_the_second_one_only_reads_and_follows(worklist, path):
    second = Worklist(path, "Berta")
    assert second.read_only
    assert "Anna" in second.holder.words()
    with pytest.raises(ConfigError, match=r"Anna .* has it"):
        second.change(NAMES[0], state="done")
    worklist.change(NAMES[0], state="done")
    assert second.refresh()
    assert second.entry(NAMES[0]).state is State.DONE
    assert not second.refresh()
    worklist.close()
    assert second.refresh()
    assert not second.read_only
    second.change(NAMES[1], state="in work")
    second.close()
    with pytest.raises(ConfigError, match="open for reading"):
        worklist.change(NAMES[0], state="to do")


def test_a_list_that_grows_keeps_what_it_knows(worklist, path, patients_folder, tmp_path):
    worklist.change(NAMES[0], state="done")
    shutil.copytree(patients_folder / NAMES[0], tmp_path / "more" / "BraTS2021_91007")
    for file in (tmp_path / "more" / "BraTS2021_91007").iterdir():
        file.rename(file.with_name(file.name.replace(NAMES[0], "BraTS2021_91007")))
    entries = new_worklist([patients_folder, tmp_path / "more"], path, known=worklist.entries)
    assert [entry.name for entry in entries] == [*NAMES, "BraTS2021_91007"]
    assert entries[0].state is State.DONE
    shutil.copytree(patients_folder / NAMES[0], tmp_path / "other" / NAMES[0])
    with pytest.raises(ConfigError, match="Two patients are called"):
        new_worklist([tmp_path / "other"], path, known=entries)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "damaged"),
        ('{"patients": []}', "is no worklist: make one of a folder of patients"),
        ('{"format": "napari-rdl worklist", "version": 9, "patients": []}', "version 9"),
        ('{"format": "napari-rdl worklist", "version": 1, "patients": [{"name": ""}]}', "patients.0.name"),
        (
            '{"format": "napari-rdl worklist", "version": 1, "patients": '
            '[{"name": "a", "folder": "a"}, {"name": "a", "folder": "b"}]}',
            "twice",
        ),
    ],
)
def test_a_damaged_list_is_refused_in_a_sentence(tmp_path, content, says):
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(ConfigError, match=says):
        Worklist(tmp_path / "list.json")
    assert (tmp_path / "list.json").read_text() == content
    assert not list(tmp_path.glob("*.held"))


def test_what_a_newer_version_writes_more_is_kept(path):
    content = json.loads(path.read_text())
    content["colour"] = "blue"
    content["patients"][0]["priority"] = 3
    path.write_text(json.dumps(content))
    with Worklist(path) as worklist:
        worklist.change(NAMES[0], note="seen")
    written = json.loads(path.read_text())
    assert written["colour"] == "blue"
    assert written["patients"][0]["priority"] == 3


def test_where_nothing_can_be_written_the_entry_stays(worklist, path, monkeypatch):
    def full(*_: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr("napari_rdl.cohort.worklist_file.write_text", full)
    with pytest.raises(OutputError):
        worklist.change(NAMES[0], state="done")
    assert worklist.entry(NAMES[0]).state is State.TO_DO


def test_who_is_done_is_trained_on_with_the_corrected_labels(path, tiny_checkpoint, capsys):
    from napari_rdl.training.config import DataConfig
    from napari_rdl.training.data.prepare import prepare
    from napari_rdl.training.data.sources import choose_patients

    assert is_worklist(path)
    with pytest.raises(ConfigError, match="no patient that is done"):
        patients_of(str(path))
    accepted = main(["worklist", "accept", str(path), NAMES[3], "--model", str(tiny_checkpoint)])
    assert accepted == 0, capsys.readouterr().err
    (patient,) = patients_of(str(path))
    case, labels = patient.read_with_truth()
    # The patient's own mask is another one: the accepted labels are what the model said.
    assert case.mask_file.parent.name == "list-labels"
    assert not np.array_equal(labels, case.__class__.truth(_own(patient)))
    config = DataConfig(source=str(path), spacing=(2.0, 2.0, 2.0))
    chosen = choose_patients(config, 0, 1)
    assert chosen.train == (patient,)
    assert not chosen.validation
    assert prepare(patient, config, ("T1", "T1c", "T2", "FLAIR")).classes.any()
    record = json.loads((path.parent / "list-labels" / f"{NAMES[3]}_seg_corrected.json").read_text())
    assert record["edits"]["steps"] == 0
    assert record["prediction"]["case"] == NAMES[3]
    with Worklist(path) as worklist:
        assert worklist.entry(NAMES[3]).accepted
        assert worklist.entry(NAMES[3]).doubt is not None
        worklist.change(NAMES[0], state="done", labels=worklist.labels_of(worklist.entry(NAMES[3])))
    chosen = choose_patients(config, 0, 1)
    assert len(chosen.train) == len(chosen.validation) == 1


def _own(patient):
    return patient.__class__(patient.name, folder=patient.folder).read()


def test_the_shell_makes_shows_and_marks_a_list(patients_folder, tmp_path, capsys):
    path = str(tmp_path / "list.json")
    assert main(["worklist", "new", str(patients_folder), "--out", path]) == 0
    assert (
        main(["worklist", "mark", path, NAMES[0], "--state", "done", "--note", "well", "--annotator", "A"])
        == 0
    )
    capsys.readouterr()
    assert main(["worklist", "show", path]) == 0
    shown = capsys.readouterr().out
    assert "3 to do, 1 done" in shown
    assert "well" in shown
    assert main(["worklist", "show", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["patients"][0]["annotator"] == "A"
    assert main(["worklist", "mark", path, NAMES[0], "--state", "over"]) == 2
    assert main(["worklist", "mark", path, NAMES[0]]) == 2
    assert main(["worklist", "new", str(patients_folder), "--out", path]) == 0
    assert "0 patients added" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.held"))
