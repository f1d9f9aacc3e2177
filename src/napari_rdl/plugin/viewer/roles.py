"""What this plugin's layers are for, and what may therefore happen to each of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_rdl.case import Case

LAYER_KEY = "napari_rdl"
"""Key in ``layer.metadata`` under which this plugin keeps what it knows of its own layers: ``role``,
``case`` (its name), ``source`` (the `Case`) and, for images, ``modality``."""


class Saving(Enum):
    """How a layer's values are written to a file."""

    CLASSES = "class indices, in the patient's label convention on the grid of the patient's files"
    CASE_VALUES = "values as they are, on the grid of the patient's files"
    FILE_VALUES = "values as they are, on the grid of the file that they were read from"
    NOT = "not at all: the layer only shows another one"


class Role(StrEnum):
    """What a layer of this plugin is for.

    Attributes
    ----------
    saving : Saving
        How it is saved.
    is_modality : bool
        Whether it can be one of a patient's images.
    is_reference : bool
        Whether subsets can be compared with it: what was drawn or corrected by a human.
    has_twins : bool
        Whether every cell of the modalities side by side gets a copy of it.
    is_prediction : bool
        Whether it shows what the model says now: it steps aside for what is laid over the same place.
    """

    saving: Saving
    is_modality: bool
    is_reference: bool
    has_twins: bool
    is_prediction: bool

    def __new__(
        cls,
        value: str,
        saving: Saving = Saving.NOT,
        is_modality: bool = False,
        is_reference: bool = False,
        has_twins: bool = False,
        is_prediction: bool = False,
    ) -> Role:
        """Make a member with its answers."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.saving = saving
        member.is_modality = is_modality
        member.is_reference = is_reference
        member.has_twins = has_twins
        member.is_prediction = is_prediction
        return member

    #             value         saving               modality  reference  twins  prediction
    IMAGE = ("image", Saving.NOT, True, False, False, False)
    """A modality of a patient, or an image read from one file."""
    EXPERT = ("expert", Saving.CLASSES, False, True, True, False)
    """The mask that came with a patient."""
    MASK = ("mask", Saving.FILE_VALUES, False, True, False, False)
    """Labels read from one file, values as they stand in it."""
    PREDICTION = ("prediction", Saving.CLASSES, False, False, True, True)
    """What the model says, as classes."""
    OUTLINE = ("outline", Saving.NOT, False, False, True, True)
    """What the model says, as outlines of regions."""
    CORRECTED = ("corrected", Saving.CLASSES, False, True, True, False)
    """The copy that a human corrects."""
    STUDIED = ("studied", Saving.CLASSES, False, False, True, False)
    """A subset's labels, from a finished study."""
    COMPARISON = ("compare", Saving.CASE_VALUES, False, False, True, False)
    """A map of what two label maps, or all subsets, have in common."""
    SCRIBBLES = ("scribbles", Saving.NOT, False, False, False, False)
    """Strokes that labels are refined from."""
    SIDE = ("side", Saving.CLASSES, False, False, False, False)
    """One of two label maps side by side."""
    SURFACE = ("surface", Saving.NOT, False, False, False, False)
    """A region of the tumour as a surface."""
    TWIN = ("twin", Saving.NOT, False, False, False, False)
    """A layer's copy in another cell."""


def role_metadata(role: Role, case: Case, **more: Any) -> dict[str, Any]:
    """Return the metadata of a layer made from `case`; `more` goes beside role and case."""
    return {LAYER_KEY: {"role": role, "case": case.name, "source": case, **more}}


def plugin_metadata(layer: Layer) -> Mapping[str, Any]:
    """Return what the plugin knows of `layer`: empty for a layer that is not its own."""
    known = layer.metadata.get(LAYER_KEY)
    return known if isinstance(known, Mapping) else {}


def role_of(layer: Layer) -> Role | None:
    """Return what `layer` is for, or None for anyone else's layer."""
    return role_in(plugin_metadata(layer))


def role_in(known: Mapping[str, Any]) -> Role | None:
    """Return the role that a layer's metadata name, or None."""
    try:
        return Role(known["role"])
    except (KeyError, ValueError):
        return None


def case_of(layer: Layer) -> Case | None:
    """Return the `Case` that `layer` was made from, or None for anyone else's layer."""
    return plugin_metadata(layer).get("source")
