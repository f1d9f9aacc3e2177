"""Many patients: one resumable runner, evaluation, study, tables, report."""

from napari_rdl.cohort.finished import FinishedStudy, load_study
from napari_rdl.cohort.records import StudiedPatient
from napari_rdl.cohort.tables import subset_title

__all__ = ["FinishedStudy", "StudiedPatient", "load_study", "subset_title"]
