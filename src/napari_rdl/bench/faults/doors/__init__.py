"""Doors through which files come in, by what the files are."""

from napari_rdl.bench.faults.door import Door
from napari_rdl.bench.faults.doors.checkpoints import Card, CheckpointBytes
from napari_rdl.bench.faults.doors.cohorts import StudyFiles, WorklistFile
from napari_rdl.bench.faults.doors.images import FileNames, ImageHeader, Mask, PackedImage
from napari_rdl.bench.faults.doors.results import JournalFile, RecordFile
from napari_rdl.bench.faults.doors.training import Recipe, RunFiles, Setting, SplitFile

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
