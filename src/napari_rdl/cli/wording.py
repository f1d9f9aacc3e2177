"""The remedies of errors in the shell's terms: its commands and options."""

from __future__ import annotations

import re
from collections.abc import Mapping

from napari_rdl.errors import NapariRdlError, Remedy

SHELL: Mapping[Remedy, str] = {
    Remedy.NAME_LABELS: "name the convention with --labels ({conventions})",
    Remedy.NAME_FILES: "rename the files to end in _t1, _t1ce, _t2 or _flair, "
    "or name them yourself as T1=file FLAIR=file",
    Remedy.ONE_FILE: "remove or rename all but one, or name the files yourself as {modality}=file",
    Remedy.RESAMPLE: "co-register them, or have them resampled onto one grid with --resample",
    Remedy.FIT_MASK: "give the mask that was drawn on these images, or have it resampled with --resample",
    Remedy.FINISH_STUDY: "run `napari-rdl study` to its end with --out {folder}",
    Remedy.REPEAT_STUDY: "run `napari-rdl study` again with --out {folder}",
    Remedy.OTHER_FOLDER: "give another folder with --out",
    Remedy.GIVE_DATA: "give --data a folder of patients, a split file or phantom:N",
    Remedy.NEW_OR_RESUME: "give --out a new folder, or go on with --resume {folder}",
    Remedy.RESUME_MOVED: "go on with --resume and the folder's new place, from its last checkpoint",
    Remedy.RESUME: "free space and go on with --resume {folder}",
    Remedy.LEAVE_BROKEN_OUT: "mend it, or leave such patients out with --set data.skip_broken=true",
    Remedy.MAKE_WORKLIST: "make one with `napari-rdl worklist new`",
    Remedy.USE_CPU: "use --set hardware.device=cpu",
    Remedy.FEWER_DEVICES: "use --set hardware.device=cpu or fewer devices",
}
"""What differs from the neutral words."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def sentence_of(error: NapariRdlError) -> str:
    """Return an error as the shell says it."""
    return error.sentence(SHELL)


def printable(text: str) -> str:
    r"""Return a text that only writes, whatever file names and headers put into it.

    Control characters but tab and line feed, among them the escape that begins a terminal's commands, are
    written as ``\x1b`` and the like, and so are bytes of names that are no text.
    """
    shown = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return shown.encode("utf-8", "backslashreplace").decode()
