"""The program as a whole: its commands and their help, wrong words, and how it ends."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from napari_rdl.cli.app import app
from tests.cli.conftest import is_one_sentence

ROOT = Path(__file__).parents[2]

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
