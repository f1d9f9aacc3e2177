"""Modalities switched off and on: the labels, their volumes and what to expect of them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.brats import MODALITIES, SUBSETS
from napari_rdl.models import ModelCard, load_model, save_model
from tests.plugin.seen import of_role


def test_the_prediction_equals_the_labels_of_each_subset(encoded, finish):
    (layer,) = of_role(encoded.viewer, "prediction")
    representations = encoded.session.representations
    seen = set()
    for subset in SUBSETS:
        encoded.set_subset(subset)
        finish(encoded)
        expected = representations.labels(subset)
        np.testing.assert_array_equal(layer.data, expected)
        shown = {name for name, switch in encoded.switches.switches.items() if switch.isChecked()}
        assert shown == set(subset)
        seen.add(expected.tobytes())
    assert len(seen) > 5, "the tiny model should tell subsets apart"
    assert of_role(encoded.viewer, "prediction") == [layer]


def test_a_flip_draws_the_slice_in_view_before_the_volume(encoded, finish, qtbot):
    encoded.updater.every.drop()
    (layer,) = of_role(encoded.viewer, "prediction")
    representations = encoded.session.representations
    before = layer.data.copy()
    index = round(encoded.viewer.dims.point[2] - layer.translate[2])
    heard = []
    encoded.viewer.layers.events.connect(heard.append)
    encoded.session.flip("T1c")
    # The list of layers, which paints a row for each event, heard nothing: that would be a picture more.
    assert not heard
    subset = ("T1", "T2", "FLAIR")
    assert encoded.updater.pending
    np.testing.assert_array_equal(layer.data[:, :, index], representations.label_slice(subset, 2, index))
    others = np.delete(np.arange(before.shape[2]), index)
    np.testing.assert_array_equal(layer.data[:, :, others], before[:, :, others])
    encoded.viewer.dims.set_current_step(2, index - 2)
    np.testing.assert_array_equal(
        layer.data[:, :, index - 2], representations.label_slice(subset, 2, index - 2)
    )
    finish(encoded)
    np.testing.assert_array_equal(layer.data, representations.labels(subset))


def test_once_every_subset_was_combined_a_flip_shows_all_at_once(encoded, finish, qtbot, monkeypatch):
    updater, representations = encoded.updater, encoded.session.representations
    encoded.set_subset(("T1",))
    finish(encoded)
    qtbot.waitUntil(lambda: updater.every.ready, timeout=30_000)
    (layer,) = of_role(encoded.viewer, "prediction")
    wanted = {subset: representations.combine(subset) for subset in SUBSETS}
    for name in ("combine", "label_slice"):
        monkeypatch.setattr(type(representations), name, lambda *_: pytest.fail("it is there already"))
    heard = []
    for subset, expected in wanted.items():
        encoded.viewer.layers.events.connect(heard.append)
        encoded.set_subset(subset)
        encoded.viewer.layers.events.disconnect(heard.append)
        assert not updater.pending
        assert not heard
        np.testing.assert_array_equal(layer.data, expected.labels)
        shown = encoded.volumes_table.volumes.index(0, 1).data()
        assert shown == f"{expected.volumes_ml()['WT']:.1f}"
        assert updater.segmentation.provenance() == expected.provenance()
    thumbnails = []
    layer.events.thumbnail.connect(thumbnails.append)
    qtbot.waitUntil(lambda: bool(thumbnails), timeout=5_000)
    layer.events.thumbnail.disconnect(thumbnails.append)
    encoded.set_subset(MODALITIES)


def test_what_was_combined_goes_with_the_patient(encoded, finish, qtbot):
    updater = encoded.updater
    encoded.set_subset(("T1",))
    finish(encoded)
    qtbot.waitUntil(lambda: updater.every.ready, timeout=30_000)
    assert updater.every.segmentation(object(), ("T1",)) is None
    encoded.set_subset(MODALITIES)
    updater.remove()
    assert not updater.every.ready


def test_the_last_of_many_quick_flips_wins(encoded, finish):
    for modality in ("T1", "T1c", "T2", "T1", "FLAIR", "T1c"):
        encoded.session.flip(modality)
    finish(encoded)
    assert encoded.session.subset == ("T1", "T1c")
    (layer,) = of_role(encoded.viewer, "prediction")
    np.testing.assert_array_equal(layer.data, encoded.session.representations.labels(("T1", "T1c")))


def test_clicking_a_switch_flips_and_the_last_one_stays_on(encoded, qtbot, finish):
    for modality in ("T1", "T1c", "T2"):
        encoded.switches.switches[modality].click()
    assert encoded.session.subset == ("FLAIR",)
    assert not encoded.switches.switches["FLAIR"].isEnabled()
    encoded.session.flip("FLAIR")
    assert encoded.session.subset == ("FLAIR",)
    encoded.switches.all_button.click()
    assert encoded.session.subset == MODALITIES
    finish(encoded)


def test_a_key_flips_in_the_viewer(encoded, finish):
    from napari.utils.key_bindings import coerce_keybinding

    encoded.viewer.keymap[coerce_keybinding("F2")](encoded.viewer)
    assert encoded.session.subset == ("T1", "T2", "FLAIR")
    encoded.key_editor.keys_changed.emit({"T1": "F1", "T1c": "Alt+9", "T2": "F3", "FLAIR": "F4"})
    assert coerce_keybinding("F2") not in encoded.viewer.keymap
    encoded.viewer.keymap[coerce_keybinding("Alt-9")](encoded.viewer)
    assert encoded.session.subset == MODALITIES
    assert "Alt+9" in encoded.switches.switches["T1c"].text()
    finish(encoded)


def test_volumes_and_their_change_against_the_full_set(encoded, finish):
    encoded.set_subset(("T2",))
    finish(encoded)
    representations = encoded.session.representations
    now, full = (representations.combine(subset).volumes_ml() for subset in (("T2",), None))
    table = encoded.volumes_table.volumes
    for row, region in enumerate(("WT", "TC", "ET")):
        assert table.index(row, 1).data() == f"{now[region]:.1f}"
        difference = now[region] - full[region]
        expected = f"{difference:+.1f}" if abs(difference) >= 0.05 else "±0.0"
        assert table.index(row, 2).data().split(" ")[0] == expected
    assert any(abs(now[region] - full[region]) >= 0.05 for region in now), "a model that hears its input"


def test_what_to_expect_of_the_subset_shown_stands_under_its_volumes(
    opened, tiny_checkpoint, tmp_path, finish
):
    model = load_model(tiny_checkpoint)
    expected = {"FLAIR": {"dice": {"WT": {"mean": 0.71, "low": 0.6, "high": 0.8, "patients": 16}}}}
    card = ModelCard.model_validate({**model.card.model_dump(), "expected": expected})
    opened.run_box.choose_model(save_model(tmp_path / "told.safetensors", model.network, card))
    opened.run()
    finish(opened)
    assert opened.expectation.text() == ""
    opened.set_subset(("FLAIR",))
    finish(opened)
    assert opened.expectation.text() == "Expect WT Dice 0.71 (0.60 to 0.80)."
    opened.set_subset(("T1", "FLAIR"))
    finish(opened)
    assert opened.expectation.text() == ""
