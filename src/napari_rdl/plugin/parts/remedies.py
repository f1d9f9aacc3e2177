"""What would mend an error, in the words of the plugin: buttons and menus, never options of the shell."""

from __future__ import annotations

from collections.abc import Mapping

from napari_rdl.errors import NapariRdlError, Remedy

REMEDIES: Mapping[Remedy, str] = {
    Remedy.NAME_LABELS: "give its files the names of a BraTS year, which say the convention ({conventions})",
    Remedy.NAME_FILES: "rename the files to end in _t1, _t1ce, _t2 or _flair, or open them in napari and "
    "assign their layers under 'Use open layers'",
    Remedy.ONE_FILE: "remove or rename all but one, or drop the files that are meant on Segment tumour",
    Remedy.FIT_MASK: "give the mask that was drawn on these images, or press 'Resample to one grid'",
    Remedy.FIT_LABELS: "give labels that were made from these images, or press 'Resample (nearest)'",
    Remedy.RESAMPLE: "press 'Resample to one grid' in Segment tumour",
    Remedy.FINISH_STUDY: "let the study run to its end, then press 'Open study…' again",
    Remedy.REPEAT_STUDY: "run the study again into the same folder, then press 'Open study…' again",
    Remedy.OTHER_FOLDER: "choose another folder",
    Remedy.GIVE_FOLDER: "choose a patient's folder, or a folder of patients",
    Remedy.GIVE_DATA: "choose patients under 'Data'",
    Remedy.NEW_OR_RESUME: "give the run another name, or choose {folder} under 'Runs' and press 'Resume'",
    Remedy.RESUME_MOVED: "choose the run at its new place under 'Runs' and press 'Resume'",
    Remedy.RESUME: "free space, then choose {folder} under 'Runs' and press 'Resume'",
    Remedy.LEAVE_BROKEN_OUT: "mend it, or switch on Data > Skip broken patients",
    Remedy.MAKE_WORKLIST: "press 'New list…' in Correct labels to make one of a folder of patients",
    Remedy.USE_CPU: "choose CPU as the device",
    Remedy.FEWER_DEVICES: "choose CPU as the device, or fewer devices",
}


def in_words(error: NapariRdlError) -> str:
    """Return an error's sentence, with the remedy that the plugin has for it."""
    return error.sentence(REMEDIES)
