"""The study of one patient: fifteen rows, any reference, distances later."""

import numpy as np
import pytest

from napari_rdl.brats import REGIONS, SUBSETS
from napari_rdl.case import load_case
from napari_rdl.compare import Reference, expert_reference, study_subsets
from napari_rdl.errors import Cancelled, CaseError
from napari_rdl.metrics import region_scores, volumes_ml
from napari_rdl.segment import encode
from tests.compare.conftest import QUICK


def measured(study):
    return list(study.measure_distances())


def test_fifteen_rows_in_the_papers_order_with_the_numbers_of_the_metrics(representations, case):
    study = study_subsets(representations, "truth")
    assert [row.subset for row in study.rows] == list(SUBSETS)
    assert study.reference.title == "expert mask"
    assert not any(score.hd95_measured for row in study.rows for score in row.scores.values())
    assert measured(study) == list(range(15))
    for row in study.rows:
        labels = representations.labels(row.subset)
        assert row.volumes_ml == volumes_ml(labels, case.grid.voxel_ml)
        expected = region_scores(labels, case.truth(), case.grid.spacing)
        assert expected == {
            region: {"dice": score.dice, "hd95": score.hd95} for region, score in row.scores.items()
        }
    assert study.remark is None


def test_an_encoded_patient_is_not_encoded_again(representations, monkeypatch):
    from napari_rdl.models.rdl.model import RobustNet

    def refuse(*_, **__):
        raise AssertionError("the backbone was asked")

    for name in ("forward", "encode"):
        monkeypatch.setattr(RobustNet, name, refuse)
    study = study_subsets(representations, "truth")
    assert len(study.rows) == len(measured(study)) == 15


def test_without_a_reference_there_are_volumes_and_worth_in_ml(representations):
    study = study_subsets(representations)
    assert all(not row.scores for row in study.rows)
    assert measured(study) == []
    worth = study.worth()
    assert worth.measure == "ml"
    for region in REGIONS:
        full = study.row(study.modalities).volumes_ml[region]
        assert sum(worth.values[region].values()) == pytest.approx(full)


def test_the_full_set_as_reference(representations):
    study = study_subsets(representations, "full")
    assert study.reference.title == "full set"
    assert {score.dice for score in study.rows[-1].scores.values()} == {1.0}


def test_another_reference_needs_no_other_encoding(representations, case, monkeypatch):
    study = study_subsets(representations, "truth")
    first = study.rows
    monkeypatch.setattr(type(representations), "labels_by_slab", None)
    study.set_reference(study.full_reference())
    assert study.rows[-1].scores["WT"].dice == 1.0
    study.set_reference(expert_reference(case))
    assert study.rows == first
    study.set_reference(None)
    assert study.rows[0].scores == {}


def test_worth_sums_to_the_full_sets_score(representations):
    study = study_subsets(representations, "truth")
    worth = study.worth()
    assert worth.measure == "dice"
    for region in REGIONS:
        assert worth.full[region] == study.row(study.modalities).scores[region].dice
        assert sum(worth.values[region].values()) == pytest.approx(worth.full[region] - worth.empty[region])


def test_a_region_empty_in_the_reference_has_no_value_and_is_remarked(representations, case):
    truth = case.truth()
    truth[truth == 3] = 2
    study = study_subsets(representations, truth, title="my labels")
    assert study.worth().values["ET"] is None
    assert study.worth().values["WT"] is not None
    assert "ET is empty in the my labels: Dice is 1 where" in study.remark


def test_distances_may_be_left_and_taken_up_again(representations):
    study = study_subsets(representations, "truth")
    steps = study.measure_distances()
    assert [next(steps), next(steps)] == [0, 1]
    steps.close()
    assert measured(study) == list(range(2, 15))
    assert measured(study) == []
    other = study_subsets(representations, "truth")
    with pytest.raises(Cancelled):
        list(other.measure_distances(cancelled=lambda: True))


def test_distances_end_where_the_reference_is_changed_meanwhile(representations):
    study = study_subsets(representations, "truth")
    steps = study.measure_distances()
    next(steps)
    study.set_reference(study.full_reference())
    assert list(steps) == []
    assert not study.rows[0].scores["WT"].hd95_measured


def test_one_modality_is_one_row_and_says_so(case, tiny_model):
    alone = encode(case, tiny_model, modalities=("T1c",), settings=QUICK)
    study = study_subsets(alone, "truth")
    assert [row.name for row in study.rows] == ["T1c"]
    assert study.remark == f"{case.name} has one modality (T1c): the study is one row."
    worth = study.worth()
    assert worth.values["WT"] == {"T1c": study.rows[0].scores["WT"].dice}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (np.zeros((3, 3, 3), np.uint8), "other tool lies on another grid"),
        (np.full((26, 30, 22), 9, np.uint8), "other tool holds the label 9"),
    ],
)
def test_bad_references(representations, reference, words):
    with pytest.raises(CaseError, match=words):
        study_subsets(representations, reference, title="other tool")


def test_no_mask_is_said(brats_folder, tiny_model):
    files = {"T1c": brats_folder / f"{brats_folder.name}_t1ce.nii.gz"}
    bare = encode(load_case(files), tiny_model, settings=QUICK)
    with pytest.raises(CaseError, match="has no mask to compare with"):
        study_subsets(bare, "truth")
    with pytest.raises(ValueError, match="use truth, full or labels"):
        study_subsets(bare, "best")
    study = study_subsets(bare)
    with pytest.raises(ValueError, match="not on the grid"):
        study.set_reference(_reference_elsewhere(bare.case.grid))


def _reference_elsewhere(grid):
    from napari_rdl.case import Grid

    return Reference(np.zeros((2, 2, 2), np.uint8), Grid((2, 2, 2), grid.affine))


def test_real_patient_equals_the_metrics(real_data):
    from napari_rdl.models import load_model

    folder = real_data / "BraTS2021_00006"
    case = load_case(folder, modalities=("T1c",))
    encoded = encode(case, load_model(), settings=QUICK.model_copy(update={"tile": None}))
    study = study_subsets(encoded, "truth")
    list(study.measure_distances())
    expected = region_scores(encoded.labels(), case.truth(), case.grid.spacing)
    assert expected == {
        region: {"dice": score.dice, "hd95": score.hd95} for region, score in study.rows[0].scores.items()
    }
