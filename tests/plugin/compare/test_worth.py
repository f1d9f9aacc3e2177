"""What each modality is worth: bars, captions, and where its absence shows."""

from __future__ import annotations

import numpy as np

from napari_rdl.brats import MODALITIES, REGIONS
from napari_rdl.compare import lost_and_gained
from napari_rdl.compare.export import BY_RULE
from napari_rdl.plugin.viewer.appearance import placement
from tests.plugin.compare.seen import assert_placed, layer_of


def test_bars_are_the_shapley_values_and_where_shows_what_changes(compare, studied, encoded, rest):
    box = compare.worth.box
    worth = studied.study.worth()
    for number, region in enumerate(REGIONS):
        box.region_box.setCurrentIndex(number)
        box.region_box.activated.emit(number)
        assert {name: bar.value for name, bar in box.bars.items()} == worth.values[region]
        assert f"{100 * worth.full[region]:.1f} %" in box.caption.text()
    box.set_region("TC")
    changed = {name: lost_and_gained(studied.study.stack, name, region="TC") for name in MODALITIES}
    least, most = (one(MODALITIES, key=lambda name: np.count_nonzero(changed[name])) for one in (min, max))
    assert changed[most].any()
    box.buttons[most].click()
    rest()
    layer = layer_of(encoded.viewer, "where")
    np.testing.assert_array_equal(layer.data, changed[most])
    assert_placed(layer, studied.case)
    lost = (changed[most] == 1).sum() * studied.study.grid.voxel_ml
    assert f"{lost:.1f} ml of TC are lost" in box.where.text()
    box.buttons[least].click()
    rest()
    assert box.asked == least
    np.testing.assert_array_equal(layer.data, changed[least])
    box.buttons[least].click()
    assert not layer.visible


def test_a_region_empty_in_the_reference_has_a_dash(compare, studied, encoded, rest):
    from napari_rdl.plugin.compare.reference import ReferenceChoice

    grid = studied.case.grid
    flat = np.zeros(grid.shape, np.uint8)
    flat[4:9, 4:9, 4:9] = 2
    layer = encoded.viewer.add_labels(flat, name="oedema", **placement(grid))
    compare.set_reference(ReferenceChoice("layer", "layer oedema", layer))
    rest()
    compare.worth.box.set_region("ET")
    compare.worth.box.show_worth(compare.comparison.studied.study.worth(), MODALITIES, "layer oedema")
    assert {label.text() for label in compare.worth.box.values.values()} == {"–"}
    assert "no modality has a value" in compare.worth.box.caption.text()
    matrix = compare.matrix_box.table.matrix
    assert matrix.index(0, matrix.columnCount() - 1).data().endswith(BY_RULE)
