"""A method that the rooms do not know goes through all of them: one checkpoint, any command."""

import json

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.case import load_case
from napari_rdl.cli import main
from napari_rdl.errors import Cancelled
from napari_rdl.models import ModelCard, load_model, save_model
from napari_rdl.segment import SegmentSettings, encode

from .joint import TinyJoint, registered, save_tiny_joint
from .published import TINY, tiny

CPU = SegmentSettings(device="cpu", tile=16)


@pytest.fixture(autouse=True)
def _registered():
    with registered():
        yield


@pytest.fixture
def checkpoint(tmp_path):
    return save_tiny_joint(tmp_path)


@pytest.fixture
def representations(brats_folder, checkpoint):
    return encode(load_case(brats_folder), load_model(checkpoint), settings=CPU)


def test_predict_writes_every_subset(brats_folder, checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    words = [
        "predict",
        brats_folder,
        "--model",
        checkpoint,
        "--device",
        "cpu",
        "--all-subsets",
        "--out",
        out,
        "--json",
    ]
    assert main([str(word) for word in words]) == 0
    files = sorted(out.glob("*.nii.gz"))
    assert len(files) == 15
    case, model = load_case(brats_folder), load_model(checkpoint)
    again = encode(case, model, settings=SegmentSettings(device="cpu")).labels(["T1", "T2"])
    saved = np.asarray(nib.load(out / f"{case.name}_seg_T1+T2.nii.gz").dataobj)
    assert np.array_equal(saved[::-1, ::-1], np.array([0, 1, 2, 4], np.uint8)[again])
    assert capsys.readouterr().out


@pytest.mark.parametrize("method", TINY)
def test_every_method_writes_all_fifteen_subsets(method, brats_folder, tmp_path, capsys):
    network = tiny(method)
    card = ModelCard(name=method, method=method, network=network.config, spacing=(4.0, 4.0, 4.0), tile=32)
    checkpoint = save_model(tmp_path / f"{method}.safetensors", network, card)
    words = ["predict", brats_folder, "--model", checkpoint, "--device", "cpu", "--all-subsets", "--json"]
    assert main([str(word) for word in (*words, "--out", tmp_path / "out")]) == 0
    files = sorted((tmp_path / "out").glob("*.nii.gz"))
    assert len(files) == len(SUBSETS)
    labels = [np.asarray(nib.load(path).dataobj) for path in files]
    assert {one.shape for one in labels} == {load_case(brats_folder).grid.shape}
    assert len({one.tobytes() for one in labels}) > 1


def test_study_and_evaluate_make_their_tables(brats_folder, checkpoint, tmp_path):
    for command, out in (("study", tmp_path / "study"), ("evaluate", tmp_path / "evaluation")):
        words = [command, brats_folder.parent]
        words += ["--model", checkpoint, "--out", out, "--device", "cpu", "--no-hd95", "--json"]
        assert main([str(word) for word in words]) == 0
        written = " ".join(path.read_text() for path in out.rglob("*.csv"))
        assert all(subset_name(subset) in written for subset in SUBSETS)


def test_a_subset_is_passed_once_and_when_asked_for(representations):
    TinyJoint.passes = 0
    assert not representations.at_once(["T1"])
    told = []
    representations.combine(["T1"], progress=lambda *said: told.append(said))
    passes = TinyJoint.passes
    assert passes > 0
    assert {said[2] for said in told} == {"Encoding T1", "Encoded"}
    assert representations.at_once(["T1"])
    representations.labels(["T1"])
    representations.label_slice(["T1"], 2, 10)
    assert TinyJoint.passes == passes


def test_the_last_subset_is_kept_when_memory_is_short(brats_folder, checkpoint):
    case, model = load_case(brats_folder), load_model(checkpoint)
    short = encode(case, model, settings=CPU, budget_bytes=1)
    first = short.labels(["T1"])
    short.labels(["T2"])
    assert short.at_once(["T2"])
    assert not short.at_once(["T1"])
    assert np.array_equal(short.labels(["T1"]), first)


def test_a_pass_can_be_cancelled_and_made_again(representations):
    with pytest.raises(Cancelled):
        representations.combine(["FLAIR"], cancelled=lambda: True)
    assert not representations.at_once(["FLAIR"])
    assert representations.combine(["FLAIR"]).labels.any()


def test_a_record_of_it_is_repeated_to_the_byte(brats_folder, checkpoint, tmp_path):
    words = ["predict", brats_folder, "--model", checkpoint, "--device", "cpu", "--out", tmp_path / "one"]
    assert main([str(word) for word in words]) == 0
    record = next((tmp_path / "one").glob("*.json"))
    assert json.loads(record.read_text())["weights"]["name"] == "joint"
    assert main(["predict", "--from", str(record), "--out", str(tmp_path / "two")]) == 0
    one, two = (next((tmp_path / folder).glob("*.nii.gz")).read_bytes() for folder in ("one", "two"))
    assert one == two
