"""One page about a patient, and the pictures for papers."""

from __future__ import annotations

import json
import re

import pytest

from napari_rdl.brats import REGIONS
from napari_rdl.case import Finding, load_case
from napari_rdl.cli import main
from napari_rdl.cohort.paper_picture import draw_comparison, picture_bytes
from napari_rdl.cohort.patient_card import patient_card
from napari_rdl.compare import MEASURES, expert_reference, study_subsets
from napari_rdl.segment import encode


@pytest.fixture(scope="module")
def studied(brats_folder, tiny_checkpoint):
    from napari_rdl.models import load_model

    representations = encode(load_case(brats_folder), load_model(tiny_checkpoint))
    study = study_subsets(representations, expert_reference(representations.case))
    return representations, study


def test_the_page_has_volumes_worth_doubt_warnings_and_the_weights_card(studied):
    representations, study = studied
    finding = Finding("warning", "The <skull> is still there.")
    page = patient_card(representations, study, [finding], corrected=representations.labels(("T1",)))
    # It opens offline: nothing is fetched.
    assert not re.search(r"(src|href)=.https?:|<script", page)
    assert "The &lt;skull&gt; is still there." in page
    full, alone = study.row(study.modalities), study.row(("T1",))
    for region in REGIONS:
        assert f"<td>{full.volumes_ml[region]:.1f}</td>" in page
        assert f"<td>{alone.volumes_ml[region]:.1f}</td>" in page
        worth = study.worth().values[region]
        assert all(f"{100 * value:+.1f} %" in page for value in worth.values())
    assert "mean entropy is" in page
    assert "nothing" in page, "what the weights were trained on"
    assert "data:image/png;base64," in page


def test_the_shell_writes_the_page_and_its_record(brats_folder, tiny_checkpoint, tmp_path, capsys):
    words = ["report", str(brats_folder), "--out", str(tmp_path), "--model", str(tiny_checkpoint), "--json"]
    assert main([*words, "--device", "cpu"]) == 0
    told = json.loads(capsys.readouterr().out)
    path = tmp_path / "BraTS2021_90001_report.html"
    assert told["path"] == str(path)
    assert "BraTS2021_90001" in path.read_text()
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["weights"]["name"] == "tiny"
    assert record["reference"] == "expert mask"


def test_a_picture_for_a_paper_is_vectors_or_pixels_and_cuts_no_name(studied):
    _, study = studied
    name = "a_patient_with_a_name_that_is_far_longer_than_any_picture_is_wide_" * 2
    figure = draw_comparison(name, study.rows, study.modalities, MEASURES[0], study.worth())
    drawn = picture_bytes(figure, ".svg").decode()
    assert name in drawn
    width = float(re.search(r'width="([\d.]+)pt"', drawn).group(1))
    assert width > 72 * 5.4, "the picture grows with the name"
    assert picture_bytes(figure, ".pdf").startswith(b"%PDF")
    assert picture_bytes(figure, ".png").startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no picture's ending"):
        picture_bytes(figure, ".bmp")
