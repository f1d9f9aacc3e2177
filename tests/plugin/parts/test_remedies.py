"""Remedies in the words of the plugin: every one is worded, and none speaks of the shell."""

from __future__ import annotations

from string import Formatter

import pytest

from napari_rdl.case import find_case_files
from napari_rdl.errors import NEUTRAL, CaseError, Remedy
from napari_rdl.plugin.parts.remedies import REMEDIES, in_words


@pytest.mark.parametrize("remedy", Remedy)
def test_every_remedy_has_words_for_a_user_of_buttons(remedy):
    words = REMEDIES[remedy]
    assert "--" not in words
    assert "napari-rdl " not in words
    assert "=file" not in words

    def fields(text):
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert fields(words) <= fields(NEUTRAL[remedy]), "what an error tells is what its neutral words name"


def test_an_error_is_told_with_the_plugin_s_remedy():
    error = CaseError("T1 and T2 lie on different grids", Remedy.RESAMPLE)
    said = in_words(error)
    assert said == "T1 and T2 lie on different grids: press 'Resample to one grid' in Segment tumour."


def test_files_that_do_not_tell_their_modality_are_told_of_without_the_shell_s_words(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        (tmp_path / name).touch()
    with pytest.raises(CaseError) as refused:
        find_case_files(tmp_path)
    assert "'Use open layers'" in in_words(refused.value)
    for name in ("P_t1.nii.gz", "Q_t1.nii.gz"):
        (tmp_path / name).touch()
    with pytest.raises(CaseError, match="more than one file for T1") as refused:
        find_case_files(tmp_path)
    assert "drop the files" in in_words(refused.value)
    assert "=" not in in_words(refused.value)


def test_an_error_without_a_remedy_is_told_as_it_is():
    assert (
        in_words(CaseError("The folder is empty: choose another.")) == "The folder is empty: choose another."
    )
