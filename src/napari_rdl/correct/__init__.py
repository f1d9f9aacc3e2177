"""Edits of labels by a human, their history, and refinement from scribbles; no Qt (to come)."""
