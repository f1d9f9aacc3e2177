"""Runs on several sources: who is visited, what is recorded, and patients that are made meanwhile."""

import json
import multiprocessing
import pickle
import time
from concurrent.futures import Future

import pytest

from napari_rdl.cohort.patients import Patient, folder_patients, phantoms
from napari_rdl.errors import ConfigError, DeviceError
from napari_rdl.training.config import DataConfig, read_source
from napari_rdl.training.data import making
from napari_rdl.training.data.cache import PatientCache
from napari_rdl.training.data.crops import CropDataset
from napari_rdl.training.data.making import Maker, ReadyPatients
from napari_rdl.training.data.sources import Source, choose_patients
from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.run import setup
from napari_rdl.training.run.session import dry_run, resume_training, run_training
from tests.training.conftest import TINY
from tests.training.run.conftest import assert_same, stop_after

MODALITIES = ("T1", "T1c", "T2", "FLAIR")
COARSE = (*TINY, "data.spacing=[4, 4, 4]", "validation.every=100", "validation.patients=1")


def mixed(*sources, **settings):
    return DataConfig.model_validate({"sources": list(sources), **settings})


@pytest.fixture
def mixture(patients_folder, cache_folder):
    """Make a tiny configuration of four real patients and three made ones."""

    def make(*changes, **real):
        sources = [
            {"source": "phantom:3", "share": 3.0, "first_seed": 50},
            {"source": str(patients_folder), "validates": False, **real},
        ]
        return load_recipe(
            None,
            [*COARSE, f"data.cache={str(cache_folder)!r}", *changes],
            data__sources=sources,
            data__validation="phantom:1",
        )

    return make


def visits(folder):
    return json.loads((folder / "visits.json").read_text())


def test_a_source_in_a_line():
    assert read_source("phantom:30") == {"source": "phantom:30"}
    text = "/data/a, b,share=0.35,healthy_halves=0.2,volume_ml=4..200"
    source = DataConfig.model_validate({"sources": [text]}).sources[0]
    assert (source.source, source.share, source.healthy_halves) == ("/data/a, b", 0.35, 0.2)
    assert source.volume_ml == (4, 200)


def test_sources_of_each_kind(patients_folder):
    data = mixed({"source": "phantom:2", "first_seed": 9, "volume_ml": [4, 5]}, str(patients_folder), folds=2)
    chosen = choose_patients(data, 0, 4)
    assert [patient.seed for patient in chosen.sources[0].patients] == [9, 10]
    assert chosen.sources[0].patients[0].volume_ml == (4, 5)
    # A folder's fold validates; where everything is made, others that are made do.
    assert len(chosen.sources[1].patients) == len(chosen.validation) == 2
    assert [patient.name for patient in chosen.train] == chosen.record()["train"]
    whole = mixed("phantom:2", {"source": str(patients_folder), "validates": False})
    assert len(choose_patients(whole, 0, 4).train) == 6
    assert len(choose_patients(mixed("phantom:2", "phantom:2:50"), 0, 4).validation) == 4


def test_validation_from_several_sources(patients_folder):
    data = mixed("phantom:2", validation_sources=["phantom:2:held-out:9000", str(patients_folder)])
    validation = choose_patients(data, 0, 1).validation
    assert [patient.seed for patient in validation[:2]] == [9000, 9001]
    assert len(validation) == 6


def test_who_trains_twice_is_refused():
    with pytest.raises(ConfigError, match="phantom_00000002 stands in the training data twice"):
        choose_patients(mixed("phantom:3", "phantom:3:2"), 0, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["data.source=phantom:2", 'data.sources=["phantom:2"]'], "leave one of them out"),
        (['data.sources=[{source="phantom:2", share=0}]'], "data.sources.0.share.*greater than 0"),
        (['data.sources=[{source="phantom:2", volume_ml=[5, 4]}]'], "the smaller volume first"),
        (['data.sources=[{sauce="phantom:2"}]'], r"data\.sources"),
        (["data.validation=phantom:2", 'data.validation_sources=["phantom:2"]'], "leave one of them out"),
    ],
)
def test_bad_sources_are_one_sentence(changes, words):
    with pytest.raises(ConfigError, match=words) as error:
        load_recipe(None, changes)
    assert "\n" not in str(error.value)


def test_data_named_stand_in_the_place_of_the_recipes(tmp_path):
    recipe = tmp_path / "mixed.toml"
    recipe.write_text('[data]\nsources = [{ source = "phantom:9", share = 0.5 }, "phantom:2:50"]\n')
    assert [source.source for source in load_recipe(recipe).data.every_source] == [
        "phantom:9",
        "phantom:2:50",
    ]
    data = load_recipe(recipe, data__source="phantom:4").data
    assert (data.source, data.sources) == ("phantom:4", ())


