"""Layers of comparisons come and go; the viewer is given back as it was."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.plugin.viewer.roles import LAYER_KEY
from tests.plugin.compare.seen import visible_names


def subjects(viewer) -> set[str]:
    found = {layer.metadata.get(LAYER_KEY, {}).get("subject") for layer in viewer.layers}
    return found - {None}


def test_all_layers_go_with_the_patient_and_the_users_stay(compare, studied, encoded, rest):
    viewer = encoded.viewer
    mine = viewer.add_labels(np.ones(studied.case.grid.shape, np.uint8), name="mine")
    compare.worth.box.buttons["T2"].click()
    compare.agreement.box.entropy_box.setChecked(True)
    rest()
    assert subjects(viewer) == {"where", "entropy"}
    before = list(viewer.layers)
    # What serves one purpose lives in one layer.
    compare.pair.box.difference_box.setChecked(True)
    compare.agreement.box.agreement_box.setChecked(True)
    rest()
    assert subjects(viewer) == {"difference", "agreement"}
    assert list(viewer.layers) == before
    assert not compare.worth.box.asked
    assert not compare.agreement.box.entropy_box.isChecked()
    encoded.session.set_case(encoded.session.case)
    assert not [
        layer for layer in viewer.layers if layer.metadata.get(LAYER_KEY, {}).get("role") == "compare"
    ]
    assert mine in viewer.layers
    assert (mine.data == 1).all()
    assert not compare.pair.box.difference_box.isChecked()
    assert not compare.agreement.box.agreement_box.isChecked()


@pytest.mark.parametrize("box", ["difference_box", "beside_box"])
def test_napari_closes_while_two_are_compared(compare, studied, encoded, rest, box):
    getattr(compare.pair.box, box).setChecked(True)
    compare.agreement.box.agreement_box.setChecked(True)
    rest()
    compare.worth.box.buttons["T2"].click()
    encoded.viewer.close()
    assert compare.comparison.studied is None


def test_closing_the_dock_gives_the_viewer_back(compare, studied, encoded, rest):
    viewer = encoded.viewer
    order, shown = list(viewer.layers), visible_names(viewer)
    compare.pair.box.beside_box.setChecked(True)
    compare.agreement.box.agreement_box.setChecked(True)
    rest()
    viewer.window.remove_dock_widget(compare)
    assert list(viewer.layers) == order
    assert visible_names(viewer) == shown
    assert not viewer.canvas.grid.enabled
