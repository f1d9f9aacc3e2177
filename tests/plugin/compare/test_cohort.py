"""A finished study of many patients, opened in Compare subsets and stepped through."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest

from napari_rdl.brats import MODALITIES
from napari_rdl.plugin.viewer.roles import LAYER_KEY
from tests.plugin.conftest import WAIT_MS


@pytest.fixture(scope="module")
def finished(brats_folder, tiny_checkpoint, tmp_path_factory):
    """A study of two patients: one whole, one with T1c alone and no mask."""
    from napari_rdl.cohort import picture, report
    from napari_rdl.cohort.study import StudySettings, study_cohort
    from napari_rdl.models import load_model
    from napari_rdl.segment import SegmentSettings

    root = tmp_path_factory.mktemp("cohort")
    for name, endings in {"A": ("_t1c", "_t1.", "_t2", "_fl", "_seg"), "C": ("_t1ce",)}.items():
        folder = root / f"BraTS2021_{name}"
        folder.mkdir()
        for file in brats_folder.iterdir():
            if any(ending in file.name for ending in endings):
                shutil.copy(file, folder / file.name.replace(brats_folder.name, folder.name))
    (root / "BraTS2021_A" / "notes.txt").write_text("no image")
    settings = SegmentSettings(device="cpu", precision="float32", tile=32, overlap=0)
    out = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:  # nothing is drawn
        patch.setattr(picture, "draw_patient", lambda case, study: b"")
        patch.setattr(report, "chart_images", lambda *_: {})
        return study_cohort(
            root, load_model(tiny_checkpoint), out, settings=StudySettings(distances=False), segment=settings
        )


@pytest.fixture
def stepping(widget, compare_beside):
    return compare_beside(widget)


@pytest.fixture
def arrive(qtbot):
    """Wait until the patient that was asked for is shown."""

    def wait(compare, name: str) -> None:
        def there() -> bool:
            studied, segment = compare.comparison.studied, compare.comparison.segment
            cohort = compare.cohort
            busy = segment.tasks.busy or compare.comparison.runner.busy or cohort.worker.busy
            busy = busy or cohort.reading.busy
            return not busy and studied is not None and studied.case.name == name

        qtbot.waitUntil(there, timeout=WAIT_MS)

    return wait


def shown_labels(viewer):
    (layer,) = [
        one for one in viewer.layers if one.metadata.get(LAYER_KEY, {}).get("subject") == "studied labels"
    ]
    return layer


def test_a_study_is_stepped_through_worst_first_without_a_model(
    stepping, widget, finished, arrive, qtbot, monkeypatch
):
    import napari_rdl.segment

    def encode_again(*arguments, **settings):
        raise AssertionError("encoded")

    monkeypatch.setattr(napari_rdl.segment, "encode", encode_again)
    first, second = finished.patients
    stepping.cohort.open(finished.folder)
    arrive(stepping, first.name)
    assert first.score is not None
    assert widget.session.representations is None
    box, table = stepping.cohort.box, stepping.matrix_box.table
    assert "2 patients, worst first" in box.summary.text()
    assert not box.worse_button.isEnabled()
    for row, known in zip(table.matrix.rows, first.rows, strict=True):
        assert row.volumes_ml == known.volumes_ml
        assert {one: score.dice for one, score in row.scores.items()} == {
            one: score.dice for one, score in known.scores.items()
        }
    assert table.current_subset == MODALITIES
    stack = finished.labels(first)
    np.testing.assert_array_equal(shown_labels(widget.viewer).data, stack.labels(MODALITIES))
    table.setCurrentIndex(table.order.index(1, 1))
    qtbot.waitUntil(lambda: not stepping.cohort.worker.busy)
    np.testing.assert_array_equal(shown_labels(widget.viewer).data, stack.labels(("T2",)))
    assert not stepping.agreement.box.entropy_box.isEnabled()
    # What was studied is corrected without another run.
    box.correct_button.click()
    np.testing.assert_array_equal(widget.saving.corrected.layer.data, stack.labels(("T2",)))
    assert not widget.saving.corrected.unsaved
    assert not shown_labels(widget.viewer).visible
    box.better_button.click()
    arrive(stepping, second.name)
    assert not box.better_button.isEnabled()
    assert table.matrix.rowCount() == 1
    assert "the study is one row" in stepping.matrix_box.remarks.messages[0][1]
    assert stepping.matrix_box.reference_box.current.kind == "none"


def test_a_study_is_read_off_the_windows_thread(stepping, finished, arrive, qtbot, monkeypatch):
    threads = []

    def read(folder):
        threads.append(threading.current_thread())
        return finished

    monkeypatch.setattr("napari_rdl.cohort.finished.load_study", read)
    stepping.cohort.open(finished.folder)
    assert "Reading" in stepping.cohort.box.summary.text()
    arrive(stepping, finished.patients[0].name)
    assert threads[0] is not threading.main_thread()


def test_a_folder_without_a_study_is_refused_in_a_sentence(stepping, tmp_path, qtbot):
    stepping.cohort.open(tmp_path)
    qtbot.waitUntil(lambda: not stepping.cohort.reading.busy)
    assert stepping.cohort.box.summary.text() == ""
    assert "holds no finished study" in stepping.messages.messages[0][1]


def test_a_patient_that_has_gone_is_said(stepping, widget, finished, qtbot, monkeypatch):
    patients = tuple(one.model_copy(update={"folder": f"{one.folder}-gone"}) for one in finished.patients)
    monkeypatch.setattr(
        "napari_rdl.cohort.finished.load_study",
        lambda folder: type(finished)(
            finished.folder, finished.about, finished.settings, finished.modalities, patients, {}
        ),
    )
    stepping.cohort.open(finished.folder)
    qtbot.waitUntil(lambda: bool(stepping.messages.messages) and not widget.tasks.busy, timeout=WAIT_MS)
    assert "-gone" in stepping.messages.messages[0][1]
    assert stepping.comparison.studied is None
