"""Who is trained on, from which sources and with which shares of the visits, and who validates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_rdl.cohort.patients import (
    VALIDATION_SEED,
    Patient,
    Split,
    folder_patients,
    is_synthetic,
    patients_of,
    phantoms,
    read_split_file,
    synthetic_patients,
)
from napari_rdl.cohort.worklist import finished_patients
from napari_rdl.cohort.worklist_file import is_worklist
from napari_rdl.errors import ConfigError, Remedy
from napari_rdl.training.config import DataConfig, SourceConfig
from napari_rdl.training.data.folds import enhancing_share, folds, stratified_folds


@dataclass(frozen=True)
class Source:
    """Patients that share one claim on the visits.

    Attributes
    ----------
    name : str
        As it was asked for: a folder, a split file, ``phantom:N``.
    patients : tuple of Patient
        Those that are trained on.
    share : float
        Share of the visits, in proportion to the other sources' shares.
    healthy_halves : float
        Share of its visits that see only the half of the brain without tumour, where one half has none.
    """

    name: str
    patients: tuple[Patient, ...]
    share: float = 1.0
    healthy_halves: float = 0.0

    @property
    def synthetic(self) -> bool:
        """Whether its patients are made and not read."""
        return is_synthetic(self.name)


@dataclass(frozen=True)
class Patients:
    """The patients of a run, and those left out with the reason; `broken` of them cannot be used.

    `enhancement` has the share of enhancing tumour of those whose folds are alike in it.
    """

    sources: tuple[Source, ...]
    validation: tuple[Patient, ...]
    test: tuple[Patient, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    enhancement: dict[str, float] = field(default_factory=dict)

    @property
    def train(self) -> tuple[Patient, ...]:
        """Everyone who is trained on, source by source."""
        return tuple(patient for source in self.sources for patient in source.patients)

    def without(self, broken: dict[str, str]) -> Patients:
        """Return the patients but for those that cannot be used, name -> reason."""

        def usable(patients: Iterable[Patient]) -> tuple[Patient, ...]:
            return tuple(patient for patient in patients if patient.name not in broken)

        sources = tuple(replace(source, patients=usable(source.patients)) for source in self.sources)
        return Patients(
            tuple(source for source in sources if source.patients),
            usable(self.validation),
            self.test,
            {**self.left_out, **broken},
            {**self.broken, **broken},
            self.enhancement,
        )

    def record(self) -> dict[str, object]:
        """Return what a run folder keeps of it."""
        return {
            "train": [patient.name for patient in self.train],
            "validation": [patient.name for patient in self.validation],
            "test": [patient.name for patient in self.test],
            "left_out": self.left_out,
            **({"enhancement": self.enhancement} if self.enhancement else {}),
        }


def choose_patients(data: DataConfig, seed: int, validation_count: int) -> Patients:
    """Return who trains, from which source, and who validates.

    Where no validation data are named, a split file's own list validates, a fold of each folder that
    `validates`, and other synthetic patients where all sources are synthetic.

    Parameters
    ----------
    data : DataConfig
        Sources, validation sources, fold.
    seed : int
        Seed of a folder's k-fold split.
    validation_count : int
        How many synthetic patients validate where the data do not say it.

    Raises
    ------
    ConfigError
        If a source is not there, names a patient that is not, or names one that another names too.
    """
    if not data.every_source:
        raise ConfigError("There are no training data", Remedy.GIVE_DATA)
    sources: list[Source] = []
    validation: list[Patient] = []
    test: list[Patient] = []
    left_out: dict[str, str] = {}
    enhancement: dict[str, float] = {}
    named = data.every_validation
    for settings in data.every_source:
        split = _split_source(settings, data, seed, enhancement, keep_all=bool(named))
        if not split.train:
            raise ConfigError(f"{settings.source} leaves no patient to train on.")
        sources.append(Source(settings.source, split.train, settings.share, settings.healthy_halves))
        validation += split.validation
        test += split.test
        left_out |= split.left_out
    if named:
        validation = [patient for source in named for patient in patients_of(source, "validation")]
    elif all(source.synthetic for source in sources):
        validation = list(phantoms(validation_count, VALIDATION_SEED))
    used = {patient.name for patient in validation}
    left_out = {name: reason for name, reason in left_out.items() if name not in used}
    chosen = Patients(tuple(sources), tuple(validation), tuple(test), left_out, enhancement=enhancement)
    _refuse_repeats(chosen)
    return chosen


def _split_source(
    settings: SourceConfig, data: DataConfig, seed: int, enhancement: dict[str, float], *, keep_all: bool
) -> Split:
    """Return a source's own training and validation patients; `keep_all` keeps no fold aside.

    Shares of enhancing tumour that were measured for it are noted in `enhancement`.
    """
    source = settings.source
    if is_synthetic(source):
        first = data.phantom_seed if settings.first_seed is None else settings.first_seed
        return Split(synthetic_patients(source, first, settings.volume_ml), ())
    if is_worklist(source):
        patients = finished_patients(source)
        if keep_all or not settings.validates or len(patients) == 1:
            # The first one that is done is learnt from; there is nobody yet to try it on.
            return Split(patients, ())
        count = min(data.folds, len(patients))
        return _without_fold(patients, folds(len(patients), count, seed)[data.fold % count])
    if source.endswith(".json"):
        return read_split_file(Path(source))
    patients = folder_patients(Path(source))
    if keep_all or not settings.validates:
        return Split(patients, ())
    if len(patients) < data.folds:
        raise ConfigError(
            f"{source} holds {len(patients)} patients, fewer than data.folds ({data.folds}): "
            "set fewer folds or name validation data."
        )
    return _without_fold(patients, _folds_of(patients, data, seed, enhancement)[data.fold])


def _without_fold(patients: tuple[Patient, ...], fold: list[int]) -> Split:
    """Return all but a fold to train on, and the fold to validate with."""
    held = set(fold)
    return Split(
        tuple(patient for index, patient in enumerate(patients) if index not in held),
        tuple(patients[index] for index in sorted(held)),
    )


def _folds_of(
    patients: tuple[Patient, ...], data: DataConfig, seed: int, enhancement: dict[str, float]
) -> list[list[int]]:
    if data.stratify == "none":
        return folds(len(patients), data.folds, seed)
    shares = [enhancing_share(patient, data.labels) for patient in patients]
    enhancement |= {patient.name: round(share, 4) for patient, share in zip(patients, shares, strict=True)}
    return stratified_folds(shares, data.folds, seed)


def _refuse_repeats(chosen: Patients) -> None:
    """Refuse a name that stands for two patients of a run, or for one that trains and validates."""
    counts = Counter(patient.name for patient in chosen.train)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise ConfigError(f"{min(repeated)} stands in the training data twice.")
    if shared := counts.keys() & {patient.name for patient in chosen.validation}:
        raise ConfigError(f"{min(shared)} stands among the training and the validation patients.")
