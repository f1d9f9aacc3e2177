"""Sentences in the widget: one list of them, wrapped and never cut."""

from __future__ import annotations

from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import WrappedLabel


def test_messages_replace_each_other_and_an_empty_bar_is_hidden(shown):
    bar = shown(MessageBar())
    assert bar.isHidden()
    bar.show_messages([("warning", "one"), ("note", "two")])
    bar.show_message("error", "three")
    assert bar.messages == (("error", "three"),)
    assert not bar.isHidden()
    bar.clear()
    assert bar.isHidden()


def test_a_path_breaks_instead_of_being_cut_off(shown):
    path = "/data/a_very_long_folder_name/of_a_patient/with_no_space_at_all/flair.nii.gz"
    label = shown(WrappedLabel(path))
    assert label.text() == path
    assert label.heightForWidth(200) >= 2 * label.fontMetrics().height()
