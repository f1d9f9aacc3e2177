"""What a training process tells the program that started it."""

from __future__ import annotations

import pytest

from napari_rdl.callbacks import ignore_progress
from napari_rdl.errors import ConfigError, Remedy
from napari_rdl.training.run.running import read_record
from napari_rdl.training.run.status import STATUS_VARIABLE, Status, status_told


@pytest.fixture
def told(tmp_path, monkeypatch):
    """The file in which a process is asked to tell."""
    path = tmp_path / "status.json"
    monkeypatch.setenv(STATUS_VARIABLE, str(path))
    return path


def test_progress_goes_on_to_the_terminal_and_into_the_file(told):
    heard = []
    with status_told(lambda *step: heard.append(step)) as progress:
        progress(0, 3, "Preparing a: b/c")
        progress(1, 3, "Preparing d")
    assert heard == [(0, 3, "Preparing a: b/c"), (1, 3, "Preparing d")]
    # The second one came too soon after the first.
    assert read_record(told, Status) == Status(kind="working", message="Preparing a: b/c", done=0, total=3)


def test_a_refusal_keeps_its_remedy_as_a_code(told):
    def refuse() -> None:
        with status_told(ignore_progress):
            raise ConfigError("The run is there", Remedy.NEW_OR_RESUME, folder=told.parent)

    with pytest.raises(ConfigError):
        refuse()
    error = read_record(told, Status).error
    words = {Remedy.NEW_OR_RESUME: "look at {folder}"}
    assert error.sentence(words) == f"The run is there: look at {told.parent}."


def test_nothing_is_written_unasked_or_where_it_cannot_be(told, monkeypatch, tmp_path):
    monkeypatch.setenv(STATUS_VARIABLE, str(tmp_path / "nowhere" / "status.json"))
    with status_told(ignore_progress) as progress:
        progress(0, 1, "Working")
    monkeypatch.delenv(STATUS_VARIABLE)
    with status_told(ignore_progress) as progress:
        assert progress is ignore_progress
    assert list(tmp_path.iterdir()) == []
