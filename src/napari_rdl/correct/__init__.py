"""Corrections of a label map: edits, their history and journal, tools, and what is said of them.

Refinement from scribbles, in `napari_rdl.correct.refine`, is not imported here: it brings torch along.
"""

from napari_rdl.correct.doubt import Doubt, doubtful_places
from napari_rdl.correct.edits import Edit, Source, Step
from napari_rdl.correct.history import History
from napari_rdl.correct.journal import Journal, put_aside
from napari_rdl.correct.journal_file import Found, Identity, journal_path, read_journal
from napari_rdl.correct.protection import Protection
from napari_rdl.correct.summary import CorrectionRecord, EditSummary, summarise

__all__ = [
    "CorrectionRecord",
    "Doubt",
    "Edit",
    "EditSummary",
    "Found",
    "History",
    "Identity",
    "Journal",
    "Protection",
    "Source",
    "Step",
    "doubtful_places",
    "journal_path",
    "put_aside",
    "read_journal",
    "summarise",
]
