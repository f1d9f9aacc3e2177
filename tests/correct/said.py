"""Representations of a made patient whose model says what a test wants."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from napari_rdl.case import case_from_arrays
from napari_rdl.segment import Representations
from napari_rdl.segment.answers import Answers

from ..conftest import tiny_arrays

CLASSES = 4


class Said(Answers):
    """Says the same of every subset: given labels, with a given certainty."""

    def __init__(self, modalities, labels, certainty):
        self.modalities = modalities
        self.box = tuple(slice(1, size - 1) for size in labels.shape)
        self._labels = labels[self.box]
        self._certainty = certainty

    nbytes = 0

    def labels(self, subset, progress, cancelled):
        return self._labels

    def label_slice(self, subset, axis, index):
        return self._labels.take([index - 1], axis)

    def probabilities(self, subset, temperature, progress, cancelled):
        one_hot = np.moveaxis(np.eye(CLASSES, dtype=np.float32)[self._labels], -1, 0)
        rest = (1 - self._certainty) / (CLASSES - 1)
        return one_hot * np.float32(self._certainty - rest) + np.float32(rest)


def said(labels, *, certainty=0.8, modalities=("T1", "T1c", "T2", "FLAIR"), spacing=2.0):
    """Return representations of the tiny patient, of which the model says `labels`."""
    images, _ = tiny_arrays()
    case = case_from_arrays(
        {name: images[name] for name in modalities}, np.diag([spacing, spacing, spacing, 1.0]), name="tiny"
    )
    card = SimpleNamespace(temperatures={}, trained_subsets=())
    return Representations(
        Said(modalities, labels, certainty), case, lambda case: SimpleNamespace(case=case, card=card)
    )


def truth():
    """Return the tiny patient's true class indices."""
    return tiny_arrays()[1]
