"""Doors through which files come in: each makes a sound one, damages it, and opens it."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import nibabel as nib
import numpy as np

from napari_rdl.bench.faults.damage import (
    BYTES,
    Damage,
    Rng,
    flip,
    odd_name,
    of_json,
    of_setting,
    of_toml,
    within,
)
from napari_rdl.brats import MODALITIES, all_subsets

_SHAPE = (9, 8, 7)
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


class Door(ABC):
    """Something that a user's file comes in by.

    Parameters
    ----------
    folder : Path
        Empty; for its files alone.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def damage(self, rng: Rng) -> str:
        """Damage a sound file, and return in words what was done."""

    @abstractmethod
    def open(self) -> str:
        """Open what was damaged; return what is wrong with what was read, or nothing.

        Raises
        ------
        NapariRdlError
            If it is refused.
        """


class FileDoor(Door):
    """One file with other content.

    Attributes
    ----------
    path : Path
    damages : tuple of Damage
    """

    damages: tuple[Damage, ...]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = self.make()
        self.whole = self.path.read_bytes()

    @abstractmethod
    def make(self) -> Path:
        """Write what is sound; return the file that is to be damaged."""

    def damage(self, rng: Rng) -> str:
        """Damage the file."""
        damage = self.damages[int(rng.integers(len(self.damages)))]
        content, said = damage(self.whole, rng)
        self.path.write_bytes(content)
        return said


def _volume() -> np.ndarray:
    volume = np.random.default_rng(7).integers(1, 900, _SHAPE).astype(np.int16)
    volume[0] = 0
    return volume


def _write_image(path: Path, volume: np.ndarray) -> None:
    image = nib.Nifti1Image(volume, np.eye(4))
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)


class ImageHeader(FileDoor):
    """A few bytes of an image's header."""

    name = "an image's header"
    damages = (within(0, 352),)

    def make(self) -> Path:
        """Write an image that is not packed."""
        path = self.folder / "P_t1.nii"
        _write_image(path, _volume())
        return path

    def open(self) -> str:
        """Read it: any header may be right, and says so in numbers that are finite."""
        from napari_rdl.case import read_image

        image, affine, _, _ = read_image(self.path)
        return "" if np.isfinite(image).all() and np.isfinite(affine).all() else "values that are not finite"


class PackedImage(FileDoor):
    """Any byte of a packed image: what is read must be what was packed."""

    name = "a packed image"

    def make(self) -> Path:
        """Write a packed image."""
        path = self.folder / "P_t1.nii.gz"
        self.volume = _volume()
        _write_image(path, self.volume)
        self.damages = BYTES
        return path

    def open(self) -> str:
        """Read it."""
        from napari_rdl.case import read_image

        image = read_image(self.path)[0]
        return "" if np.array_equal(image, self.volume) else "other voxels than were packed"


class Mask(FileDoor):
    """Voxels of an expert's mask."""

    name = "a mask"
    damages = (within(352, 352 + int(np.prod(_SHAPE))), flip, within(0, 352))

    def make(self) -> Path:
        """Write a patient with a mask."""
        _write_image(self.folder / "P_t1.nii", _volume())
        path = self.folder / "P_seg.nii"
        _write_image(path, np.random.default_rng(3).choice([0, 1, 2, 4], _SHAPE).astype(np.uint8))
        return path

    def open(self) -> str:
        """Read the patient and the mask."""
        from napari_rdl.case import load_case

        truth = load_case(self.folder, labels="brats2018").truth()
        return "" if truth is not None and truth.max() < 4 else "classes that there are none of"


class FileNames(Door):
    """Names of a patient's folder and files."""

    name = "file and folder names"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.world = folder / "world"

    def damage(self, rng: Rng) -> str:
        """Make a patient whose folder, and one of whose files, have odd names; a good one lies beside."""
        shutil.rmtree(self.world, ignore_errors=True)
        folder, file = odd_name(rng), odd_name(rng)
        ending = str(rng.choice(["_t1.nii", "_t1ce.nii", "t2.nii", "-t2f.nii", ".nii", "_flair.NII", ""]))
        for name, files in ((folder, (f"{file}{ending}", "P_t1.nii")), ("good", ("good_t1.nii",))):
            (self.world / name).mkdir(parents=True, exist_ok=True)
            for one in files:
                _write_image(self.world / name / one.encode()[:250].decode(errors="ignore"), _volume())
        return f"{folder!a}, {file + ending!a}"[:120]

    def open(self) -> str:
        """Find and read all; the good one is read whatever becomes of the other."""
        from napari_rdl.case import find_patients, load_case
        from napari_rdl.errors import CaseError

        refusal = None
        read = []
        for folder in find_patients(self.world):
            try:
                read.append(load_case(folder).name)
            except CaseError as error:
                refusal = error
        if "good" not in read:
            return "the good patient was not read"
        if refusal is not None:
            raise refusal
        return ""


