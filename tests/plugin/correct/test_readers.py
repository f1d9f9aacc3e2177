"""Two readers in the desk."""

from __future__ import annotations

import numpy as np

from napari_rdl.case import save_correction

from .conftest import WAIT_MS


def test_two_readers_are_compared_walked_through_and_agreed_on(correct, qtbot, tmp_path):
    readers, case = correct.readers, correct.desk.case
    first = np.zeros(case.grid.shape, np.uint8)
    first[5:15, 5:15, 5:15] = 2
    second = first.copy()
    second[10:15] = 0
    second[6:9, 6:9, 6:9] = 3
    paths = [
        save_correction(labels, case, tmp_path / f"{name}_seg.nii.gz")
        for name, labels in (("anna", first), ("berta", second))
    ]
    wait = lambda: qtbot.waitUntil(lambda: not readers.worker.busy, timeout=WAIT_MS)  # noqa: E731
    readers.add_file(paths[0], 0)
    readers.add_file(paths[1], 1)
    wait()
    assert "WT: Dice 0.67" in readers.box.table.text()
    readers.box.next_button.click()
    assert "1 of 2: 0.50 ml, A ED, B background." in readers.box.status.text()
    place = readers.read.places[0].voxel
    at = correct.desk.layer.world_to_data(correct._viewer.dims.point)
    assert tuple(np.round(at).astype(int)) == place

    readers.box.difference_box.setChecked(True)
    layer = readers._layer
    assert layer in correct._viewer.layers
    assert not layer.editable
    assert layer.data[place] == 1

    before = correct.desk.layer.data.copy()
    readers.box.majority_button.click()
    wait()
    # The grid's axes are the case's: what was saved comes back as it was.
    np.testing.assert_array_equal(correct.desk.layer.data, np.where(second == 3, 2, second))
    correct.undo()
    np.testing.assert_array_equal(correct.desk.layer.data, before)

    (tmp_path / "other_seg.nii.gz").write_text("none")
    readers.add_file(tmp_path / "other_seg.nii.gz", 1)
    wait()
    assert "other_seg" in correct.messages.messages[0][1]


def test_what_is_said_of_two_readers_is_of_those_named_and_of_now(encoded, desk_beside, qtbot):
    correct = desk_beside(encoded)
    readers, box = correct.readers, correct.readers.box
    wait = lambda: qtbot.waitUntil(lambda: not readers.worker.busy, timeout=WAIT_MS)  # noqa: E731
    assert [one.currentText() for one in box.boxes] == ["Expert's mask", "Prediction"]
    box.compare_button.click()
    wait()
    assert "Dice" in box.table.text()
    assert box.compare_button.isHidden()

    correct.begin()
    assert box.boxes[0].currentText() == "Corrected labels"
    assert box.table.text() == "", "that was said of the expert"
    assert not box.next_button.isEnabled()
    box.compare_button.click()
    wait()
    assert "WT: Dice 1.00" in box.table.text()
    assert box.majority_button.isEnabled()

    correct.desk.layer.selected_label = 2
    correct.use("grow")
    assert "again" in box.compare_button.text()
    assert not box.compare_button.isHidden()
    assert not box.majority_button.isEnabled(), "it would take the new work back"
    assert box.next_button.isEnabled(), "who mends one place goes on to the next"
    box.compare_button.click()
    wait()
    assert "WT: Dice 1.00" not in box.table.text()
