"""Doors of what lies beside a result: its record, and the journal of corrections."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_rdl.bench.faults.damage import (
    BYTES,
    of_json,
)
from napari_rdl.bench.faults.door import FileDoor
from napari_rdl.bench.faults.doors.images import SHAPE


class JournalFile(FileDoor):
    """A journal of corrections: what is read is a state that there was."""

    name = "a journal of corrections"
    damages = BYTES

    def make(self) -> Path:
        """Write a few steps, one of them taken back."""
        from napari_rdl.correct import Edit, History, Identity
        from napari_rdl.correct.journal_file import STEP, UNDO, opening, record

        history = History(np.random.default_rng(1).integers(0, 4, SHAPE).astype(np.uint8))
        # No clock in it, so that the cases stay the same.
        content = opening(Identity("P", SHAPE, "grid"), history.base, started=0.0)
        self.states = [history.labels.copy()]
        rng = np.random.default_rng(2)
        for number in range(6):
            if number == 3:
                history.undo()
                content += record(UNDO)
            else:
                places = np.sort(rng.choice(history.labels.size, 9, replace=False))
                history.apply(Edit(places, np.full(9, number % 4, np.uint8)), f"step {number}")
                content += record(STEP, replace(history.steps[-1], time=0.0).to_bytes())
            self.states.append(history.labels.copy())
        path = self.folder / "P.journal"
        path.write_bytes(content)
        return path

    def open(self) -> str:
        """Read it."""
        from napari_rdl.correct import read_journal

        labels = read_journal(self.path).history.labels
        return (
            "" if any(np.array_equal(labels, state) for state in self.states) else "labels there never were"
        )


class RecordFile(FileDoor):
    """The record beside a result, from which a run is repeated."""

    name = "a record"
    damages = (of_json, of_json, of_json, *BYTES[:4])

    def make(self) -> Path:
        """Write a record."""
        from napari_rdl.case.provenance import InputRecord, Provenance, WeightsRecord

        record = Provenance(
            case="P",
            modalities=("T1",),
            inputs={"T1": InputRecord(path="P_t1.nii", sha256="0" * 64)},
            weights=WeightsRecord(name="tiny", sha256="0" * 64),
            device="cpu",
            precision="float32",
            settings={"tile": 32, "overlap": 0.25},
            labels="brats2021",
            versions={},
        )
        path = self.folder / "P_seg.json"
        path.write_text(record.model_dump_json(exclude_defaults=True))
        return path

    def open(self) -> str:
        """Read it; its patient's name leads nowhere else."""
        from napari_rdl.case.provenance import Provenance

        case = Provenance.read(self.path).case
        return "" if not re.search(r"[/\\\x00-\x1f]|^\.\.?$|^$", case) else f"the name {case!r}"
