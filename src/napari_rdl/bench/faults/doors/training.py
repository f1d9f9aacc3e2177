"""Doors of trainings: recipes, settings, splits, and a run's folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from napari_rdl.bench.faults.damage import (
    BYTES,
    Rng,
    of_json,
    of_setting,
    of_toml,
)
from napari_rdl.bench.faults.door import Door, FileDoor
from napari_rdl.bench.faults.doors.images import some_volume, write_image

_SETTINGS = (
    "name",
    "seed",
    "start_from",
    "data.source",
    "data.spacing",
    "data.crop",
    "data.folds",
    "data.resample",
    "augment.flip",
    "loss.kind",
    "loss.alpha",
    "optimizer.lr",
    "optimizer.batch",
    "optimizer.max_steps",
    "validation.tile",
    "hardware.device",
    "network.channels",
    "network.groups",
)
"""Some of each kind; not all there are, so that a new one does not change the cases."""


class Recipe(FileDoor):
    """A recipe in TOML."""

    name = "a recipe (TOML)"
    damages = (of_toml, of_toml, of_toml, *BYTES[:4])

    def make(self) -> Path:
        """Write a recipe with settings of all kinds."""
        path = self.folder / "recipe.toml"
        path.write_text(
            '[data]\nsource = "patients"\nspacing = [1.0, 1.0, 1.0]\ncrop = [16, 16, 16]\nfold = 0\n'
            'resample = false\n[loss]\nkind = "holder"\nalpha = 1.1\n[optimizer]\nlr = 0.001\nbatch = 2\n'
            "[network]\nchannels = [4, 8]\ngroups = 2\n",
            "utf-8",
        )
        return path

    def open(self) -> str:
        """Read it."""
        from napari_rdl.training.recipe import load_recipe

        load_recipe(str(self.path), data__source="patients")
        return ""


class Setting(Door):
    """A change given to ``--set``."""

    name = "a setting (--set)"

    def damage(self, rng: Rng) -> str:
        """Draw a setting and a value."""
        self.word, said = of_setting(_SETTINGS[int(rng.integers(len(_SETTINGS)))], rng)
        return said

    def open(self) -> str:
        """Read a recipe with it."""
        from napari_rdl.training.recipe import load_recipe

        load_recipe("laptop", [self.word], data__source="patients")
        return ""


class SplitFile(FileDoor):
    """A file that says who trains and who validates."""

    name = "a split file"
    damages = (of_json, of_json, of_json, *BYTES[:4])

    def make(self) -> Path:
        """Write three patients and their split."""
        for number in range(3):
            folder = self.folder / "patients" / f"P{number}"
            folder.mkdir(parents=True)
            write_image(folder / f"P{number}_t1.nii", some_volume())
        path = self.folder / "split.json"
        parts = {"train": ["P0"], "validation": ["P1"], "test": ["P2"]}
        path.write_text(json.dumps({"root": "patients", **parts}))
        return path

    def open(self) -> str:
        """Read it; whoever is named lies below the folder."""
        from napari_rdl.cohort.patients import read_split_file

        split = read_split_file(self.path)
        names = [patient.name for part in (split.train, split.validation, split.test) for patient in part]
        return "" if set(names) <= {"P0", "P1", "P2"} and len(set(names)) == len(names) else f"found {names}"


class RunFiles(FileDoor):
    """Any file of a training's folder: whoever watches it goes on."""

    name = "a run's folder"
    damages = (of_json, *BYTES)

    def make(self) -> Path:
        """Write a run that has ended."""
        from napari_rdl.training.run.folder import RunFolder

        self.run = RunFolder(self.folder / "run")
        self.run.path.mkdir()
        config = {
            "name": "run",
            "data": {"source": "patients", "spacing": [1.0, 1.0, 1.0], "crop": [16, 16, 16]},
            "optimizer": {"batch": 2, "max_steps": 4},
            "validation": {"every": 2},
        }
        self.run.config.write_text(json.dumps(config))
        self.run.ended.write_text(json.dumps({"finished": True, "step": 4, "steps": 4, "best": 0.25}))
        lines = [
            {"step": step, "epoch": 1.0, "loss": 1 / step, "samples_per_s": 1.0, "memory_mb": 3.0}
            for step in (1, 2, 3, 4)
        ]
        self.run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
        # A machine's own name would make other cases of other lengths.
        mark = {"pid": 2**22 + 1, "process_started": 1e9, "time": 1e9, "host": "elsewhere"}
        self.run.running.write_text(json.dumps(mark))
        self.run.request.write_text(
            json.dumps({**mark, "command": ["python", "-m", "train", "--out", "run"]})
        )
        status = {"kind": "working", "message": "Preparing", "done": 1, "total": 4, "about": {}}
        self.run.status.write_text(json.dumps(status))
        self.run.split.write_text(json.dumps({"train": ["A", "B"], "validation": ["C"]}))
        run = self.run
        paths = (run.config, run.ended, run.metrics, run.running, run.request, run.status, run.split)
        self.sound = {path: path.read_bytes() for path in paths}
        return self.run.config

    def damage(self, rng: Rng) -> str:
        """Damage one of its files."""
        for path, content in self.sound.items():
            path.write_bytes(content)
        path = list(self.sound)[int(rng.integers(len(self.sound)))]
        choice = self.damages[int(rng.integers(len(self.damages)))]
        if choice is of_json and path == self.run.metrics:
            choice = BYTES[int(rng.integers(len(BYTES)))]
        content, said = choice(self.sound[path], rng)
        path.write_bytes(content)
        if path != self.run.ended and rng.random() < 0.5:
            self.run.ended.unlink()
            said += ", and no word of its end"
        return f"{path.name}: {said}"

    def open(self) -> str:
        """Look at it as the widget does, then as one who goes on with it."""
        from napari_rdl.training.run.reader import RunReader

        glance = RunReader(self.run.path).look()
        numbers = [glance.step, glance.steps, glance.best or 0.0, glance.seconds_left or 0.0]
        if not np.isfinite(numbers).all():
            return "numbers that are none"
        self.run.require_same_patients({"train": ["A", "B"], "validation": ["C"]})
        self.run.read_config()
        return ""
