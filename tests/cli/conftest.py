"""The shell in a test, and the small patient that it is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from napari_rdl.cli import main

NAME = "BraTS2021_90001"


@pytest.fixture
def patient(brats_folder, tmp_path) -> Path:
    """A copy of the small patient, to be changed at will."""
    return Path(shutil.copytree(brats_folder, tmp_path / "patients" / NAME))


@pytest.fixture
def shell(capsys, tiny_checkpoint):
    """Run a command with tiny weights where it takes any; return its exit code, stdout and stderr."""

    def run(*words: object):
        arguments = [str(word) for word in words]
        if arguments and arguments[0] in ("predict", "demo", "bench") and "--model" not in arguments:
            arguments += ["--model", str(tiny_checkpoint)]
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def is_one_sentence(text: str) -> bool:
    lines = text.strip().splitlines()
    return len(lines) == 1 and "Traceback" not in text and lines[0].rstrip().endswith(".")


@pytest.fixture
def cohort(patient, tmp_path):
    """Three patients, the second of which is broken."""
    folder = tmp_path / "cohort"
    for number in (1, 2, 3):
        shutil.copytree(patient, folder / f"patient{number}")
    (folder / "patient2" / f"{NAME}_t2.nii.gz").write_bytes(b"")
    return folder


@pytest.fixture
def small_sample(monkeypatch, patient):
    """A small patient in the sample patient's place: making the real one takes half a minute."""
    monkeypatch.setattr("napari_rdl.phantom.sample_patient_folder", lambda *_args, **_kwargs: patient)
