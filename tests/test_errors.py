"""Errors say what is wrong as a sentence and what would mend it as a code, which each face words."""

from __future__ import annotations

import pickle
import string

import pytest

from napari_rdl import errors
from napari_rdl.errors import NEUTRAL, Cancelled, CaseError, GridsDifferError, NapariRdlError, Remedy


def test_a_sentence_without_a_remedy_stands_as_it_is():
    assert str(CaseError("x.nii is empty: leave it out.")) == "x.nii is empty: leave it out."


def test_each_face_words_the_remedy():
    error = CaseError("The values mean nothing.", Remedy.NAME_LABELS, conventions="a, b")
    assert str(error) == "The values mean nothing: name the label convention (a, b)."
    assert error.sentence({Remedy.NAME_LABELS: "add --labels {conventions}"}) == (
        "The values mean nothing: add --labels a, b."
    )
    assert error.sentence({}) == str(error)


@pytest.mark.parametrize("remedy", Remedy)
def test_every_remedy_reads_without_options_and_buttons(remedy):
    fields = [field for _, field, _, _ in string.Formatter().parse(NEUTRAL[remedy]) if field]
    sentence = NapariRdlError("It is so", remedy, **dict.fromkeys(fields, "X")).sentence()
    assert sentence.startswith("It is so: ")
    assert sentence.endswith(".")
    assert "--" not in sentence


def test_an_error_comes_back_from_another_process():
    error = GridsDifferError("They differ", Remedy.RESAMPLE, file="a")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is GridsDifferError
    assert (str(again), again.remedy, again.about) == (str(error), Remedy.RESAMPLE, {"file": "a"})


def test_the_family_is_public():
    import napari_rdl

    family = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert family <= set(napari_rdl.__all__)
    assert napari_rdl.Cancelled is Cancelled


def test_a_cancelled_run_is_no_error_to_go_on_after():
    assert not issubclass(Cancelled, NapariRdlError)
