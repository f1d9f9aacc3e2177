"""Where the subsets agree: one layer for agreement or entropy, and places to go to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from napari.layers import Image

from napari_rdl.compare import agreement, entropy
from tests.plugin.compare.seen import assert_placed, layer_of


def test_agreement_entropy_and_places(compare, studied, encoded, rest):
    box, viewer = compare.agreement.box, encoded.viewer
    box.agreement_box.setChecked(True)
    rest()
    shown = layer_of(viewer, "agreement")
    assert isinstance(shown, Image)
    assert_placed(shown, studied.case)
    np.testing.assert_array_equal(shown.data, agreement(studied.study.stack))
    assert shown.colorbar.visible
    assert shown.name.endswith("agreement (share of the subsets)")
    box.entropy_box.setChecked(True)
    assert not box.agreement_box.isChecked()
    encoded.set_subset(("T1", "T2"))
    rest()
    assert layer_of(viewer, "entropy") is shown
    expected = entropy(encoded.session.representations, ("T1", "T2"))
    np.testing.assert_array_equal(layer_of(viewer, "entropy").data, expected)
    assert layer_of(viewer, "entropy").name.endswith("entropy of T1+T2 (0 sure, 1 undecided)")
    assert studied.places
    assert box.places.rowCount() == len(studied.places)
    place = studied.places[-1]
    box.table.selectRow(len(studied.places) - 1)
    scale, translate = shown.scale, shown.translate
    np.testing.assert_allclose(viewer.dims.point, translate + scale * np.array(place.voxel), atol=0.01)
    # Of a bent place the centre lies outside: what is listed is where one gets to.
    box.show_places([replace(place, centroid_mm=(900, 900, 900))], studied.case.grid)
    listed = [float(box.places.index(0, column).data()) for column in (2, 3, 4)]
    np.testing.assert_allclose(listed, viewer.dims.point, atol=0.51)
    box.entropy_box.setChecked(False)
    assert not shown.visible
