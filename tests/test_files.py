"""Files appear whole or not at all, and what a killed writer leaves behind is taken away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl.errors import OutputError
from napari_rdl.files import (
    SCRATCH,
    fault_of_path,
    is_file,
    is_folder,
    is_scratch,
    is_there,
    plain_name,
    read_bytes,
    write_bytes,
    write_file,
    write_first,
    write_folder,
    write_json,
    write_text,
    write_together,
)


def names_in(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"a.txt cannot be written \(No space left on device\)"):
        write_file(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_another_error_passes_through_and_leaves_nothing(tmp_path: Path) -> None:
    def fail(temporary: Path) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        write_file(tmp_path / "a.txt", fail)
    with pytest.raises(KeyError):
        write_folder(tmp_path / "folder", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.nii.gz", "a.NII.GZ", "a.txt", "2021.05.03_a.nii.gz"])
def test_the_writer_sees_the_ending_and_the_folder_is_made(tmp_path: Path, name: str) -> None:
    seen = []
    path = write_file(tmp_path / "deep" / name, lambda temporary: (seen.append(temporary), temporary.touch()))
    assert path.exists()
    assert is_scratch(seen[0].name)
    assert seen[0].name.endswith(name[name.index("a.") + 1 :])
    assert seen[0].parent == path.parent


def test_a_folder_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "gone" / "a.txt", "a", make_folder=False)
    assert names_in(tmp_path) == []


def test_results_may_be_read_like_other_files(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    (tmp_path / "folder").mkdir()
    path = write_bytes(tmp_path / "a", b"a")
    assert path.stat().st_mode == other.stat().st_mode
    made = write_folder(tmp_path / "made", lambda scratch: (scratch / "a").touch())
    assert made.stat().st_mode == (tmp_path / "folder").stat().st_mode


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written .*choose a folder"):
        write_text(tmp_path / "file" / "out" / "a.txt", "a")


def test_text_and_json_are_utf8_with_their_line_ends(tmp_path: Path) -> None:
    assert write_text(tmp_path / "a.txt", "ä\r\n\n").read_bytes() == "ä\r\n\n".encode()
    path = write_json(tmp_path / "a.json", {"name": "ä", "values": [1, None]})
    assert json.loads(path.read_bytes()) == {"name": "ä", "values": [1, None]}
    assert path.read_bytes().endswith(b"}\n")


def test_a_name_that_is_no_utf8_does_not_end_the_work(tmp_path: Path) -> None:
    assert write_text(tmp_path / "a.txt", "P\udcff").read_bytes() == rb"P\udcff"


def test_files_that_belong_together_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    record, labels = tmp_path / "a.json", tmp_path / "a.nii"
    write_together([(record, b"old"), (labels, b"old")])
    labels.unlink()
    labels.mkdir()
    with pytest.raises(OutputError, match=r"a\.nii cannot be written"):
        write_together([(record, b"new"), (labels, b"new")])
    assert record.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.json", "a.nii"]


def test_only_the_first_of_two_is_written(tmp_path: Path) -> None:
    path = tmp_path / "mark.json"
    assert write_first(path, "first")
    assert not write_first(path, "second")
    assert path.read_text() == "first"
    assert names_in(tmp_path) == ["mark.json"]


def test_a_folder_takes_the_place_of_the_one_before_or_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "patient"
    write_folder(path, lambda scratch: (scratch / "old").touch())
    write_folder(path, lambda scratch: (scratch / "new").touch())
    assert names_in(path) == ["new"]

    def fail(scratch: Path) -> None:
        (scratch / "half").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="patient cannot be written"):
        write_folder(path, fail)
    assert names_in(path) == ["new"]
    assert names_in(tmp_path) == ["patient"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such end on Windows")
@pytest.mark.parametrize("writer", ["write_file", "write_folder"])
def test_the_next_writer_sweeps_what_a_killed_one_left(tmp_path: Path, writer: str) -> None:
    code = (
        "import sys, time; from pathlib import Path; from napari_rdl import files\n"
        f"files.{writer}(Path(sys.argv[1]) / 'a.txt', lambda p: (print(p.name, flush=True), time.sleep(60)))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    scratch = process.stdout.readline().strip()
    # While its writer lives, nobody takes it away.
    write_text(tmp_path / "b.txt", "b")
    assert names_in(tmp_path) == sorted([scratch, "b.txt"])
    process.kill()
    process.wait()
    assert names_in(tmp_path) == sorted([scratch, "b.txt"])
    write_text(tmp_path / "b.txt", "again")
    assert names_in(tmp_path) == ["b.txt"]


def test_scratch_of_elsewhere_is_swept_once_it_is_a_day_old(tmp_path: Path) -> None:
    young, old, other = (tmp_path / f"{SCRATCH}{name}" for name in ("k2j5h3.json", "x7d9.nii.gz", "0-12-x"))
    for path in (young, old, other):
        path.touch()
    yesterday = time.time() - 90000
    for path in (old, other):
        os.utime(path, (yesterday, yesterday))
    write_text(tmp_path / "a.txt", "a")
    assert names_in(tmp_path) == sorted([young.name, "a.txt"])


def test_scratch_whose_number_went_to_a_later_process_is_swept(tmp_path: Path) -> None:
    names = []
    write_file(tmp_path / "a", lambda temporary: names.append(temporary.name))
    # Written before this process began: another one had our number.
    before = tmp_path / names[0]
    before.touch()
    os.utime(before, (1e9, 1e9))
    write_text(tmp_path / "b", "b")
    assert names_in(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("BraTS20_Training_001", "BraTS20_Training_001"),
        ("../../etc/x", "..-..-etc-x"),
        ("/abs/olute", "-abs-olute"),
        ("..\\x", "..-x"),
        ("..", "__"),
        (".", "_"),
        ("", "_"),
        ("a\x1b[31mb\0c\udcffd\x9be", "a_[31mb_c_d_e"),
        ("naïve 脳 ①²", "naïve 脳 ①²"),
    ],
)
def test_a_name_is_a_name_and_no_path(text: str, name: str) -> None:
    assert plain_name(text) == name


@given(st.text())
def test_every_name_stays_where_it_is_put(text: str) -> None:
    name = plain_name(text)
    assert plain_name(name) == name
    assert Path("/folder", name).parent == Path("/folder")
    assert Path("/folder", name).resolve().parent == Path("/folder")
    assert len(name.encode()) <= 200


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert plain_name("脳" * 300) != plain_name("脳" * 301)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", None),
        ("patients/A ①/脳", None),
        ("x" * 255, None),
        ("x" * 256, "too long"),
        ("脳" * 86, "too long"),
        ("ab/" * 1400, "too long"),
        ("a\0b", "NUL"),
        ("a\ud800", "no text"),
    ],
)
def test_what_no_path_can_be_is_told(text: str, words: str | None) -> None:
    fault = fault_of_path(text)
    assert (fault is None) if words is None else (fault is not None and words in fault)


@pytest.mark.parametrize("name", ["nowhere", "x" * 300, "x" * 9000, "a\0b", "a\ud800"])
def test_what_cannot_be_looked_at_is_not_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert not is_there(path)
    assert not is_file(path)
    assert not is_folder(path)


def test_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert (is_there(file), is_file(file), is_folder(file)) == (True, True, False)
    assert (is_there(tmp_path), is_file(tmp_path), is_folder(tmp_path)) == (True, False, True)


def test_only_plain_files_of_a_reasonable_size_are_records(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(b"x" * 100)
    assert read_bytes(path, 100) == b"x" * 100
    with pytest.raises(OSError, match="too large"):
        read_bytes(path, 99)
    with pytest.raises(OSError, match="no plain file"):
        read_bytes(tmp_path)
    with pytest.raises(OSError, match="null"):
        read_bytes("x\0y")
    if Path("/dev/zero").exists():
        with pytest.raises(OSError, match="no plain file"):
            read_bytes("/dev/zero")
