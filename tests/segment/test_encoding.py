"""Encoding: each modality alone, cancelled and stepped down cleanly."""

import numpy as np
import pytest
import torch

from napari_rdl.brats import MODALITIES, SUBSETS
from napari_rdl.case import load_case
from napari_rdl.errors import Cancelled, CaseError, DeviceError
from napari_rdl.models import ModelCard, NetworkConfig, RobustNet
from napari_rdl.models.checkpoint import Model
from napari_rdl.segment import SegmentSettings, encode
from napari_rdl.segment import encoding as encoding_module

CPU = SegmentSettings(device="cpu", tile=16)


@pytest.fixture
def case(brats_folder):
    return load_case(brats_folder)


def _only(case, names):
    return load_case({name: case.files[name] for name in names}, name=case.name)


@pytest.mark.parametrize("name", MODALITIES)
def test_a_representation_depends_on_its_own_modality_alone(case, tiny_model, name):
    together = encode(case, tiny_model, settings=CPU)
    alone = encode(_only(case, [name]), tiny_model, settings=CPU)
    assert np.array_equal(together.labels([name]), alone.labels())
    assert np.array_equal(together.probabilities([name]), alone.probabilities())


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_a_subset_is_the_same_with_and_without_the_other_modalities(case, tiny_model, subset):
    chosen = encode(case, tiny_model, modalities=subset, settings=CPU)
    everything = encode(case, tiny_model, settings=CPU)
    assert chosen.modalities == subset
    assert np.array_equal(chosen.labels(), everything.labels(subset))


def test_changing_one_image_leaves_the_other_representations_alone(case, tiny_model):
    changed = dict(case.images)
    changed["T2"] = np.where(changed["T2"] > 0, 1000 - changed["T2"], 0).astype(np.float32)
    from dataclasses import replace

    before, after = (encode(one, tiny_model, settings=CPU) for one in (case, replace(case, images=changed)))
    assert not np.array_equal(before.probabilities(["T2"]), after.probabilities(["T2"]))
    for name in ("T1", "T1c", "FLAIR"):
        assert np.array_equal(before.probabilities([name]), after.probabilities([name]))


def test_progress_rises_to_its_total(case, tiny_model):
    seen = []
    encode(case, tiny_model, settings=CPU, progress=lambda *told: seen.append(told))
    done = [told[0] for told in seen]
    assert done == sorted(done)
    assert seen[-1][0] == seen[-1][1] == seen[0][1]
    assert {told[2] for told in seen} == {*(f"Encoding {name}" for name in MODALITIES), "Encoded"}


@pytest.mark.parametrize("after", [0, 1, 3])
def test_cancelling_ends_the_work_at_the_next_tile(case, tiny_model, after):
    tiles = []

    def cancelled():
        return len(tiles) >= after

    with pytest.raises(Cancelled):
        encode(case, tiny_model, settings=CPU, progress=lambda *told: tiles.append(told), cancelled=cancelled)
    assert len(tiles) == after


def _fail_with(monkeypatch, errors):
    """Let the first attempts to pass a tile through the network raise `errors`, one each."""
    true = RobustNet.encode
    waiting = list(errors)

    def encode_or_fail(self, *arguments):
        if waiting:
            raise waiting.pop(0)
        return true(self, *arguments)

    monkeypatch.setattr(RobustNet, "encode", encode_or_fail)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"
        ),
        RuntimeError("MPS backend out of memory"),
    ],
    ids=["cuda", "python", "cpu", "mps"],
)
def test_injected_memory_faults_step_down_and_end_in_a_result(case, tiny_model, monkeypatch, error):
    _fail_with(monkeypatch, [error])
    settings = SegmentSettings(device="cpu", tile=64)
    result = encode(case, tiny_model, settings=settings)
    assert len(result.computation.steps) == 1
    assert "tiles of 64 voxels on cpu; going on with tiles of 32 voxels on cpu" in result.computation.steps[0]
    monkeypatch.undo()
    expected = encode(case, tiny_model, settings=SegmentSettings(device="cpu", tile=32))
    assert np.array_equal(result.labels(), expected.labels())


