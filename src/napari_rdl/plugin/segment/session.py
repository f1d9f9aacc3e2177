"""What the widget works on, without Qt: the patient, what was encoded, the subset shown."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.models import bundled_model_path

if TYPE_CHECKING:
    from napari_rdl.case import Case
    from napari_rdl.models import Model
    from napari_rdl.segment import RepresentationCache, Representations

Volumes = dict[str, float]
"""Region -> ml."""


@dataclass(frozen=True)
class RunChoice:
    """What a user chose to run: a checkpoint (None for the bundled one), a device, a precision."""

    model: Path | None = None
    device: str = "auto"
    precision: str = "auto"


class Session:
    """One patient at a time; what was encoded before comes back from a cache.

    Signals are emitted on the thread that calls; call everything but `encode` and `recall` on the GUI's.

    Signals
    -------
    case_changed : Case or None
        Another patient, or none.
    representations_changed : Representations or None
        The patient was encoded, came back from the cache, or lost its representations.
    subset_changed : tuple of str
        The modalities to be combined and shown.

    Parameters
    ----------
    budget_bytes : int
        What the cache of earlier patients' representations may hold.
    """

    case_changed = Signal(object)
    representations_changed = Signal(object)
    subset_changed = Signal(object)

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._cache: RepresentationCache | None = None
        self._model: Model | None = None
        self._model_stamp: Hashable = None
        self._hashes: dict[Hashable, str] = {}
        self.case: Case | None = None
        self.representations: Representations | None = None
        self.subset: tuple[str, ...] = ()

    def set_budget(self, budget_bytes: int) -> None:
        """Change what the cache may hold, letting earlier patients go where it shrank."""
        self._budget_bytes = budget_bytes
        if self._cache is not None:
            self._cache.set_budget(budget_bytes)

    def set_case(self, case: Case | None) -> None:
        """Turn to another patient."""
        self.case = case
        self.representations = None
        self.subset = ()
        self.case_changed.emit(case)
        self.representations_changed.emit(None)

    def set_representations(self, representations: Representations) -> None:
        """Take the patient's representations; the subset stays where it still can."""
        self.representations = representations
        present = representations.modalities
        self.subset = tuple(name for name in present if name in self.subset) or tuple(present)
        self.representations_changed.emit(representations)
        self.subset_changed.emit(self.subset)

    def set_subset(self, subset: Iterable[str]) -> None:
        """Combine these modalities from now on; unchanged, absent or empty subsets are left alone."""
        if self.representations is None:
            return
        asked = set(subset)
        ordered = tuple(name for name in self.representations.modalities if name in asked)
        if ordered and ordered != self.subset:
            self.subset = ordered
            self.subset_changed.emit(ordered)

    def use_all(self) -> None:
        """Combine all modalities from now on."""
        if self.representations is not None:
            self.set_subset(self.representations.modalities)

    def flip(self, modality: str) -> None:
        """Switch one modality; the last one that is on stays on."""
        self.set_subset(set(self.subset) ^ {modality})

    def recall(self, case: Case, choice: RunChoice) -> Representations | None:
        """Return the representations of a case that was encoded before, or None.

        Safe in a worker's thread. Loads no torch: where something was encoded, it is there already.
        """
        if self._cache is None:
            return None
        return self._cache.get(self._key(case, choice), case)

    def encode(
        self, case: Case, choice: RunChoice, progress: Progress, cancelled: IsCancelled
    ) -> Representations:
        """Encode `case`, or take what the cache holds; for a worker's thread.

        Raises
        ------
        Cancelled
            If `cancelled` said so.
        NapariRdlError
            If the checkpoint, the device or the case cannot be used.
        """
        found = self.recall(case, choice)
        if found is not None:
            return found
        progress(0, 0, "Starting the model")
        from napari_rdl.segment import RepresentationCache, SegmentSettings, encode

        settings = SegmentSettings(device=choice.device, precision=choice.precision)
        model = self._load_model(choice)
        representations = encode(
            case,
            model,
            settings=settings,
            budget_bytes=self._budget_bytes,
            progress=progress,
            cancelled=cancelled,
        )
        if self._cache is None:
            self._cache = RepresentationCache(self._budget_bytes)
        self._cache.put(self._key(case, choice), representations)
        return representations

    def _load_model(self, choice: RunChoice) -> Model:
        from napari_rdl.models import load_model

        stamp = _stamp(choice.model or bundled_model_path())
        if self._model is None or self._model_stamp != stamp:
            self._model = load_model(choice.model)
            self._model_stamp = stamp
        return self._model

    def _key(self, case: Case, choice: RunChoice) -> Hashable:
        # A case of which one image came from a layer was taken from layers altogether.
        from_files = all(name in case.files for name in case.images)
        images = tuple(
            (name, _stamp(case.files[name]) if from_files else _content(image))
            for name, image in case.images.items()
        )
        place = (case.name, case.grid.affine.tobytes(), case.resampled, case.convention.name)
        model = self._sha256(choice.model or bundled_model_path())
        return (images, place, model, choice.device, choice.precision)

    def _sha256(self, path: Path) -> str:
        from napari_rdl.case import file_sha256

        stamp = _stamp(path)
        if stamp not in self._hashes:
            self._hashes[stamp] = file_sha256(path)
        return self._hashes[stamp]


def _stamp(path: Path) -> Hashable:
    """Return what changes when a file does; a file that is gone has a stamp too."""
    path = Path(path)
    try:
        status = path.stat()
    except OSError:
        return (str(path.absolute()), None, None)
    return (str(path.absolute()), status.st_mtime_ns, status.st_size)


def _content(image: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).hexdigest()
