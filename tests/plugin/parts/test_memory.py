"""What widgets remember: kept whole, and never lost for one key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from napari_rdl.plugin.parts.memory import Memory, Remembered, load_remembered, memory_file, save_remembered


class Toy(Remembered):
    model: Path | None = Field(None, title="Model")
    plane: Literal["axial", "coronal"] = Field("axial", title="Plane")
    keys: dict[str, str] = Field(default_factory=dict, title="Keys")


@pytest.fixture
def file() -> Path:
    return memory_file("toy")


def test_choices_survive_a_round_trip(file):
    memory = Memory(Toy, file)
    memory.remember(model=Path("/m.safetensors"), plane="coronal")
    assert Memory(Toy, file).choices == Toy(model="/m.safetensors", plane="coronal")
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing half written is left"


def test_a_setting_that_is_gone_costs_no_other(file):
    save_remembered(Toy(plane="coronal"), file)
    file.write_text(json.dumps({**json.loads(file.read_text()), "dropped in a later version": 1}))
    assert load_remembered(file, Toy).plane == "coronal"


def test_a_value_that_no_longer_fits_costs_no_other(file, caplog):
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"plane": "oblique", "keys": {"T1": "F1"}}))
    assert load_remembered(file, Toy) == Toy(keys={"T1": "F1"})
    assert "no longer fit" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe"])
def test_a_damaged_file_gives_the_defaults(file, content, caplog):
    assert load_remembered(file, Toy) == Toy()
    assert not caplog.text, "a first start is nothing to report"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert load_remembered(file, Toy) == Toy()
    assert "no longer fit" in caplog.text


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    save_remembered(Toy(), tmp_path / "file" / "memory.json")
    assert "cannot be remembered" in caplog.text
