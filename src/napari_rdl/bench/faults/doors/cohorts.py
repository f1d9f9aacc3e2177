"""Doors of cohorts: a finished study, and a worklist."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from napari_rdl.bench.faults.damage import (
    BYTES,
    Rng,
    of_json,
)
from napari_rdl.bench.faults.door import FileDoor
from napari_rdl.bench.faults.doors.images import SHAPE, some_volume, write_image
from napari_rdl.brats import MODALITIES, all_subsets


class StudyFiles(FileDoor):
    """The index or a patient's file of a finished study."""

    name = "a study"
    damages = (of_json, of_json, of_json, *BYTES[:4])

    def make(self) -> Path:
        """Write a study of one patient; its numbers come from labels that are drawn."""
        from napari_rdl.case import case_from_arrays
        from napari_rdl.cohort.records import INDEX, StudiedPatient, StudyIndex, StudySettings
        from napari_rdl.cohort.runner import record_path
        from napari_rdl.compare import LabelStack
        from napari_rdl.compare.study import SubsetStudy

        rng = np.random.default_rng(5)
        modalities = MODALITIES[:2]
        case = case_from_arrays(
            dict.fromkeys(modalities, some_volume().astype(np.float32)), np.eye(4), name="P"
        )
        drawn = {subset: rng.integers(0, 4, SHAPE).astype(np.uint8) for subset in all_subsets(modalities)}
        study = SubsetStudy("P", case.grid, LabelStack.from_labels(drawn))
        patient = StudiedPatient(
            key="k",
            inputs="i",
            name="P",
            folder="P",
            modalities=modalities,
            shape=SHAPE,
            reference=None,
            remark=None,
            rows=study.rows,
            worth=study.worth(),
            places=(),
        )
        index = StudyIndex(
            key="k",
            about={"model": "tiny"},
            settings=StudySettings(),
            modalities=modalities,
            patients=("P",),
            failed={},
        )
        record = record_path(self.folder, "P")
        record.parent.mkdir()
        self.sound = {self.folder / INDEX: index, record: patient}
        for path, content in self.sound.items():
            path.write_text(content.model_dump_json(exclude_defaults=True))
        return self.folder / INDEX

    def damage(self, rng: Rng) -> str:
        """Damage one of the two."""
        for path, sound in self.sound.items():
            path.write_text(sound.model_dump_json(exclude_defaults=True))
        path = list(self.sound)[int(rng.integers(2))]
        choice = self.damages[int(rng.integers(len(self.damages)))]
        content, said = choice(path.read_bytes(), rng)
        path.write_bytes(content)
        return f"{path.name}: {said}"

    def open(self) -> str:
        """Open it, and go through what a report shows."""
        from napari_rdl.cohort.finished import load_study
        from napari_rdl.cohort.records import worst_first

        study = load_study(self.folder)
        worst_first(study.patients)
        inside = all(study.picture(patient).is_relative_to(self.folder) for patient in study.patients)
        return "" if inside and study.subsets is not None else "files outside its folder"


class WorklistFile(FileDoor):
    """A worklist of patients to correct."""

    name = "a worklist"
    damages = (of_json, of_json, of_json, *BYTES[:4])

    def make(self) -> Path:
        """Write a list of two."""
        from napari_rdl.cohort.worklist_file import new_worklist

        for number in range(2):
            folder = self.folder / "patients" / f"P{number}"
            folder.mkdir(parents=True)
            write_image(folder / f"P{number}_t1.nii", some_volume())
        path = self.folder / "worklist.json"
        new_worklist([self.folder / "patients"], path)
        content = json.loads(path.read_text("utf-8"))
        kept = ("name", "folder", "state", "note", "doubt", "labels")
        content["patients"] = [{key: entry[key] for key in kept} for entry in content["patients"]]
        path.write_text(json.dumps(content))
        return path

    def open(self) -> str:
        """Read it, and ask what a desk asks of it."""
        from napari_rdl.cohort.worklist import Worklist

        worklist = Worklist(self.path, read_only=True)
        for entry in worklist.ordered(by_doubt=True):
            worklist.folder_of(entry)
            worklist.labels_of(entry)
            worklist.labels_for(entry)
        worklist.finished()
        return ""
