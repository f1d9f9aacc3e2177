"""The protocols by name, against sums written out."""

import json

import numpy as np
import pytest
import torch

from napari_rdl.brats import SUBSETS
from napari_rdl.case import load_case
from napari_rdl.cli import main
from napari_rdl.cohort.patients import folder_patients
from napari_rdl.models import load_model, save_model
from napari_rdl.segment import SegmentSettings, encode


@pytest.fixture
def three_patients(patients_folder, tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    for patient in folder_patients(patients_folder)[:3]:
        (root / patient.name).symlink_to(patient.folder)
    return root


def run(data, out, *words):
    options = [*words, "--out", out, "--device", "cpu", "--no-hd95", "--json"]
    return main(["evaluate", str(data), *(str(word) for word in options)])


def said_of(folder, checkpoint):
    """Return each patient's probability of tumour from T1c, its labels, and the truth."""
    for patient in folder_patients(folder):
        case = load_case(patient.folder)
        found = encode(case, load_model(checkpoint), settings=SegmentSettings(device="cpu"))
        yield found.probabilities(["T1c"])[1:].sum(0), found.labels(["T1c"]), case.truth()


def test_soft_dice_of_two_at_once_and_the_best_checkpoint(three_patients, tiny_checkpoint, tmp_path, capsys):
    other = load_model(tiny_checkpoint)
    with torch.no_grad():
        for parameter in other.network.parameters():
            parameter.mul_(0.1)
    worse = tmp_path / "worse.safetensors"
    save_model(worse, other.network, other.card.model_copy(update={"name": "worse"}))
    words = ("--model", tiny_checkpoint, "--model", worse, "--protocol", "authors")
    assert run(three_patients, tmp_path / "out", *words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "out" / "protocol.json").read_text())
    soft, single, hard = found["rows"]["WT"].items()
    column = found["columns"].index("T1c")
    best = load_model(tiny_checkpoint).name if "worse" not in soft[0] else "worse"
    patients = list(said_of(three_patients, tiny_checkpoint if best != "worse" else worse))
    sums = [(2 * share[truth > 0].sum(), share.sum() + (truth > 0).sum()) for share, _, truth in patients]
    (a, b), (c, d), (e, f) = sums
    assert soft[1][column] == pytest.approx(100 * np.mean([(a + c) / (b + d), e / f]), rel=1e-4)
    assert single[1][column] == pytest.approx(100 * np.mean([a / b, c / d, e / f]), rel=1e-4)
    dice = [2 * ((y > 0) & (t > 0)).sum() / ((y > 0).sum() + (t > 0).sum()) for _, y, t in patients]
    assert hard[1][column] == pytest.approx(100 * np.mean(dice))


def test_hard_dice_with_and_without_small_enhancing_tumour(three_patients, tiny_checkpoint, tmp_path, capsys):
    assert run(three_patients, tmp_path / "out", "--model", tiny_checkpoint, "--protocol", "rfnet") == 0
    found = json.loads(capsys.readouterr().out)
    name = load_model(tiny_checkpoint).name
    assert list(found["rows"]["WT"]) == [name]
    plain, without = (found["rows"]["ET"][title] for title in (name, f"{name}, under 500 voxels none"))
    expected = [[], []]
    for _, labels, truth in said_of(three_patients, tiny_checkpoint):
        for values, kept in zip(
            expected, ((labels == 3), (labels == 3) & ((labels == 3).sum() >= 500)), strict=True
        ):
            both = kept.sum() + (truth == 3).sum()
            values.append(2 * (kept & (truth == 3)).sum() / both if both else 1.0)
    column = found["columns"].index("T1c")
    assert [plain[column], without[column]] == pytest.approx([100 * np.mean(one) for one in expected])
    assert len(plain) == len(SUBSETS) + 1


def test_a_protocol_that_is_not_there_is_refused(three_patients, tiny_checkpoint, tmp_path, capsys):
    assert run(three_patients, tmp_path / "out", "--model", tiny_checkpoint, "--protocol", "other") != 0
    assert "There is no protocol 'other': use rfnet or authors." in capsys.readouterr().err
