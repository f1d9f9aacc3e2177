"""Learning from corrections: a tiny model, four tiny patients, a worklist."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from napari_rdl.cli import main
from napari_rdl.cohort.patients import patients_of
from napari_rdl.cohort.worklist import Worklist
from napari_rdl.cohort.worklist_file import new_worklist
from napari_rdl.errors import ConfigError
from napari_rdl.models import load_model, read_card, save_model
from napari_rdl.segment import encode
from napari_rdl.training import before_after
from napari_rdl.training.before_after import BeforeAndAfter, PatientChange, measure, read_comparison
from napari_rdl.training.learning import learning_config, learns


@pytest.fixture
def worklist(patients_folder, tmp_path):
    """Three patients whose own masks are their corrected labels."""
    path = tmp_path / "list.json"
    new_worklist([patients_folder], path)
    with Worklist(path) as opened:
        for entry in opened.entries[:3]:
            mask = opened.folder_of(entry) / f"{entry.name}_seg.nii.gz"
            opened.change(entry.name, state="done", labels=mask)
    return path


def change(before: float, after: float, **more) -> PatientChange:
    return PatientChange(
        patient=more.pop("patient", "p"),
        synthetic=more.pop("synthetic", False),
        before={"WT": before},
        after={"WT": after},
        subsets_before=before,
        subsets_after=after,
        **more,
    )


def said(*rows: PatientChange) -> BeforeAndAfter:
    return BeforeAndAfter(start="shipped", checkpoint="last.safetensors", learnt_from=1, patients=rows)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([change(0.5, 0.6)], "better"),
        ([change(0.5, 0.5)], "worse"),
        ([change(0.5, 0.6), change(0.9, 0.89, synthetic=True)], "better"),
        ([change(0.5, 0.6), change(0.9, 0.8, synthetic=True)], "forgets"),
        ([change(0.9, 0.9, synthetic=True)], "unknown"),
        # Those whom the first model knew do not count beside one that it did not.
        ([change(0.9, 0.5, seen=True), change(0.5, 0.6)], "better"),
        ([change(0.9, 0.5, seen=True)], "worse"),
        # Nor do labels that are the first model's own.
        ([change(1.0, 0.9), change(0.5, 0.6)], "better"),
        ([change(1.0, 0.9)], "unknown"),
        ([change(1.0, 0.9), change(0.9, 0.8, synthetic=True)], "forgets"),
    ],
)
def test_the_verdict(rows, verdict):
    comparison = said(*rows)
    assert comparison.verdict == verdict
    assert comparison.words().startswith("Learnt from 1 patient. ")
    assert ("had trained on" in comparison.words()) == (len(rows) == 1 and rows[0].seen)
    alone = not any(row for row in rows if not row.unchanged and not row.synthetic)
    assert ("accepted as the first model drew it" in comparison.words()) == (alone and rows[0].unchanged)


def test_labels_of_the_first_model_are_known(patients_folder, tiny_model, tiny_checkpoint, tmp_path):
    (first, second) = patients_of(str(patients_folder))[:2]
    mask = encode(first.read(), tiny_model).combine().save_as(tmp_path / "accepted_seg.nii.gz")
    accepted = replace(first, mask=mask)
    other = load_model(tiny_checkpoint)
    other.network.head.weight.data.neg_()
    rows = measure([accepted, second], tiny_model, other)
    assert [row.unchanged for row in rows] == [True, False]
    assert set(rows[0].before.values()) == {1.0}
    assert rows[0].after["WT"] < 1


def test_it_trains_the_architecture_of_the_weights_mixed_with_phantoms(worklist, tiny_checkpoint):
    config = learning_config(worklist, str(tiny_checkpoint), ["optimizer.lr=5e-5", "data.labels=brats2018"])
    card = read_card(tiny_checkpoint)
    assert config.network.model_dump() == card.network.model_dump()
    assert config.data.spacing == card.spacing
    assert [source.source for source in config.data.sources] == [str(worklist), "phantom:48"]
    assert config.optimizer.lr == 5e-5
    assert config.optimizer.max_steps == 240
    assert learns(config)
    assert learns(learning_config(worklist))
    with pytest.raises(ConfigError, match="no setting"):
        learning_config(worklist, changes=["nothing=1"])


def test_weights_that_are_used_on_large_tiles_learn_on_smaller_crops(worklist, tiny_model, tmp_path):
    card = tiny_model.card.model_copy(update={"tile": 80})
    path = save_model(tmp_path / "wide.safetensors", tiny_model.network, card)
    config = learning_config(worklist, str(path))
    assert config.data.crop == (64, 64, 64)
    assert config.tile == 80


def test_a_run_from_the_shell_learns_and_is_compared(
    worklist, tiny_checkpoint, cache_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(before_after, "synthetic_patients", lambda *_: ())
    run = tmp_path / "run"
    changes = [
        f"start_from={str(tiny_checkpoint)!r}",
        "optimizer.max_steps=2",
        "data.crop=[8, 8, 8]",
        f"data.sources=[{{source={str(worklist)!r}}}]",
        f"data.cache={str(cache_folder)!r}",
        "data.workers=0",
        "data.makers=1",
        "hardware.device=cpu",
        "hardware.threads=1",
        "run.checkpoint_every=1",
    ]
    words = [word for change in changes for word in ("--set", change)]
    assert main(["train", "--data", str(worklist), "--out", str(run), "--json", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    comparison = read_comparison(run)
    assert told["comparison"]["start"] == "tiny"
    assert comparison.learnt_from == 2
    (row,) = comparison.patients
    assert not row.synthetic
    # The one kept aside is none of those that were trained on.
    split = json.loads((run / "split.json").read_text())
    assert row.patient in split["validation"]
    assert row.patient not in split["train"]
    card = load_model(run / "last.safetensors").card
    assert set(card.training_patients) == set(split["train"])
    assert comparison.verdict in ("better", "worse")


def test_a_record_that_is_none_is_none(tmp_path):
    (tmp_path / before_after.COMPARISON).write_text("{")
    assert read_comparison(tmp_path) is None
