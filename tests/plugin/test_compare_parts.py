"""What Compare subsets shows besides the table: two label maps, worth, agreement, exports."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication

from napari_rdl.brats import MODALITIES, REGIONS, SUBSETS
from napari_rdl.compare import agreement, changed_without, difference, entropy
from napari_rdl.compare.export import BY_RULE
from napari_rdl.plugin.compare.colours import readable_on, scale_colour
from napari_rdl.plugin.compare.reference import file_choice
from napari_rdl.plugin.viewer.layers import LAYER_KEY, placement
from tests.plugin.conftest import WAIT_MS


@pytest.fixture
def rest(qtbot, compare, encoded):
    """Wait until every layer shows what was asked for."""
    workers = [compare.two.worker, compare.worth.worker, *compare.agreement.workers.values()]

    def wait() -> None:
        runner = compare.comparison.runner
        qtbot.waitUntil(
            lambda: (
                not any(worker.busy for worker in workers) and not runner.busy and not encoded.updater.pending
            ),
            timeout=WAIT_MS,
        )

    return wait


def layer_of(viewer, subject: str):
    (layer,) = [one for one in viewer.layers if one.metadata.get(LAYER_KEY, {}).get("subject") == subject]
    return layer


def visible_names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def assert_placed(layer, case) -> None:
    expected = placement(case.grid)
    np.testing.assert_allclose(layer.scale, expected["scale"])
    np.testing.assert_allclose(layer.translate, expected["translate"])
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3


def test_the_difference_of_two_pinned_rows(compare, studied, encoded, qtbot, rest):
    viewer, table = encoded.viewer, compare.matrix_box.table
    before = visible_names(viewer)
    encoded.set_subset(("T2",))
    qtbot.keyClick(table, Qt.Key.Key_A)
    compare.two.box.pin("B", ("T1",))
    assert compare.two.box.pins == {"A": ("T2",), "B": ("T1",)}
    assert table.matrix.index(1, 0).data() == "A"
    assert table.matrix.index(3, 0).data() == "B"
    compare.two.box.difference_box.setChecked(True)
    rest()
    layer = layer_of(viewer, "difference")
    assert_placed(layer, studied.case)
    representations = encoded.session.representations
    first, second = (representations.labels(subset) for subset in (("T2",), ("T1",)))
    np.testing.assert_array_equal(layer.data, difference(first, second, "WT"))
    assert None in layer.colormap.color_dict
    assert not layer.editable
    assert encoded.updater.prediction.layer.visible is False
    ml = studied.case.grid.voxel_ml
    assert f"{(layer.data == 1).sum() * ml:.1f} ml" in compare.two.box.lines[0].text()
    compare.two.box.part_box.setCurrentIndex(2)
    compare.two.box.sides_changed.emit()
    rest()
    assert layer_of(viewer, "difference") is layer
    np.testing.assert_array_equal(layer.data, difference(first, second, "ET"))
    compare.two.box.difference_box.setChecked(False)
    assert visible_names(viewer) == before


def test_the_row_shown_against_the_reference_follows_the_rows(compare, studied, encoded, rest):
    compare.two.box.difference_box.setChecked(True)
    for subset in (("T1c",), ("T2", "FLAIR")):
        compare.comparison.go_to(subset)
        rest()
        expected = difference(encoded.session.representations.labels(subset), studied.case.truth(), "WT")
        np.testing.assert_array_equal(layer_of(encoded.viewer, "difference").data, expected)


def test_side_by_side_in_two_cells_and_back(compare, studied, encoded, rest):
    viewer = encoded.viewer
    mine = viewer.add_points(np.zeros((1, 3)), name="mine")
    order, shown = list(viewer.layers), visible_names(viewer)
    grid = viewer.canvas.grid
    before = (grid.enabled, grid.stride, grid.shape)
    compare.two.box.pin("A", ("T2",))
    compare.two.box.beside_box.setChecked(True)
    rest()
    assert grid.enabled
    seen = [layer for layer in viewer.layers if layer.visible]
    cells = [grid.position(list(viewer.layers).index(layer), list(viewer.layers)) for layer in seen]
    assert cells == [(0, 0), (0, 0), (0, 1), (0, 1)]
    image, side_a, twin, side_b = seen
    assert isinstance(image, Image)
    assert twin.data is image.data
    np.testing.assert_array_equal(side_a.data, encoded.session.representations.labels(("T2",)))
    np.testing.assert_array_equal(side_b.data, studied.case.truth())
    assert (side_a.name, side_b.name) == ("A: T2", "B: expert mask")
    image.contrast_limits = (10, 200)
    assert tuple(twin.contrast_limits) == (10, 200)
    compare.two.box.beside_box.setChecked(False)
    assert (grid.enabled, grid.stride, grid.shape) == before
    assert list(viewer.layers) == order
    assert visible_names(viewer) == shown
    assert mine in viewer.layers


def test_the_grid_of_modalities_takes_the_place_of_side_by_side(compare, studied, encoded, rest):
    compare.two.box.beside_box.setChecked(True)
    rest()
    encoded.viewing.box.grid_box.setChecked(True)
    assert not compare.two.box.beside_box.isChecked()
    assert encoded.viewer.canvas.grid.enabled
    roles = [layer.metadata.get(LAYER_KEY, {}).get("role") for layer in encoded.viewer.layers]
    assert "side" not in roles
    compare.two.box.beside_box.setChecked(True)
    assert not encoded.viewing.box.grid_box.isChecked()
    compare.two.box.beside_box.setChecked(False)
    rest()


def test_the_difference_lies_on_every_cell_of_the_grid_of_modalities(compare, studied, encoded, rest):
    encoded.viewing.box.grid_box.setChecked(True)
    compare.two.box.difference_box.setChecked(True)
    rest()
    QApplication.processEvents()
    layer = layer_of(encoded.viewer, "difference")
    twins = [one for one in encoded.viewer.layers if one is not layer and one.data is layer.data]
    assert len(twins) == len(MODALITIES) - 1
    assert all(twin.visible for twin in twins)
    compare.two.box.difference_box.setChecked(False)
    assert not any(twin.visible for twin in twins)
    encoded.session.set_case(encoded.session.case)
    QApplication.processEvents()
    encoded.viewing.box.grid_box.setChecked(False)
    subjects = [one.metadata.get(LAYER_KEY, {}).get("subject") for one in encoded.viewer.layers]
    assert "difference" not in subjects


def test_bars_are_the_shapley_values_and_where_shows_what_changes(compare, studied, encoded, rest):
    box = compare.worth.box
    worth = studied.study.worth()
    for number, region in enumerate(REGIONS):
        box.region_box.setCurrentIndex(number)
        box.region_box.activated.emit(number)
        assert {name: bar.value for name, bar in box.bars.items()} == worth.values[region]
        assert f"{100 * worth.full[region]:.1f} %" in box.caption.text()
    box.set_region("TC")
    changed = {name: changed_without(studied.study.stack, name, region="TC") for name in MODALITIES}
    least, most = (one(MODALITIES, key=lambda name: changed[name].sum()) for one in (min, max))
    assert changed[most].any()
    box.buttons[most].click()
    rest()
    layer = layer_of(encoded.viewer, "where")
    np.testing.assert_array_equal(layer.data, changed[most])
    assert_placed(layer, studied.case)
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


def test_agreement_entropy_and_places(compare, studied, encoded, rest):
    box, viewer = compare.agreement.box, encoded.viewer
    box.agreement_box.setChecked(True)
    box.entropy_box.setChecked(True)
    rest()
    shown = layer_of(viewer, "agreement")
    assert isinstance(shown, Image)
    assert_placed(shown, studied.case)
    np.testing.assert_array_equal(shown.data, agreement(studied.study.stack))
    encoded.set_subset(("T1", "T2"))
    rest()
    expected = entropy(encoded.session.representations, ("T1", "T2"))
    np.testing.assert_array_equal(layer_of(viewer, "entropy").data, expected)
    assert layer_of(viewer, "entropy").name.endswith("entropy of T1+T2")
    assert studied.places
    assert box.places.rowCount() == len(studied.places)
    place = studied.places[-1]
    box.table.selectRow(len(studied.places) - 1)
    scale, translate = shown.scale, shown.translate
    np.testing.assert_allclose(viewer.dims.point, translate + scale * np.array(place.voxel), atol=0.01)
    box.agreement_box.setChecked(False)
    assert not shown.visible


def test_all_layers_go_with_the_patient_and_the_users_stay(compare, studied, encoded, rest):
    viewer = encoded.viewer
    mine = viewer.add_labels(np.ones(studied.case.grid.shape, np.uint8), name="mine")
    compare.two.box.difference_box.setChecked(True)
    compare.worth.box.buttons["T2"].click()
    compare.agreement.box.agreement_box.setChecked(True)
    rest()
    assert {layer.metadata.get(LAYER_KEY, {}).get("subject") for layer in viewer.layers} >= {
        "difference",
        "where",
        "agreement",
    }
    encoded.session.set_case(encoded.session.case)
    assert not [
        layer for layer in viewer.layers if layer.metadata.get(LAYER_KEY, {}).get("role") == "compare"
    ]
    assert mine in viewer.layers
    assert (mine.data == 1).all()
    assert not compare.two.box.difference_box.isChecked()
    assert not compare.agreement.box.agreement_box.isChecked()


@pytest.mark.parametrize("box", ["difference_box", "beside_box"])
def test_napari_closes_while_two_are_compared(compare, studied, encoded, rest, box):
    getattr(compare.two.box, box).setChecked(True)
    compare.agreement.box.agreement_box.setChecked(True)
    rest()
    compare.worth.box.buttons["T2"].click()
    encoded.viewer.close()
    assert compare.comparison.studied is None


def test_closing_the_dock_gives_the_viewer_back(compare, studied, encoded, rest):
    viewer = encoded.viewer
    order, shown = list(viewer.layers), visible_names(viewer)
    compare.two.box.beside_box.setChecked(True)
    compare.agreement.box.agreement_box.setChecked(True)
    rest()
    viewer.window.remove_dock_widget(compare)
    assert list(viewer.layers) == order
    assert visible_names(viewer) == shown
    assert not viewer.canvas.grid.enabled


def test_exports(compare, studied, tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    compare.export.save(table)
    lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert len(rows) == len(SUBSETS) * len(REGIONS)
    assert float(rows[0]["dice"]) == studied.study.rows[0].scores["WT"].dice
    assert f"Saved table.csv in {tmp_path}" in compare.matrix_box.status.text()
    picture = tmp_path / "table.png"
    compare.export.save(picture)
    image = QImage(str(picture))
    assert image.width() > 300
    colours = {image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert len(colours) > 10
    compare.export.copy_markdown()
    text = QApplication.clipboard().text()
    assert text.count("●") == 32
    assert "Dice WT (%)" in text
    problems = []
    compare.problem.connect(problems.append)
    compare.export.save(tmp_path / "nowhere" / "deep.csv" / "x.csv")
    compare.export.save(table / "below-a-file.csv")
    assert problems


def test_choices_are_remembered(compare, studied, encoded, compare_beside, tiny_checkpoint):
    box = compare.matrix_box.measure_box
    names = [box.itemData(index) for index in range(box.count())]
    box.setCurrentIndex(names.index("hd95"))
    box.activated.emit(names.index("hd95"))
    compare.worth.box.region_box.setCurrentIndex(2)
    compare.worth.box.region_box.activated.emit(2)
    compare.matrix_box.reference_box.chosen.emit(file_choice("checkpoint", tiny_checkpoint))
    other = compare_beside(encoded)
    assert other.memory.choices.measure == "hd95"
    assert other.matrix_box.reference_box.start_folders["checkpoint"] == tiny_checkpoint.parent
    assert other.worth.box.region == "ET"


def test_the_theme_is_followed(compare, studied, encoded):
    dark = compare.worth.box.bars["T1"].colours.text.name()
    encoded.viewer.theme = "light"
    assert compare.worth.box.bars["T1"].colours.text.name() != dark
    encoded.viewer.theme = "dark"


def test_the_scale_goes_from_dark_to_bright():
    lightness = [scale_colour(share).lightnessF() for share in (0, 0.5, 1)]
    assert lightness == sorted(lightness)
    assert scale_colour(-1) == scale_colour(0)
    assert readable_on(scale_colour(0)).name() == "#ffffff"
    assert readable_on(scale_colour(1)).name() == "#000000"
