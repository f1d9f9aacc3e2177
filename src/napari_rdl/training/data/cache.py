"""Prepared patients, kept between runs: read, normalised and resampled once.

A file's name holds a hash of everything that its content depends on, so changed settings or files
never meet an old one. Files are safetensors, written atomically.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat, PositiveFloat, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from napari_rdl.cohort.patients import Patient
from napari_rdl.files import parse_json, write_bytes
from napari_rdl.phantom import generator_digest
from napari_rdl.training.config import DataConfig
from napari_rdl.training.data.prepare import Prepared, prepare

logger = logging.getLogger(__name__)

LAYOUT = 3
"""Raised whenever what is written changes."""

ABOUT = "about"


def default_cache_folder() -> Path:
    """Return where prepared patients are kept for this user."""
    return Path(platformdirs.user_cache_dir("napari-rdl")) / "training"


class _About(BaseModel):
    """What a prepared patient's file says beside its tensors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    present: tuple[bool, ...]
    spacing: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    midline: FiniteFloat


@dataclass(frozen=True)
class CachedPatient:
    """A prepared patient on disk; crops are read from it without reading the whole.

    Attributes
    ----------
    path : Path
        The safetensors file: ``images`` (M, X, Y, Z) float16, ``classes`` (X, Y, Z) uint8.
    """

    path: Path

    @cached_property
    def classes(self) -> NDArray[np.uint8]:
        """Class indices (X, Y, Z)."""
        with safe_open(self.path, framework="np") as file:
            return file.get_tensor("classes")

    @cached_property
    def _about(self) -> _About:
        with safe_open(self.path, framework="np") as file:
            return _about_of(file)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(M,) True where the modality exists."""
        return np.array(self._about.present, bool)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm."""
        return self._about.spacing

    @property
    def midline(self) -> float:
        """Where along x, in voxels, the plane between the halves of the brain lies."""
        return self._about.midline

    def images(self, box: tuple[slice, slice, slice] | None = None) -> NDArray[np.float32]:
        """Return (M, *box) normalised intensities; everything without a box."""
        with safe_open(self.path, framework="np") as file:
            if box is None:
                return file.get_tensor("images").astype(np.float32)
            return file.get_slice("images")[:, box[0], box[1], box[2]].astype(np.float32)


class PatientCache:
    """Finds prepared patients, and prepares those that are not there yet."""

    def __init__(self, data: DataConfig, modalities: Sequence[str], folder: Path | None = None) -> None:
        self.data = data
        self.modalities = tuple(modalities)
        self.folder = folder or (Path(data.cache).expanduser() if data.cache else default_cache_folder())
        self._kept: dict[Patient, Path] = {}

    def keep(self, patient: Patient) -> None:
        """Use this patient as it is prepared now from here on, whatever becomes of its own files.

        A run then ends on the data that it began with, and looks at no patient's folder for a crop.
        """
        self._kept[patient] = self.get(patient).path

    def get(self, patient: Patient) -> CachedPatient:
        """Return a patient, prepared now if need be. Several processes may ask at once.

        Raises
        ------
        CaseError
            If the patient cannot be used.
        OutputError
            If the cache folder cannot be written.
        """
        kept = self._kept.get(patient)
        if kept is not None and _is_whole(kept):
            return CachedPatient(kept)
        path = self.folder / self._file_name(patient)
        if not _is_whole(path):
            self._write(path, prepare(patient, self.data, self.modalities))
        return CachedPatient(path)

    def has(self, patient: Patient) -> bool:
        """Return whether a patient is prepared already."""
        return _is_whole(self.folder / self._file_name(patient))

    def _file_name(self, patient: Patient) -> str:
        depends: dict[str, Any] = {
            "layout": LAYOUT,
            "modalities": self.modalities,
            "spacing": self.data.spacing,
            "code": code_digest(),
        }
        if patient.folder is None:
            volume = patient.volume_ml or (None if patient.held_out else self.data.phantom_volume_ml)
            depends["phantom"] = [patient.seed, patient.held_out, volume]
        else:
            depends["files"] = sorted(
                (item.relative_to(patient.folder).as_posix(), item.stat().st_size, item.stat().st_mtime_ns)
                for item in patient.folder.rglob("*")
                if item.is_file()
            )
            depends["folder"] = str(patient.folder.resolve())
            if patient.mask is not None:
                status = patient.mask.stat()
                depends["mask"] = [str(patient.mask), status.st_size, status.st_mtime_ns]
            depends["labels"] = self.data.labels
            depends["resample"] = self.data.resample
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:20]
        return f"{patient.file_stem}-{digest}.safetensors"

    def _write(self, path: Path, prepared: Prepared) -> None:
        # One entry: the order of several would differ from file to file.
        about = json.dumps(
            {
                "present": prepared.present.tolist(),
                "spacing": prepared.spacing,
                "midline": prepared.midline,
            }
        )
        content = save({"images": prepared.images, "classes": prepared.classes}, metadata={ABOUT: about})
        write_bytes(path, content)


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return a hash of the code that makes prepared patients, so that no change of it goes unseen."""
    digest = hashlib.sha256()
    package = files("napari_rdl")
    for source in (package / "training" / "data" / "prepare.py", package / "case" / "intensity.py"):
        digest.update(source.read_bytes())
    digest.update(generator_digest().encode())
    return digest.hexdigest()


def _is_whole(path: Path) -> bool:
    """Return whether a file holds a prepared patient; one that does not is made again.

    Its length, its tensors' kinds and shapes, and what is said beside them are looked at, not the voxels.
    """
    try:
        with safe_open(path, framework="np") as file:
            _refuse_other_tensors(file)
            return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (SafetensorError, OSError, ValueError) as error:
        logger.warning("%s is damaged and is made again (%s).", path, error)
        return False


def _refuse_other_tensors(file: safe_open) -> None:
    if set(file.keys()) != {"images", "classes"}:
        raise ValueError("other tensors than a patient's")
    images, classes = file.get_slice("images"), file.get_slice("classes")
    shape = images.get_shape()
    if images.get_dtype() != "F16" or classes.get_dtype() != "U8":
        raise ValueError("tensors of another kind")
    if len(shape) != 4 or 0 in shape or classes.get_shape() != shape[1:]:
        raise ValueError("tensors of other shapes")
    if len(_about_of(file).present) != shape[0]:
        raise ValueError("another number of modalities")


def _about_of(file: safe_open) -> _About:
    """Return what a file says of its patient; a ValueError where it does not."""
    try:
        return _About.model_validate(parse_json((file.metadata() or {}).get(ABOUT, "")))
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["msg"])) from None
