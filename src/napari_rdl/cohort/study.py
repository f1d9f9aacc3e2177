"""The subset study of many patients: tables, charts, and a report to look at.

A study that was interrupted goes on where it was, and several processes share the patients; see
`napari_rdl.cohort.runner`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_rdl.brats import MODALITIES
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case.provenance import text_of
from napari_rdl.cohort.finished import FinishedStudy, load_study
from napari_rdl.cohort.patients import Patient, folder_patients
from napari_rdl.cohort.records import INDEX, StudiedPatient, StudyIndex, StudySettings, worst_first
from napari_rdl.cohort.runner import Outcome, digest, inputs_of, run_patients
from napari_rdl.compare.agreement import places_of_disagreement
from napari_rdl.compare.other_labels import expert_reference
from napari_rdl.compare.study import study_subsets
from napari_rdl.errors import CaseError
from napari_rdl.files import write_bytes, write_text
from napari_rdl.metrics import EMPTY_MASK_RULE

if TYPE_CHECKING:
    from napari_rdl.cohort.evaluate import Evaluation
    from napari_rdl.models import Model
    from napari_rdl.segment import SegmentSettings

_FORMAT = 1  # raised whenever a patient's file changes its meaning


def study_cohort(
    data: str | Path,
    model: Model,
    out: str | Path,
    *,
    settings: StudySettings | None = None,
    segment: SegmentSettings | None = None,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> FinishedStudy | None:
    """Study every patient of a folder, and write tables, charts and the report.

    Parameters
    ----------
    data : str or Path
        A folder of patients, or one patient's.
    model : Model
        As `load_model` returns it.
    out : str or Path
        Folder of the report; what is there already, of the same model, settings and files, is kept.
    settings : StudySettings, optional
        What is studied.
    segment : SegmentSettings, optional
        Device, precision, tiles.
    progress, cancelled : callable
        Called after each patient; the work within one can be cancelled too.

    Returns
    -------
    FinishedStudy or None
        None in all but the first of several processes (torchrun, SLURM).

    Raises
    ------
    NapariRdlError
        If data, model or folder do not fit. A patient that fails is listed and the others go on.
    Cancelled
        If `cancelled` answered True; patients that are done are kept.
    """
    from napari_rdl.cohort.report import write_study
    from napari_rdl.segment import SegmentSettings

    settings = settings or StudySettings()
    work = _Studying(model, settings, segment or SegmentSettings())
    out = Path(out)
    outcome = run_patients(folder_patients(data), work, out, progress=progress, cancelled=cancelled)
    if outcome is None:
        return None
    write_text(out / INDEX, _index(data, outcome, work.key, model, settings).model_dump_json(indent=1))
    study = load_study(out)
    write_study(study)
    return study


def evaluation_of(study: FinishedStudy) -> Evaluation:
    """Return a study's scores as those of an evaluation, so that several models' studies can be compared.

    Patients without a reference have none.
    """
    from napari_rdl.cohort.evaluate import Evaluation, EvaluationSettings

    distances = study.settings.distances
    scores = {
        patient.name: {
            row.name: {
                region: {"dice": score.dice, **({"hd95": score.hd95} if distances else {})}
                for region, score in row.scores.items()
            }
            for row in patient.rows
        }
        for patient in study.patients
        if patient.reference is not None
    }
    return Evaluation(
        scores, study.failed, study.modalities, EvaluationSettings(distances=distances), study.about
    )


class _Studying:
    """Studies each patient; see `napari_rdl.cohort.runner.PatientWork`."""

    doing = "Studying"
    kind = StudiedPatient

    def __init__(self, model: Model, settings: StudySettings, segment: SegmentSettings) -> None:
        self._model, self._settings, self._segment = model, settings, segment
        # What patients must share to stand in one table.
        self.key = digest(
            [_FORMAT, model.sha256, settings.model_dump(mode="json"), segment.model_dump(mode="json")]
        )

    def stamp(self, patient: Patient) -> Mapping[str, str]:
        try:
            inputs = digest(inputs_of(patient, self._settings.labels))
        except CaseError:
            inputs = ""  # reading the patient says what is wrong
        return {"key": self.key, "inputs": inputs}

    def make(
        self, patient: Patient, stamp: Mapping[str, str], stem: Path, cancelled: IsCancelled
    ) -> StudiedPatient:
        from napari_rdl.cohort.picture import draw_patient
        from napari_rdl.segment import encode

        settings = self._settings
        case = patient.read(labels=settings.labels, resample=settings.resample)
        # Before the encoding, which is what takes long: a mask that does not fit is known at once.
        reference = expert_reference(case) if settings.reference == "truth" and case.mask_file else None
        representations = encode(case, self._model, settings=self._segment, cancelled=cancelled)
        study = study_subsets(
            representations, "full" if settings.reference == "full" else reference, cancelled=cancelled
        )
        if settings.distances:
            for _ in study.measure_distances(cancelled=cancelled):
                pass
        remarks = [study.remark] if study.remark else []
        if study.reference is None:
            remarks.append(f"{patient.name} has no expert mask: volumes alone.")
        assert patient.folder is not None
        study.stack.save(_beside(stem, ".npz"))
        write_bytes(_beside(stem, ".png"), draw_patient(case, study))
        return StudiedPatient(
            key=stamp["key"],
            inputs=stamp["inputs"],
            name=patient.name,
            folder=text_of(patient.folder.absolute()),
            modalities=study.modalities,
            shape=case.grid.shape,
            reference=None if study.reference is None else settings.reference,
            remark=" ".join(remarks) or None,
            rows=study.rows,
            worth=study.worth(),
            places=tuple(places_of_disagreement(study.stack, case.grid)),
        )

    def is_whole(self, stem: Path) -> bool:
        return all(_beside(stem, ending).is_file() for ending in (".npz", ".png"))


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _index(
    data: str | Path, outcome: Outcome[StudiedPatient], key: str, model: Model, settings: StudySettings
) -> StudyIndex:
    records = list(outcome.records.values())
    seen = {name for record in records for name in record.modalities}
    known = (*MODALITIES, *sorted(seen - set(MODALITIES)))
    references = {"truth": "the expert's mask", "full": "what all modalities say together"}
    return StudyIndex(
        key=key,
        about={
            "model": model.name,
            "weights_sha256": model.sha256,
            "trained_on": model.card.trained_on,
            "data": text_of(Path(data)),
            "patients": len(records),
            "without_reference": sum(record.reference is None for record in records),
            "failed": len(outcome.failed),
            "reference": references[settings.reference],
            "protocol": "Every modality is encoded alone; hard labels of the most probable class on each "
            "patient's own grid; means over patients. HD95 in mm.",
            "empty_masks": EMPTY_MASK_RULE,
            "worth": "Exact Shapley values over all subsets; no modality is worth the empty label map. A "
            "region that is empty in a patient's reference has no value there.",
        },
        settings=settings,
        modalities=tuple(name for name in known if name in seen),
        patients=tuple(record.name for record in worst_first(records)),
        failed=outcome.failed,
    )
