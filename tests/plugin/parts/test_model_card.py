"""What a checkpoint says of itself, in words."""

from __future__ import annotations

from napari_rdl.plugin.parts.model_card import card_name, card_summary


def test_the_card_is_told_in_sentences(tiny_checkpoint):
    assert card_name(tiny_checkpoint) == "tiny"
    assert card_summary(tiny_checkpoint).startswith(
        "Trained on: nothing. Works at 2 × 2 × 2 mm. Research only."
    )


def test_what_is_no_checkpoint_is_said(tmp_path):
    path = tmp_path / "w.safetensors"
    assert "There is no checkpoint at" in card_summary(path)
    path.write_bytes(b"\x00" * 64)
    assert "cannot be read as a safetensors file" in card_summary(path)
    assert card_name(path) == "w"
