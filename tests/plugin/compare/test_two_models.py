"""Two models of two methods side by side in all subsets."""

import pytest

from napari_rdl.brats import REGIONS, SUBSETS, subset_name
from napari_rdl.compare import stack_of_checkpoint
from napari_rdl.compare.study import SubsetStudy
from napari_rdl.models import save_model
from napari_rdl.segment import SegmentSettings

from ...joint import registered, save_tiny_joint
from ..conftest import WAIT_MS


@pytest.fixture(autouse=True)
def _registered():
    with registered():
        yield


def test_another_methods_rows_stand_beside_ours(compare, studied, qtbot, tmp_path, tiny_model):
    models, box = compare.models, compare.models.box
    assert box.heading.isHidden()
    checkpoint = save_tiny_joint(tmp_path)
    box.choose(checkpoint)
    qtbot.waitUntil(lambda: not models.worker.busy and bool(box.rows.rows), timeout=WAIT_MS)
    case, study = studied.case, studied.study
    name, stack = stack_of_checkpoint(case, checkpoint, settings=SegmentSettings(device="cpu"))
    theirs = SubsetStudy(case.name, case.grid, stack, study.reference)
    assert box.heading.text() == f"Dice (%): {tiny_model.name}, and {name} below it"
    shown = [
        [box.rows.index(row, 0).data().replace("\n", "")]
        + [box.rows.index(row, column).data() for column in range(1, box.rows.columnCount())]
        for row in range(box.rows.rowCount())
    ]
    assert shown == [
        [subset_name(subset)]
        + [
            f"{100 * study.row(subset).scores[region].dice:.1f}\n"
            f"{100 * theirs.row(subset).scores[region].dice:.1f}"
            for region in REGIONS
        ]
        for subset in SUBSETS
    ]

    # One whose classes stand in another order is refused, and nothing stays of the one before.
    card = tiny_model.card
    turned = card.network.model_copy(update={"classes": ("background", "ET", "ED", "NCR")})
    other = save_model(
        tmp_path / "turned.safetensors",
        tiny_model.network,
        card.model_copy(update={"network": turned, "name": "turned"}),
    )
    box.choose(other)
    qtbot.waitUntil(lambda: bool(compare.messages.messages), timeout=WAIT_MS)
    assert compare.messages.messages[-1][1] == (
        "The model turned says background, ET, ED, NCR, and labels here are background, NCR, ED, ET in this "
        "order: use a checkpoint of these."
    )
    assert box.table.isHidden()
    assert box.heading.isHidden()
    assert box.model_box.currentText() == "none"