def test_the_ladder_ends_with_a_sentence(case, tiny_model, monkeypatch):
    _fail_with(monkeypatch, [MemoryError()] * 20)
    with pytest.raises(DeviceError, match="even with tiles of 32 voxels on cpu: close other programs"):
        encode(case, tiny_model, settings=SegmentSettings(device="cpu", tile=128))


def test_other_errors_are_not_taken_for_memory_faults(case, tiny_model, monkeypatch):
    _fail_with(monkeypatch, [RuntimeError("shapes do not match")])
    with pytest.raises(RuntimeError, match="shapes do not match"):
        encode(case, tiny_model, settings=CPU)


def test_the_ladder_of_a_gpu_keeps_results_in_main_memory_before_it_gives_up_the_gpu():
    from napari_rdl.segment.ladder import rungs

    ladder = [
        (str(rung.device), rung.tile, str(rung.results_device)) for rung in rungs(torch.device("cuda:0"), 64)
    ]
    assert ladder == [
        ("cuda:0", 64, "cuda:0"),
        ("cuda:0", 32, "cuda:0"),
        ("cuda:0", 32, "cpu"),
        ("cpu", 64, "cpu"),
        ("cpu", 32, "cpu"),
    ]


def test_reduced_precision_is_close_to_full(case, tiny_model):
    full = encode(case, tiny_model, settings=CPU)
    reduced = encode(case, tiny_model, settings=CPU.model_copy(update={"precision": "bf16"}))
    assert (full.computation.precision, reduced.computation.precision) == ("float32", "bf16")
    apart = np.abs(full.probabilities() - reduced.probabilities())
    # Bits are lost, so the setting was heard; not many, so it may be used.
    assert 1e-5 < apart.mean() < 0.02


@pytest.mark.parametrize(
    ("modalities", "words"),
    [(["T1", "DWI"], "'DWI' is no known modality"), (["T2"], "has no T2"), ([], "choose among T1c")],
)
def test_modalities_that_are_not_there_are_named(case, tiny_model, modalities, words):
    with pytest.raises(CaseError, match=words):
        encode(_only(case, ["T1c"]), tiny_model, modalities=modalities)


@pytest.mark.parametrize("device", ["cuda:7", "abacus"])
def test_a_device_that_is_not_there_is_named(case, tiny_model, device):
    with pytest.raises(DeviceError, match=device):
        encode(case, tiny_model, settings=SegmentSettings(device=device))


def test_a_model_that_knows_none_of_the_modalities_is_refused(case):
    config = NetworkConfig(channels=(4, 8), groups=2, modalities=("DWI",))
    card = ModelCard(name="dwi", network=config, spacing=(2, 2, 2))
    model = Model(RobustNet(config).eval(), card, case.files["T1"], "0")
    with pytest.raises(Exception, match="knows DWI, none of which"):
        encode(case, model, settings=CPU)


def test_a_model_may_know_more_modalities_than_brats(case):
    torch.manual_seed(0)
    config = NetworkConfig(channels=(4, 8), groups=2, modalities=("DWI", "T2", "T1"))
    card = ModelCard(name="other", network=config, spacing=(2, 2, 2))
    model = Model(RobustNet(config).eval(), card, case.files["T1"], "0")
    assert encode(case, model, settings=CPU).modalities == ("T2", "T1")


def test_a_brain_at_the_edge_of_the_volume_is_encoded(case, tiny_model):
    from dataclasses import replace

    cut = {name: image[8:, 8:, 8:] for name, image in case.images.items()}
    grid = replace(case.grid, shape=cut["T1"].shape)
    encoded = encode(replace(case, images=cut, grid=grid), tiny_model, settings=CPU)
    assert encoded.labels().shape == cut["T1"].shape


def test_an_image_without_brain_is_named(case, tiny_model):
    from dataclasses import replace

    empty = {**case.images, "T2": np.zeros(case.grid.shape, np.float32)}
    with pytest.raises(CaseError, match=r"The T2 image of .* has no brain voxels"):
        encode(replace(case, images=empty), tiny_model, settings=CPU)


def test_the_model_is_back_on_the_cpu_after_a_cancelled_run(case, tiny_model):
    with pytest.raises(Cancelled):
        encode(case, tiny_model, settings=CPU, cancelled=lambda: True)
    assert next(tiny_model.network.parameters()).device.type == "cpu"
    assert encoding_module.encode(case, tiny_model, settings=CPU).modalities == MODALITIES
