"""What a journal keeps: through a crash, a cut at any byte, a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_rdl.correct import (
    Edit,
    History,
    Identity,
    Journal,
    Source,
    Step,
    journal_file,
    journal_path,
    read_journal,
)
from napari_rdl.correct import journal as journal_module
from napari_rdl.errors import JournalError, OutputError

SHAPE = (6, 5, 4)
WHO = Identity("patient", SHAPE, "grid", {"T1": "a", "T2": "b"})


def edit_of(places, value: int) -> Edit:
    return Edit(np.array(sorted(places), np.int64), np.full(len(places), value, np.uint8))


def worked(path: Path) -> tuple[Journal, History, list[np.ndarray]]:
    """Return a journal with a few steps, one of them taken back, and the labels after each record."""
    history = History(np.random.default_rng(1).integers(0, 4, SHAPE).astype(np.uint8))
    journal = Journal.begin(path, WHO, history)
    states = [history.labels.copy()]
    rng = np.random.default_rng(2)
    for number in range(6):
        if number == 3:
            history.undo()
        else:
            history.apply(edit_of(rng.choice(120, 9, replace=False), number % 4), f"step {number}")
        states.append(history.labels.copy())
    return journal, history, states


def test_what_was_done_is_found_again(tmp_path):
    journal, history, _ = worked(tmp_path / "j")
    journal.close()
    found = read_journal(tmp_path / "j", WHO)
    np.testing.assert_array_equal(found.history.labels, history.labels)
    np.testing.assert_array_equal(found.history.sources, history.sources)
    np.testing.assert_array_equal(found.history.base, history.base)
    assert [step.name for step in found.history.steps] == [step.name for step in history.steps]
    assert found.unsaved
    assert found.lost == 0


def test_cut_at_any_byte_it_loses_its_tail_only(tmp_path):
    journal, _, states = worked(tmp_path / "j")
    journal.close()
    whole = (tmp_path / "j").read_bytes()
    ends = [after for _, _, after in journal_file._records(whole, len(journal_file.MAGIC) + 2)]
    first = ends[1]  # Identity and base, which are written whole or not at all.
    assert len(ends) == 2 + len(states) - 1
    cut = tmp_path / "cut"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        if length < first:
            with pytest.raises(JournalError):
                read_journal(cut, WHO)
            continue
        found = read_journal(cut, WHO)
        kept = sum(end <= length for end in ends[2:])
        np.testing.assert_array_equal(found.history.labels, states[kept])
        assert found.end + found.lost == length


def test_a_byte_changed_anywhere_behind_the_beginning_loses_what_follows_only(tmp_path):
    journal, _, states = worked(tmp_path / "j")
    journal.close()
    whole = bytearray((tmp_path / "j").read_bytes())
    ends = [after for _, _, after in journal_file._records(bytes(whole), len(journal_file.MAGIC) + 2)]
    for place in range(ends[1], len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        (tmp_path / "damaged").write_bytes(damaged)
        found = read_journal(tmp_path / "damaged", WHO)
        kept = sum(end <= place for end in ends[2:])
        np.testing.assert_array_equal(found.history.labels, states[kept])


@pytest.mark.parametrize("count", [121, 2**32 - 1])
def test_a_step_that_claims_more_than_the_volume_ends_the_journal(tmp_path, count):
    """Its sum is right: somebody wrote it so."""
    journal, _, states = worked(tmp_path / "j")
    journal.close()
    step = Step("large", 0.0, Source.HUMAN, count, zlib.compress(bytes(2**22)))
    with (tmp_path / "j").open("ab") as file:
        file.write(journal_file.record(journal_file.STEP, step.to_bytes()))
    found = read_journal(tmp_path / "j", WHO)
    np.testing.assert_array_equal(found.history.labels, states[-1])
    assert found.lost > 0


def test_work_goes_on_behind_a_damaged_tail(tmp_path):
    journal, _, _ = worked(tmp_path / "j")
    journal.close()
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[:-3])
    found = read_journal(tmp_path / "j", WHO)
    journal = Journal.go_on(tmp_path / "j", found, WHO)
    found.history.apply(edit_of(range(30), 2), "after")
    journal.close()
    again = read_journal(tmp_path / "j", WHO)
    assert again.lost == 0
    np.testing.assert_array_equal(again.history.labels, found.history.labels)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (replace(WHO, name="another"), "belongs to the patient patient"),
        (replace(WHO, affine="other"), "another grid"),
        (replace(WHO, images={"T1": "a", "T2": "c"}), "T2 changed since"),
    ],
)
def test_another_patients_journal_is_refused_in_a_sentence(tmp_path, other, says):
    journal, _, _ = worked(tmp_path / "j")
    journal.close()
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(JournalError, match=says):
        read_journal(tmp_path / "j", other)
    assert (tmp_path / "j").read_bytes() == before


def test_fewer_modalities_are_the_same_patient():
    assert WHO.why_not(replace(WHO, images={"T1": "a"})) is None
    assert replace(WHO, images={"T1": "a"}).why_not(WHO) is None


def test_another_version_is_refused_in_a_sentence(tmp_path):
    journal, _, _ = worked(tmp_path / "j")
    journal.close()
    content = bytearray((tmp_path / "j").read_bytes())
    content[len(journal_file.MAGIC)] = 9
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(JournalError, match="version 9"):
        read_journal(tmp_path / "j", WHO)


def test_what_was_saved_is_not_offered_until_more_is_done(tmp_path):
    journal, history, _ = worked(tmp_path / "j")
    journal.saved()
    journal.flush()
    assert not read_journal(tmp_path / "j", WHO).unsaved
    history.undo()
    journal.flush()
    assert read_journal(tmp_path / "j", WHO).unsaved
    history.apply(edit_of(range(9), 1 if history.labels.flat[0] != 1 else 2), "another way")
    assert history.position == 4
    journal.close()
    assert read_journal(tmp_path / "j", WHO).unsaved


def test_it_is_written_anew_when_most_of_it_is_no_longer_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "COMPACT_ABOVE", 2000)
    journal, history, _ = worked(tmp_path / "j")
    for _ in range(400):
        history.undo()
        history.redo()
    journal.close()
    assert (tmp_path / "j").stat().st_size < 4000
    found = read_journal(tmp_path / "j", WHO)
    np.testing.assert_array_equal(found.history.labels, history.labels)
    assert found.history.position == history.position


@pytest.mark.parametrize(
    ("told", "found"),
    [("", ""), ("mine.nii.gz", "mine.nii.gz"), ("../out/mine.nii.gz", "..-out-mine.nii.gz")],
)
def test_what_was_gone_on_with_is_known_by_its_name_and_never_by_a_path(tmp_path, told, found):
    path = tmp_path / "P.journal"
    journal = Journal.begin(path, WHO, History(np.zeros(SHAPE, np.uint8)), continued=told)
    journal.close()
    assert read_journal(path).continued == found
    # And once more when it is gone on with.
    Journal.go_on(path, read_journal(path), WHO).close()
    assert read_journal(path).continued == found


def test_a_new_journal_keeps_the_one_before(tmp_path):
    journal, history, _ = worked(tmp_path / "p.journal")
    journal.close()
    Journal.begin(tmp_path / "p.journal", WHO, History(history.base)).close()
    assert read_journal(tmp_path / "p.journal", WHO).history.position == 0
    kept = read_journal(tmp_path / "p.before", WHO)
    np.testing.assert_array_equal(kept.history.labels, history.labels)


def test_where_nothing_can_be_written_work_goes_on_and_can_be_kept_elsewhere(tmp_path):
    (tmp_path / "file").write_text("no folder")
    journal, history, states = worked(tmp_path / "file" / "j")
    assert "cannot be written" in journal.problem
    np.testing.assert_array_equal(history.labels, states[-1])
    with pytest.raises(OutputError):
        journal.move(tmp_path / "file" / "k")
    journal.move(tmp_path / "elsewhere")
    assert journal.problem is None
    history.apply(edit_of(range(11), 3), "later")
    journal.close()
    np.testing.assert_array_equal(read_journal(tmp_path / "elsewhere", WHO).history.labels, history.labels)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_fills_up_is_said_and_nothing_raises(tmp_path):
    journal, history, _ = worked(tmp_path / "j")
    journal.flush()
    journal._stop()
    journal.path = Path("/dev/full")
    journal._start()
    history.apply(edit_of(range(20), 2), "on a full disk")
    assert not journal.flush()
    assert "cannot be written" in journal.problem
    history.undo()
    journal.move(tmp_path / "k")
    journal.close()
    np.testing.assert_array_equal(read_journal(tmp_path / "k", WHO).history.labels, history.labels)


CHILD = """
import sys, time
import numpy as np
from pathlib import Path
from napari_rdl.correct import Edit, History, Identity, Journal
history = History(np.zeros((6, 5, 4), np.uint8))
journal = Journal.begin(Path(sys.argv[1]), Identity("patient", (6, 5, 4), "grid", {}), history)
for number in range(1, 10**6):
    history.apply(Edit(np.array([number % 120]), np.array([1 + number // 120 % 3], np.uint8)), "paint")
    print(number, time.time(), flush=True)
    time.sleep(0.01)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
def test_after_kill_9_at_most_the_last_second_is_missing(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "j")], stdout=subprocess.PIPE, text=True
    ) as child:
        said = []
        for line in child.stdout:
            said.append(line.split())
            if len(said) == 60:
                break
        os.kill(child.pid, signal.SIGKILL)
        killed = time.time()
        said += [line.split() for line in child.stdout if len(line.split()) == 2]
    found = read_journal(tmp_path / "j")
    old_enough = [int(number) for number, at in said if float(at) < killed - 1]
    assert found.history.position >= max(old_enough, default=1)
    assert found.unsaved
    assert found.history.seconds_at_work() > 0


def test_a_journal_lies_in_the_users_data_folder_under_a_plain_name(tmp_path, monkeypatch):
    path = journal_path(replace(WHO, name="../../x"))
    assert path.parent.name == "corrections"
    assert ".." not in path.parts
    assert path == journal_path(replace(WHO, name="../../x", images={"T1": "other"}))
    assert path != journal_path(replace(WHO, name="../../x", affine="other"))


def test_a_journal_is_written_by_one_alone(tmp_path):
    journal, history, _ = worked(tmp_path / "j")
    assert journal.flush()
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(JournalError, match="being written by"):
        Journal.begin(tmp_path / "j", WHO, History(history.base))
    with pytest.raises(JournalError, match="being written by"):
        Journal.go_on(tmp_path / "j", read_journal(tmp_path / "j", WHO), WHO)
    assert (tmp_path / "j").read_bytes() == before
    assert history.keeper is journal
    journal.move(tmp_path / "k")
    Journal.begin(tmp_path / "j", WHO, History(history.base)).close()
    journal.close()
    assert not list(tmp_path.glob("*.held"))