def _parts_of(checkpoint: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(checkpoint[:8], "little")
    return json.loads(checkpoint[8 : 8 + length]), checkpoint[8 + length :]


def _joined(header: dict[str, Any], tensors: bytes) -> bytes:
    content = json.dumps(header).encode()
    return len(content).to_bytes(8, "little") + content + tensors


class _Checkpoint(FileDoor):
    def make(self) -> Path:
        """Write the smallest of networks."""
        import torch

        from napari_rdl.models import ModelCard, NetworkConfig, build_network, save_model
        from napari_rdl.models.card import CARD_KEY

        torch.manual_seed(0)
        config = NetworkConfig(channels=(2, 2), groups=1)
        card = ModelCard(name="tiny", network=config, spacing=(2.0, 2.0, 2.0), trained_on="nothing")
        path = save_model(self.folder / "tiny.safetensors", build_network(config), card)
        header, tensors = _parts_of(path.read_bytes())
        # What stands by default is left out: a new field of the card shall not change the cases.
        header["__metadata__"] = {CARD_KEY: card.model_dump_json(exclude_defaults=True)}
        path.write_bytes(_joined(header, tensors))
        return path

    def open(self) -> str:
        """Load the model."""
        from napari_rdl.models import load_model

        model = load_model(self.path)
        sound = all(bool(tensor.isfinite().all()) for tensor in model.network.parameters())
        return "" if sound else "weights that are not finite"


class CheckpointBytes(_Checkpoint):
    """Any byte of a checkpoint."""

    name = "a checkpoint"
    damages = BYTES


class Card(_Checkpoint):
    """The card within a checkpoint."""

    name = "a model's card"
    damages = (of_json,)

    def damage(self, rng: Rng) -> str:
        """Put another card into the file's header."""
        header, tensors = _parts_of(self.whole)
        (key,) = header["__metadata__"]
        card, said = of_json(header["__metadata__"][key].encode(), rng)
        header["__metadata__"][key] = card.decode()
        self.path.write_bytes(_joined(header, tensors))
        return said


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
            _write_image(folder / f"P{number}_t1.nii", _volume())
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


class JournalFile(FileDoor):
    """A journal of corrections: what is read is a state that there was."""

    name = "a journal of corrections"
    damages = BYTES

    def make(self) -> Path:
        """Write a few steps, one of them taken back."""
        from napari_rdl.correct import Edit, History, Identity
        from napari_rdl.correct.journal_file import STEP, UNDO, opening, record

        history = History(np.random.default_rng(1).integers(0, 4, _SHAPE).astype(np.uint8))
        # No clock in it, so that the cases stay the same.
        content = opening(Identity("P", _SHAPE, "grid"), history.base, started=0.0)
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
        self.sound = {path: path.read_bytes() for path in (self.run.config, self.run.ended, self.run.metrics)}
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
        return f"{path.name}: {said}"

    def open(self) -> str:
        """Look at it as the widget does, then as one who goes on with it."""
        from napari_rdl.training.run.reader import RunReader

        glance = RunReader(self.run.path).look()
        if not np.isfinite([glance.step, glance.steps, glance.best or 0.0]).all():
            return "numbers that are none"
        self.run.read_config()
        return ""


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
        case = case_from_arrays(dict.fromkeys(modalities, _volume().astype(np.float32)), np.eye(4), name="P")
        drawn = {subset: rng.integers(0, 4, _SHAPE).astype(np.uint8) for subset in all_subsets(modalities)}
        study = SubsetStudy("P", case.grid, LabelStack.from_labels(drawn))
        patient = StudiedPatient(
            key="k",
            inputs="i",
            name="P",
            folder="P",
            modalities=modalities,
            shape=_SHAPE,
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
        from napari_rdl.cohort.worklist import new_worklist

        for number in range(2):
            folder = self.folder / "patients" / f"P{number}"
            folder.mkdir(parents=True)
            _write_image(folder / f"P{number}_t1.nii", _volume())
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


DOORS: tuple[type[Door], ...] = (
    ImageHeader,
    PackedImage,
    Mask,
    FileNames,
    CheckpointBytes,
    Card,
    Recipe,
    Setting,
    SplitFile,
    JournalFile,
    RecordFile,
    RunFiles,
    StudyFiles,
    WorklistFile,
)
"""All of them, in the order of the table."""
