"""Compare subsets beside Segment tumour: fifteen rows, rows that are gone to, references."""

from __future__ import annotations

import shutil
import threading

import nibabel as nib
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_rdl.brats import MODALITIES, REGIONS, SUBSETS, subset_name
from napari_rdl.compare.export import MEASURES
from napari_rdl.plugin.compare.matrix import PRESENT, SORT, VALUE
from napari_rdl.plugin.compare.reference import ReferenceChoice, file_choice
from napari_rdl.plugin.viewer.appearance import placement
from napari_rdl.plugin.viewer.roles import LAYER_KEY

MEASURE = {measure.name: measure for measure in MEASURES}


def values(compare, measure: str) -> dict[tuple[str, ...], dict[str, float | None]]:
    """What the table says, by subset and region."""
    compare.matrix_box.table.matrix.set_measure(MEASURE[measure])
    order = compare.matrix_box.table.order
    first = 1 + len(compare.matrix_box.table.matrix.modalities)
    found = {}
    for row in range(order.rowCount()):
        present = [order.index(row, 1 + number).data(PRESENT) for number in range(first - 1)]
        subset = tuple(
            name for name, on in zip(compare.matrix_box.table.matrix.modalities, present, strict=True) if on
        )
        found[subset] = {
            region: order.index(row, first + number).data(VALUE) for number, region in enumerate(REGIONS)
        }
    return found


def choose(compare, kind: str) -> ReferenceChoice:
    choice = next(one for one in compare.matrix_box.reference_box.choices if one.kind == kind)
    compare.set_reference(choice)
    return choice


def test_the_rows_are_those_of_evaluate_to_the_last_digit(compare, studied, encoded, tiny_model):
    from napari_rdl.cohort.evaluate import EvaluationSettings, score_case
    from napari_rdl.segment import SegmentSettings

    case = encoded.session.case
    settings = EvaluationSettings(segment=SegmentSettings(device="cpu"))
    expected = score_case(case, case.truth(), tiny_model, settings)
    dice, hd95 = values(compare, "dice"), values(compare, "hd95")
    assert list(dice) == list(SUBSETS)
    for subset in SUBSETS:
        for region in REGIONS:
            score = expected[subset_name(subset)][region]
            assert (dice[subset][region], hd95[subset][region]) == (score["dice"], score["hd95"])


def test_opening_on_an_encoded_patient_costs_no_second_encode(
    encoded, monkeypatch, compare_beside, studied_in
):
    import napari_rdl.segment

    def encode_again(*arguments, **settings):
        raise AssertionError("encoded twice")

    monkeypatch.setattr(napari_rdl.segment, "encode", encode_again)
    compare = compare_beside(encoded)
    studied_in(compare)
    assert compare.comparison.studied.study.stack.subsets == SUBSETS
    assert not compare.messages.messages


def test_a_row_shows_its_subset_everywhere(compare, studied, encoded, finish):
    table = compare.matrix_box.table
    table.setCurrentIndex(table.order.index(2, 1))
    finish(encoded)
    assert encoded.session.subset == ("T1c",)
    assert [name for name, switch in encoded.switches.switches.items() if switch.isChecked()] == ["T1c"]
    (layer,) = [
        one for one in encoded.viewer.layers if one.metadata.get(LAYER_KEY, {}).get("role") == "prediction"
    ]
    np.testing.assert_array_equal(layer.data, encoded.session.representations.labels(("T1c",)))
    encoded.session.flip("FLAIR")
    assert table.current_subset == ("T1c", "FLAIR")
    finish(encoded)


def test_arrow_keys_walk_the_rows(compare, studied, encoded, qtbot, finish):
    table = compare.matrix_box.table
    assert table.current_subset == MODALITIES
    for _ in range(2):
        qtbot.keyClick(table, Qt.Key.Key_Up)
    assert encoded.session.subset == SUBSETS[-3]
    finish(encoded)


