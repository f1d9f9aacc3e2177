"""What a file's name says: its modality, whether it is a mask, and which label convention goes with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from napari_rdl.brats import LABEL_CONVENTIONS, MASK_ALIASES, LabelConvention, modality_of_token
from napari_rdl.case.label_record import record_of, record_path
from napari_rdl.case.nifti import stem_of
from napari_rdl.errors import CaseError
from napari_rdl.files import read_bytes

_CONTRAST_TOKENS = frozenset({"gd", "gad", "gadolinium", "ce", "post", "contrast", "postcontrast", "km"})
_SURE_MASK_TOKENS = frozenset({"seg", "segm", "mask", "brainmask", "prob", "probability", "uncertainty"})

_BRATS_2018 = re.compile(r"^(?P<case>.+)_(?P<modality>t1|t1ce|t2|flair)$")
_BRATS_2023 = re.compile(r"^(?P<case>.+)-(t1n|t1c|t2w|t2f)$", re.IGNORECASE)
_BRATS_2024_CASE = re.compile(r"^BraTS-GLI-\d+-[1-9]\d\d$", re.IGNORECASE)
_PEDIATRIC_CASE = re.compile(r"^BraTS-PED", re.IGNORECASE)


def modality_of_file(path: Path, folder: Path | None = None) -> str | None:
    """Return the modality that a file's name spells, else the one of its sub-folder's name."""
    found = modality_of_name(stem_of(path))
    if found is None and folder is not None:
        for parent in path.relative_to(folder).parents:
            if parent.name and (found := modality_of_name(stem_of(Path(parent.name)))):
                break
    return found


def modality_of_name(stem: str) -> str | None:
    """Return the modality that a name without ending spells, or None.

    The last word counts (``sub-01_space-T1w_FLAIR`` is a FLAIR), else the first that is one
    (``T1_in_T2_space``); ``t2_flair`` and ``T1_Gd`` are read as one word each.
    """
    words = [word for word in re.split(r"[^A-Za-z0-9]+", stem) if word]
    spelled: list[str] = []
    last = None
    index = 0
    while index < len(words):
        pair = modality_of_token(words[index] + words[index + 1]) if index + 1 < len(words) else None
        both = pair if pair and modality_of_token(words[index]) else None
        modality = both or modality_of_token(words[index])
        index += 2 if both else 1
        if modality:
            spelled.append(modality)
            last = modality if index >= len(words) else None
    if not spelled:
        return None
    modality = last or spelled[0]
    if modality == "T1" and _CONTRAST_TOKENS & {word.lower() for word in words}:
        return "T1c"
    return modality


def is_mask_name(path: Path) -> bool:
    """Tell whether a file's name is a mask's of any kind, an expert's or a brain's."""
    words = words_of(stem_of(path))
    if _SURE_MASK_TOKENS.intersection(words):
        return True
    # GT may be a patient's initials: GT_t1 is an image.
    ends_in_modality = modality_of_name(re.split(r"[^A-Za-z0-9]+", stem_of(path))[-1]) is not None
    return not ends_in_modality and any(word in MASK_ALIASES for word in words)


def convention_of_names(images: Iterable[Path], mask: Path | None) -> LabelConvention | None:
    """Return the label convention that follows from the files' names, or None.

    Parameters
    ----------
    images : iterable of Path
        All the modalities' files.
    mask : Path or None
    """
    stems = [stem_of(path) for path in images]
    if mask is not None and "otmulticlass" in words_of(stem_of(mask)):
        return LABEL_CONVENTIONS["brats2013"]
    early = [match for stem in stems if (match := _BRATS_2018.match(stem))]
    if stems and len(early) == len(stems):
        # `_t1` and `_t2` alone are anybody's names.
        own = any(match["modality"] in ("t1ce", "flair") for match in early)
        if own or all(match["case"].lower().startswith("brats") for match in early):
            return LABEL_CONVENTIONS["brats2018"]
        return None
    matches = [match for stem in stems if (match := _BRATS_2023.match(stem))]
    if stems and len(matches) == len(stems):
        cases = [match["case"] for match in matches]
        if any(_PEDIATRIC_CASE.match(case) for case in cases):
            return None  # their numbers changed from year to year under the same names
        if all(_BRATS_2024_CASE.match(case) for case in cases):
            return LABEL_CONVENTIONS["brats2024"]
        return LABEL_CONVENTIONS["brats2023"]
    return None


def convention_named(labels: str | None) -> LabelConvention | None:
    """Return the label convention of a name given by the user, or None for none.

    Raises
    ------
    CaseError
        If there is no such convention.
    """
    if labels is None:
        return None
    if labels not in LABEL_CONVENTIONS:
        raise CaseError(f"{labels!r} is no label convention: use {', '.join(LABEL_CONVENTIONS)}.")
    return LABEL_CONVENTIONS[labels]


def is_expert_mask(path: Path) -> bool:
    """Tell whether a mask may be an expert's: no brain mask, and nothing that this program predicted."""
    words = words_of(stem_of(path))
    if not any(word in MASK_ALIASES for word in words) or "brainmask" in words or "betmask" in words:
        return False
    if modality_of_name(stem_of(path)) is not None:
        return False  # a subset's prediction, or the mask that cut one modality out of its skull
    # What this program predicted has its record beside it, and is no expert's word; a correction is.
    record = record_of(path)
    if record is not None and record.corrected:
        return True
    try:
        return b'"napari_rdl"' not in read_bytes(record_path(path))
    except OSError:
        return True


def words_of(stem: str) -> list[str]:
    """Return a name's words in lower case, and each two neighbours as one word."""
    words = [word for word in re.split(r"[^a-z0-9]+", stem.lower()) if word]
    return words + [first + second for first, second in pairwise(words)]
