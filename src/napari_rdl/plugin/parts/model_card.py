"""What a checkpoint says of itself, in words for a user."""

from __future__ import annotations

from pathlib import Path

from napari_rdl.errors import CheckpointError
from napari_rdl.plugin.parts.remedies import in_words


def card_summary(path: Path) -> str:
    """Return the model card in two or three short sentences, or what is wrong with the file."""
    from napari_rdl.models import read_card

    try:
        card = read_card(path)
    except CheckpointError as error:
        return in_words(error)
    sentences = [f"Trained on: {card.trained_on.rstrip('.')}."] if card.trained_on else []
    sentences.append(f"Works at {' × '.join(f'{size:g}' for size in card.spacing)} mm.")
    sentences.append(card.intended_use)
    return " ".join(sentences)


def card_method(path: Path) -> str:
    """Return the title of the model's method, such as ``RFNet (Ding et al., 2021)``; empty where unknown."""
    from napari_rdl.models import METHODS, read_card

    try:
        return METHODS[read_card(path).method].title
    except CheckpointError:
        return ""


def card_name(path: Path) -> str:
    """Return the model's name, or the file's where it has no card that can be read."""
    from napari_rdl.models import read_card

    try:
        return read_card(path).name
    except CheckpointError:
        return path.stem