def test_a_mixed_run_records_whom_it_visited(mixture, patients_folder, tmp_path):
    config = mixture("optimizer.max_steps=20", "data.tumour_share=1", healthy_halves=1.0)
    run_training(config, tmp_path / "run")
    record = visits(tmp_path / "run")
    made, real = record["sources"]
    assert (record["step"], record["crops"]) == (20, 40)
    assert (made["share"], made["patients"], made["crops"]) == (0.75, 3, pytest.approx(30, abs=2))
    assert (real["share"], real["patients_visited"]) == (0.25, 4)
    assert real["source"] == str(patients_folder)
    assert made["crops"] + real["crops"] == sum(record["patients"].values()) == 40
    assert made["crops_of_healthy_halves"] == 0
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert set(record["patients"]) <= set(split["train"])


def test_a_mixed_run_is_resumed_to_the_bit(mixture, tmp_path):
    config = mixture("optimizer.max_steps=6", healthy_halves=0.5)
    run_training(config, tmp_path / "straight")
    assert not run_training(config, tmp_path / "stopped", **stop_after(3)).finished
    assert resume_training(tmp_path / "stopped").finished
    assert_same(tmp_path / "straight", tmp_path / "stopped")
    assert visits(tmp_path / "straight") == visits(tmp_path / "stopped")


def test_only_who_is_visited_is_made_beforehand(tmp_path):
    changes = [*COARSE, f"data.cache={str(tmp_path)!r}", "data.source=phantom:1000", "optimizer.max_steps=50"]
    dry_run(load_recipe(None, changes))
    assert len(list(tmp_path.glob("phantom_*"))) == 4


def test_makers_prepare_in_order_and_end_with_their_block(brats_folder, tmp_path):
    cache = PatientCache(DataConfig(spacing=(4, 4, 4)), MODALITIES, tmp_path)
    patients = [Patient(f"BraTS2021_{number}", folder=brats_folder) for number in range(600)]
    ready = ReadyPatients(cache, patients)
    with Maker(cache, patients, 1) as maker:
        found = [*maker.new(timeout=300), *maker.new(timeout=300)]
        processes = multiprocessing.active_children()
        assert maker.busy
    assert [made.patient for made in found] == patients[: len(found)]
    assert all(made.path.exists() for made in found)
    assert 2 <= ready.count < 600
    assert patients[0] in ready
    assert patients[-1] not in ready
    assert processes
    assert not any(process.is_alive() for process in processes)


def test_a_maker_that_is_killed_is_told_of(tmp_path):
    cache = PatientCache(DataConfig(spacing=(4, 4, 4)), MODALITIES, tmp_path)
    with Maker(cache, phantoms(40, 0), 1) as maker:
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(DeviceError, match=r"lower data\.makers"):
            maker.new(timeout=300)


def test_patients_may_be_kept_while_others_are_handed_over(patients_folder, tmp_path, monkeypatch):
    # What is handed to a process is pickled by a thread: a dictionary that grows meanwhile ends the run.
    handed = []

    class Pool:
        def __init__(self, *_, **__): ...

        def submit(self, _, cache, __):
            handed.append(cache)
            return Future()

        def shutdown(self, **_): ...

    monkeypatch.setattr(making, "ProcessPoolExecutor", Pool)
    cache = PatientCache(DataConfig(spacing=(4, 4, 4)), MODALITIES, tmp_path)
    with Maker(cache, phantoms(2, 0), 1):
        before = [pickle.dumps(theirs) for theirs in handed]
        for patient in folder_patients(patients_folder):
            cache.keep(patient)
        assert [pickle.dumps(theirs) for theirs in handed] == before
    assert pickle.loads(before[0]).folder == tmp_path


def test_who_is_not_made_yet_is_stood_in_for(tiny_training, tmp_path):
    config = tiny_training("data.spacing=[4, 4, 4]", "data.make_while_training=true")
    cache = PatientCache(config.data, MODALITIES, tmp_path)
    patients = phantoms(5, 0)
    crops = CropDataset(config, [Source("phantom:5", patients)], cache)
    for patient in patients[:2]:
        cache.get(patient)
    assert {crops.visit_of(index).patient for index in range(40)} == set(patients[:2])
    for patient in patients[2:]:
        cache.get(patient)
    planned = [crops.visits[index].patient for index in range(40)]
    assert [crops.visit_of(index).patient for index in range(40)] == planned


def test_patients_are_made_while_training_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(setup, "FIRST_MADE", 2)
    folder = tmp_path / "cache"
    changes = [*COARSE, f"data.cache={str(folder)!r}", "data.source=phantom:5"]
    config = load_recipe(None, [*changes, "data.make_while_training=true", "optimizer.max_steps=100000"])
    seen = []

    def progress(done, total, message):
        if message.startswith("loss"):
            seen.append(len(list(folder.glob("phantom_000000*"))))
            time.sleep(0 if seen[-1] == 5 else 0.5)

    deadline = time.monotonic() + 300
    run_training(
        config,
        tmp_path / "run",
        progress=progress,
        cancelled=lambda: len(seen) > 20 and (seen[-20] == 5 or time.monotonic() > deadline),
    )
    assert seen[0] < seen[-1] == 5
    assert visits(tmp_path / "run")["sources"][0]["patients_visited"] == 5