def test_sorting_by_a_region_and_back_to_the_papers_order(compare, studied):
    table = compare.matrix_box.table
    table.matrix.set_measure(MEASURE["dice"])
    header = table.horizontalHeader()
    column = table.matrix.columnCount() - 3
    header.sectionClicked.emit(column)
    shown = [table.order.index(row, column).data(SORT) for row in range(15)]
    assert shown == sorted(shown, reverse=True)
    assert len(set(shown)) > 3
    header.sectionClicked.emit(column)
    assert [table.order.index(row, column).data(SORT) for row in range(15)] == sorted(shown)
    header.sectionClicked.emit(1)
    assert list(values(compare, "dice")) == list(SUBSETS)


def test_without_a_reference_there_are_volumes_alone(compare, studied, encoded, studied_in):
    choose(compare, "none")
    studied_in(compare)
    box = compare.matrix_box.measure_box
    assert [box.itemData(index) for index in range(box.count())] == ["volume_ml"]
    expected = encoded.session.representations.combine(("T2",)).volumes_ml()
    assert values(compare, "volume_ml")[("T2",)] == expected
    choose(compare, "full")
    studied_in(compare)
    assert values(compare, "dice")[MODALITIES] == dict.fromkeys(REGIONS, 1.0)


def test_the_corrected_layer_is_compared_with_as_it_is_when_read(
    compare, studied, encoded, studied_in, qtbot
):
    encoded.saving.correct_a_copy()
    choose(compare, "layer")
    studied_in(compare)
    assert compare.comparison.studied.study.reference.title == "corrected layer"
    assert values(compare, "dice")[MODALITIES]["WT"] == 1.0
    layer, again = encoded.saving.corrected.layer, compare.matrix_box.reference_box.again_button
    assert again.isHidden()
    layer.data[:] = 0
    layer.data[5:9, 5:9, 5:9] = 2
    qtbot.waitUntil(lambda: not again.isHidden())
    again.click()
    studied_in(compare)
    assert again.isHidden()
    assert values(compare, "dice")[MODALITIES]["WT"] < 1
    assert "TC and ET are empty in the corrected layer" in compare.matrix_box.remarks.messages[0][1]
    encoded.saving.corrected.let_go()


def test_labels_elsewhere_are_refused_in_a_sentence(compare, studied, encoded, studied_in, tmp_path):
    before = values(compare, "dice")
    grid = encoded.session.case.grid
    stray = encoded.viewer.add_labels(np.zeros(grid.shape, np.uint8), name="stray", scale=(2, 2, 2))
    compare.set_reference(ReferenceChoice("layer", "layer stray", stray))
    assert "'stray' is not on the grid" in compare.messages.messages[0][1]
    strange = encoded.viewer.add_labels(np.full(grid.shape, 7, np.uint8), name="odd", **placement(grid))
    compare.set_reference(ReferenceChoice("layer", "layer odd", strange))
    studied_in(compare)
    assert "holds the label 7" in compare.messages.messages[0][1]
    path = tmp_path / "small.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), path)
    compare.set_reference(file_choice("file", path))
    studied_in(compare)
    assert "small.nii.gz is not on the grid" in compare.messages.messages[0][1]
    assert compare.matrix_box.reference_box.current.kind == "truth"
    assert values(compare, "dice") == before
    assert not compare.matrix_box.resample_button.isHidden()
    compare.matrix_box.resample_button.click()
    studied_in(compare)
    assert compare.comparison.studied.study.reference.title == "small.nii.gz, resampled (nearest)"
    assert compare.matrix_box.resample_button.isHidden()


def test_a_label_file_gives_what_the_expert_mask_gives(compare, studied, brats_folder, studied_in):
    before = values(compare, "hd95")
    compare.set_reference(file_choice("file", brats_folder / f"{brats_folder.name}_seg.nii.gz"))
    studied_in(compare)
    assert values(compare, "hd95") == before


