"""From command to result: what `predict` takes, step by step, and napari until a widget can be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from napari_rdl.bench.figures import Figure, Figures, figures, timed
from napari_rdl.bench.memory import peak_of_process
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.errors import NapariRdlError

RATIO_LIMIT = 1.5
"""The most that the whole command may take, in load and encode alone."""

MEMORY_LIMIT = 2000.0
"""MB that a patient may take at most, all told."""

_STARTS = {
    "Python starts": "pass",
    "the command's words are there": "import napari_rdl.cli.app",
    "reading is there": "import napari_rdl.case.checks, napari_rdl.case.loading",
    "the network is there": "import napari_rdl, napari_rdl.segment; napari_rdl.load_model()",
}


def measure_steps(
    patient: Path, repeats: int, *, window: bool = True, progress: Progress = ignore_progress
) -> Figures:
    """Run `predict` on a patient and take its time apart; then napari's, where there is a display.

    Raises
    ------
    NapariRdlError
        If the command does not end as it should.
    """
    total = repeats + len(_STARTS) + 2 + window
    rows, there = [], 0.0
    for number, (what, code) in enumerate(_STARTS.items()):
        progress(number, total, what)
        started = [_run([sys.executable, "-c", code])[0] for _ in range(repeats)]
        rows.append(timed(what, started))
        # The last of them: no command that computes is shorter.
        there = median(started)
    progress(len(_STARTS), total, "Reading and encoding alone")
    load, encode = _alone(patient, repeats)
    rows += [timed("load, alone", load), timed("encode, alone", encode)]
    wholes: list[float] = []
    stages: dict[str, list[float]] = {}
    peaks: list[float] = []
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "napari_rdl", "predict", str(patient), "--device", "cpu", "--json"]
        for number in range(repeats):
            progress(len(_STARTS) + 1 + number, total, "Predicting")
            seconds, said, peak = peak_of_process([*command, "--out", f"{out}/{number}"])
            wholes.append(seconds)
            peaks.append(peak)
            for stage, taken in json.loads(said)["seconds"].items():
                stages.setdefault(stage, []).append(taken)
    words = {"load": "load the model, and wait for the patient", "encode": "encode"}
    rows += [timed(f"`predict`: {words.get(stage, stage)}", [*taken]) for stage, taken in stages.items()]
    rest = [whole - sum(taken[turn] for taken in stages.values()) for turn, whole in enumerate(wholes)]
    rows.append(timed("`predict`: all else (starts, ends)", rest))
    rows.append(timed("`predict`, all of it", wholes))
    alone = median(load) + median(encode)
    rows.append(Figure(what="the network is there, against load and encode alone", value=there / alone))
    rows.append(
        Figure(
            what="`predict` against load and encode alone", value=median(wholes) / alone, limit=RATIO_LIMIT
        )
    )
    rows.append(Figure(what="`predict`, peak memory", value=median(peaks), unit="MB", limit=MEMORY_LIMIT))
    if window:
        progress(total - 1, total, "Opening napari")
        starts: dict[str, list[float]] = {}
        for _ in range(repeats):
            said = _run([sys.executable, "-m", "napari_rdl.plugin.driving.starting"])[1]
            for what, seconds in json.loads(said.strip().splitlines()[-1]).items():
                starts.setdefault(what, []).append(seconds)
        rows += [timed(f"napari: {what}", seconds) for what, seconds in starts.items()]
    progress(total, total, "")
    return figures(
        "steps",
        f"napari-rdl bench steps {patient.name} --repeats {repeats}",
        patient.name,
        rows,
        ["Each start is a process of its own, from nothing; the later ones hold the earlier ones."],
    )


def _alone(patient: Path, repeats: int) -> tuple[list[float], list[float]]:
    from napari_rdl.case import load_case
    from napari_rdl.models import load_model
    from napari_rdl.segment import SegmentSettings, encode

    model, settings = load_model(), SegmentSettings(device="cpu")
    load, encoding = [], []
    encode(load_case(patient), model, modalities=load_case(patient).modalities[:1], settings=settings)
    for _ in range(repeats):
        started = perf_counter()
        case = load_case(patient)
        between = perf_counter()
        encode(case, model, settings=settings)
        load.append(between - started)
        encoding.append(perf_counter() - between)
    return load, encoding


def _run(command: list[str]) -> tuple[float, str]:
    started = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it does not say why"]
        raise NapariRdlError(f"{' '.join(command[1:3])} failed: {last[0]}")
    return perf_counter() - started, done.stdout
