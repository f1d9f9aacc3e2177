"""One writer a file: of two processes, two windows and two machines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_rdl import holder
from napari_rdl.errors import OutputError
from napari_rdl.holder import Hold, holder_of

CHILD = """
import sys, time
from pathlib import Path
from napari_rdl.holder import Hold
hold = Hold(Path(sys.argv[1]), "Berta")
assert hold.take() is None
print("held", flush=True)
time.sleep(100)
"""


@pytest.fixture
def held(tmp_path):
    hold = Hold(tmp_path / "list.json", "Anna")
    assert hold.take() is None
    yield hold
    hold.release()


def as_from(hold: Hold, **changes: object) -> None:
    """Have the mark say something else."""
    mark = json.loads(hold.mark.read_text())
    hold.mark.write_text(json.dumps({**mark, **changes}))


def test_the_second_one_is_told_who_has_it(held):
    second = Hold(held.path)
    who = second.take()
    assert who is not None
    assert who.words() == "Anna (another window)"
    assert not second.held
    assert held.take() is None
    held.release()
    assert second.take() is None
    second.release()
    assert not held.mark.exists()


def test_another_process_holds_it_until_it_dies(tmp_path):
    path = tmp_path / "list.json"
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline().strip() == "held"
        hold = Hold(path)
        who = hold.take()
        assert who is not None
        assert who.words() == f"Berta (process {child.pid} on this computer)"
        os.kill(child.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        child.wait()
    assert hold.take() is None
    hold.release()


def test_another_machine_holds_it_until_it_falls_silent(held):
    as_from(held, host="ward-7", token="theirs")
    second = Hold(held.path)
    assert second.take().words() == "Anna on ward-7"
    old = time.time() - holder.SILENT_SECONDS - 60
    os.utime(held.mark, (old, old))
    assert second.take() is None
    second.release()


def test_who_slept_while_another_took_it_is_told(held, monkeypatch):
    monkeypatch.setattr(holder, "RENEW_SECONDS", 0.0)
    assert held.renew()
    as_from(held, host="ward-7", token="theirs")
    assert not held.renew()
    assert not held.held
    held.release()
    assert holder_of(held.path).host == "ward-7"


def test_a_mark_that_came_along_with_a_copy_or_is_damaged_holds_nothing(held):
    as_from(held, token="of a copy")
    second = Hold(held.path)
    assert second.take() is None
    second.release()
    second.mark.write_text("{")
    assert second.take() is None
    second.release()


def test_a_hold_that_nobody_kept_is_let_go(tmp_path):
    assert Hold(tmp_path / "list.json").take() is None
    assert not list(tmp_path.iterdir())


def test_no_mark_can_be_made(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError):
        Hold(tmp_path / "file" / "list.json").take()


def test_a_quicker_one_keeps_what_it_took(held):
    before = holder_of(held.path)
    second = Hold(Path(held.path))
    second._put_aside(before.model_copy(update={"token": "stale"}))
    assert holder_of(held.path) == before