def coloured(table) -> int:
    """How many pixels of the table have a colour."""
    table.clearSelection()
    image = table.viewport().grab().toImage()
    places = ((x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3))
    return sum(image.pixelColor(x, y).saturation() > 80 for x, y in places)


def test_numbers_are_grey_until_the_reference_that_is_named_gave_them(
    compare, studied, studied_in, tiny_checkpoint, monkeypatch
):
    table, reference, encoded_now = (
        compare.matrix_box.table,
        compare.matrix_box.reference_box,
        threading.Event(),
    )

    def encode(case, checkpoint, modalities, *, progress, cancelled):
        encoded_now.wait(60)
        return case.truth()

    monkeypatch.setattr("napari_rdl.compare.labels_of_checkpoint", encode)
    before = coloured(table)
    assert before > 100
    compare.set_reference(file_choice("checkpoint", tiny_checkpoint))
    assert reference.current.title == tiny_checkpoint.name
    assert coloured(table) == 0
    assert not compare.worth.box.caption.isEnabled()
    encoded_now.set()
    studied_in(compare)
    assert coloured(table) == before
    assert compare.worth.box.caption.isEnabled()


def test_a_file_is_listed_under_its_own_name(compare, studied, studied_in, brats_folder, tmp_path):
    labels = tmp_path / "ref_canonical.nii.gz"
    shutil.copy(brats_folder / f"{brats_folder.name}_seg.nii.gz", labels)
    compare.set_reference(file_choice("file", labels))
    studied_in(compare)
    assert compare.matrix_box.reference_box.box.currentText() == "ref_canonical.nii.gz"


def test_nothing_encoded_is_said_with_a_way_on(make_napari_viewer):
    from napari_rdl.plugin.compare.widget import CompareWidget

    viewer = make_napari_viewer()
    compare = CompareWidget(viewer)
    viewer.window.add_dock_widget(compare, name="Compare subsets")
    assert "press Run" in compare.patient.said.text()
    assert not compare.matrix_box.isVisibleTo(compare)
    compare.patient.open_button.click()
    assert compare.comparison.segment is not None
    names = [name for name in viewer.window.dock_widgets if name.startswith("Segment tumour")]
    assert len(names) == 1
    # napari opened it, so no fixture ends it.
    compare.comparison.segment.shut_down()
    compare.shut_down()


def test_another_patient_takes_the_study_away(compare, studied, encoded, brats_folder, finish, studied_in):
    encoded.session.set_case(encoded.session.case)
    assert compare.comparison.studied is None
    assert compare.matrix_box.table.matrix.rowCount() == 0
    assert "not segmented yet" in compare.patient.said.text()
    encoded.run()
    finish(encoded)
    studied_in(compare)
    assert len(values(compare, "dice")) == 15


def test_closing_segment_tumour_leaves_an_empty_widget(compare, studied, encoded):
    encoded.shut_down()
    assert compare.comparison.studied is None
    assert compare.comparison.segment is None
    assert compare.patient.open_button.isVisibleTo(compare)


def test_every_button_has_a_tooltip(compare):
    buttons = [button for button in compare.findChildren(QPushButton) if button.text()]
    assert buttons
    assert not [button.text() for button in buttons if not button.toolTip()]


@pytest.mark.parametrize("measure", [measure.name for measure in MEASURES])
def test_every_measure_has_text_and_colour_in_every_cell(compare, studied, measure):
    table = compare.matrix_box.table
    table.matrix.set_measure(MEASURE[measure])
    for row in range(15):
        for number in range(3):
            index = table.order.index(row, table.matrix.columnCount() - 3 + number)
            assert index.data()
            assert (index.data() == "–") == (index.data(Qt.ItemDataRole.BackgroundRole) is None)
            assert subset_name(SUBSETS[row]) in index.data(Qt.ItemDataRole.ToolTipRole)


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
