"""A cohort from the viewer: begun as a process of its own, held, stopped, gone on with, found again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time

from qtpy.QtCore import QObject

from napari_rdl.cohort.finished import load_study
from napari_rdl.files import write_json
from napari_rdl.plugin.compare.study_process import REQUEST, STATUS, State, StudyProcess
from tests.plugin.conftest import WAIT_MS


def test_a_study_is_held_stopped_gone_on_with_and_found_again(
    patients_folder, tiny_checkpoint, warm_python, monkeypatch, tmp_path, qtbot
):
    # Warm indeed: a process forgets what was asked before it began.
    subprocess.run([warm_python, "-c", ""], check=True)
    monkeypatch.setattr(sys, "executable", warm_python)
    data = shutil.copytree(patients_folder, tmp_path / "patients")
    for number in (1, 2, 3):
        shutil.rmtree(data / f"BraTS2021_9100{number}")
    out, parent, told = tmp_path / "study", QObject(), []
    process = StudyProcess(parent)
    process.changed.connect(lambda *state: told.append(state))
    process.start(data, out, ["--model", str(tiny_checkpoint), "--device", "cpu", "--no-hd95"])
    assert process.state is State.RUNNING
    process.pause(True)
    assert process.state is State.PAUSED
    # It holds before a patient, first or second; then another window finds it, and ends it.
    qtbot.waitUntil(lambda: told[-1][1] == "Paused", timeout=WAIT_MS)
    process.shut_down()
    other = StudyProcess(parent)
    other.changed.connect(lambda *state: told.append(state))
    other.attach(out)
    assert other.state is State.PAUSED
    other.stop()
    qtbot.waitUntil(lambda: process._process.poll() is not None, timeout=WAIT_MS)
    other.look()
    assert other.state is State.STOPPED
    assert told[-1][1] == f"Stopped after {told[-1][2]} of 1 patients."
    assert sorted(path.name for path in out.iterdir() if path.name.isupper()) == []
    other.resume()
    with qtbot.waitSignal(other.finished, timeout=WAIT_MS) as heard:
        pass
    assert heard.args == [out]
    assert other.state is State.FINISHED
    assert [patient.name for patient in load_study(out).patients] == ["BraTS2021_91000"]


def test_why_a_study_refused_is_told(tmp_path):
    told, parent = [], QObject()
    process = StudyProcess(parent)
    process.changed.connect(lambda *state: told.append(state))
    mark = {"pid": 2**22 + 1, "host": socket.gethostname(), "process_started": 0.0, "time": time.time()}
    write_json(tmp_path / REQUEST, {**mark, "command": []})
    write_json(tmp_path / STATUS, {"kind": "refused", "message": "There is no patient."})
    process.attach(tmp_path)
    assert told == [(State.STOPPED, "There is no patient.", 0, 0)]
