"""What can go wrong through no fault of the program: one family, each with one plain sentence.

An error says what is wrong, with the file or setting by name. What would mend it is either part of that
sentence, where it is the same for everybody, or a `Remedy`: a code that each face words in its own terms.
The shell speaks of options, the plugin of buttons; ``str(error)`` speaks of neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


class Remedy(StrEnum):
    """What would mend an error; the fields that its wording may use stand in `NapariRdlError.about`."""

    NAME_LABELS = "name labels"
    """Say which label convention the mask has (`conventions`)."""
    NAME_FILES = "name files"
    """Rename files so that they tell their modality, or say it of each."""
    ONE_FILE = "one file"
    """Leave one file for each modality, or say which one is meant (`modality`)."""
    RESAMPLE = "resample"
    """Co-register the images, or have them resampled onto one grid."""
    FIT_MASK = "fit mask"
    """Give the mask that was drawn on these images, or have it resampled."""
    FIT_LABELS = "fit labels"
    """Give labels that were made from these images, or have them resampled."""
    FINISH_STUDY = "finish study"
    """Run the study of a folder to its end (`folder`)."""
    REPEAT_STUDY = "repeat study"
    """Run a study again into the same folder (`folder`)."""
    OTHER_FOLDER = "other folder"
    """Choose another folder for what is written."""
    GIVE_FOLDER = "give folder"
    """Name a folder that is a patient's, or has patients' folders below it."""
    GIVE_DATA = "give data"
    """Say which patients to train on."""
    NEW_OR_RESUME = "new or resume"
    """Begin in a new folder, or go on with the run in this one (`folder`)."""
    RESUME_MOVED = "resume moved"
    """Go on with a run at its new place."""
    RESUME = "resume"
    """Free space, then go on with a run (`folder`)."""
    LEAVE_BROKEN_OUT = "leave broken out"
    """Train without the patients that cannot be used."""
    MAKE_WORKLIST = "make worklist"
    """Make a worklist of a folder of patients first."""
    USE_CPU = "use cpu"
    """Train on the processor."""
    FEWER_DEVICES = "fewer devices"
    """Train on the processor, or on fewer devices."""


NEUTRAL: Mapping[Remedy, str] = {
    Remedy.NAME_LABELS: "name the label convention ({conventions})",
    Remedy.NAME_FILES: "rename the files to end in _t1, _t1ce, _t2 or _flair, or name them yourself",
    Remedy.ONE_FILE: "remove or rename all but one, or name the file for {modality} yourself",
    Remedy.RESAMPLE: "co-register them, or have them resampled onto one grid",
    Remedy.FIT_MASK: "give the mask that was drawn on these images, or have it resampled",
    Remedy.FIT_LABELS: "give labels that were made from these images, or have them resampled",
    Remedy.FINISH_STUDY: "run the study to its end",
    Remedy.REPEAT_STUDY: "run the study again into the same folder",
    Remedy.OTHER_FOLDER: "choose another folder",
    Remedy.GIVE_FOLDER: "give a patient's folder, or a folder of patients",
    Remedy.GIVE_DATA: "give a folder of patients, a split file or phantom:N",
    Remedy.NEW_OR_RESUME: "choose a new folder, or resume {folder}",
    Remedy.RESUME_MOVED: "resume it at its new place, from its last checkpoint",
    Remedy.RESUME: "free space and resume {folder}",
    Remedy.LEAVE_BROKEN_OUT: "mend it, or leave such patients out (data.skip_broken)",
    Remedy.MAKE_WORKLIST: "make one of a folder of patients",
    Remedy.USE_CPU: "train on the processor (hardware.device cpu)",
    Remedy.FEWER_DEVICES: "train on the processor (hardware.device cpu), or on fewer devices",
}
"""How a remedy reads where neither options nor buttons are at hand."""


class NapariRdlError(Exception):
    """Base of every error that a user can cause and mend.

    Parameters
    ----------
    what : str
        What is wrong. A whole sentence, with its own advice, where there is no `remedy`; else one that
        still wants its ending.
    remedy : Remedy, optional
        What would mend it, for each face to word.
    **about
        What the wording may name.

    Attributes
    ----------
    what, remedy, about
        As given.
    """

    def __init__(self, what: str = "", remedy: Remedy | None = None, **about: Any) -> None:
        # `what` alone among the arguments: that is how an error comes back from another process.
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.about = about

    def sentence(self, wording: Mapping[Remedy, str] = NEUTRAL) -> str:
        """Return the whole sentence in the words of one face; what it does not word reads neutrally."""
        if self.remedy is None:
            return _one_line(self.what)
        advice = wording.get(self.remedy, NEUTRAL[self.remedy]).format_map(self.about)
        return _one_line(f"{self.what.rstrip('.:')}: {advice}.")

    def __str__(self) -> str:
        return self.sentence()


_LONGEST = 1500
"""Letters of a sentence; what a file names without end is left out of its middle."""


def _one_line(text: str) -> str:
    """Return a sentence that commands nothing: the control characters of a file's name are written out."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 300]}…{text[-300:]}"
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return where the first value lies that does not fit, as a dotted key, and what is wrong with it.

    The key is empty where the whole does not fit.
    """
    first = error.errors()[0]
    return ".".join(map(str, first["loc"])), first["msg"]


class CaseError(NapariRdlError):
    """A patient's files cannot be used as they are."""


class GridsDifferError(CaseError):
    """A patient's modalities lie on different grids; resampling them onto one would mend it."""


class CheckpointError(NapariRdlError):
    """A checkpoint cannot be read, or does not fit."""


class ConfigError(NapariRdlError):
    """A setting has a wrong name, type or value."""


class DeviceError(NapariRdlError):
    """The device asked for is not there."""


class OutputError(NapariRdlError):
    """A result cannot be written where it was asked to be."""


class JournalError(NapariRdlError):
    """A journal of corrections cannot be taken up."""


class Cancelled(Exception):  # noqa: N818 - a wish granted, no error
    """The work was cancelled by the one who started it; nothing was written.

    No `NapariRdlError`: what goes on with the next patient after an error must not go on after this.
    """


def refusal_of_system(error: OSError) -> str:
    """Return in a sentence what the system refused, where no door has put it better: a disk that went."""
    return f"{error.filename or 'A file'} cannot be used: {error.strerror or error}."
