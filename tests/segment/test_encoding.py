"""Encoding: each modality alone, cancelled and stepped down cleanly."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_rdl.brats import MODALITIES, SUBSETS
from napari_rdl.case import load_case
from napari_rdl.errors import Cancelled, CaseError, DeviceError
from napari_rdl.models import ModelCard, NetworkConfig
from napari_rdl.models.checkpoint import Model
from napari_rdl.models.patches import unfold
from napari_rdl.models.rdl.model import RobustNet
from napari_rdl.segment import SegmentSettings, encode
from napari_rdl.segment import encoding as encoding_module
from napari_rdl.segment.working_grid import WorkingGrid

from .kinds import KINDS, model_of

CPU = SegmentSettings(device="cpu", precision="float32", tile=16)


@pytest.fixture
def case(brats_folder):
    return load_case(brats_folder)


def _only(case, names):
    return load_case({name: case.files[name] for name in names}, name=case.name)


@pytest.fixture(scope="module", params=KINDS)
def model(request, brats_folder):
    return model_of(request.param, brats_folder)


@pytest.fixture(scope="module")
def everything(model, brats_folder):
    return encode(load_case(brats_folder), model, settings=CPU)


@pytest.mark.parametrize("name", ["T1", "FLAIR"])
def test_a_representation_depends_on_its_own_modality_alone(case, model, everything, name):
    alone = encode(_only(case, [name]), model, settings=CPU)
    assert np.array_equal(everything.labels([name]), alone.labels())
    assert np.array_equal(everything.probabilities([name]), alone.probabilities())


@pytest.mark.parametrize("subset", [("T2",), ("T1", "FLAIR"), ("T1", "T1c", "T2")], ids="+".join)
def test_a_subset_is_the_same_with_and_without_the_other_modalities(case, model, everything, subset):
    chosen = encode(case, model, modalities=subset, settings=CPU)
    assert chosen.modalities == subset
    assert np.array_equal(chosen.labels(), everything.labels(subset))


def test_other_brains_leave_a_modality_alone(case, model):
    """Each modality has a brain of its own: neither the box nor the outline of another is seen."""
    images = dict(case.images)
    for number, name in enumerate(images):
        images[name] = images[name].copy()
        images[name][: 5 + 2 * number] = 0
        images[name][:, :, 14 + number :] = 0
    several = replace(case, images=images)
    together = encode(several, model, settings=CPU)
    for subset in [("T1",), ("FLAIR",), ("T1c", "FLAIR")]:
        alone = encode(replace(several, images={name: images[name] for name in subset}), model, settings=CPU)
        assert np.array_equal(together.labels(subset), alone.labels())
        assert np.array_equal(together.probabilities(subset), alone.probabilities())
        index = 16
        assert np.array_equal(together.label_slice(subset, 2, index), alone.labels()[:, :, index])
        outside = np.logical_and.reduce([images[name] == 0 for name in subset])
        assert not alone.labels()[outside].any()
    slabs = {subset: np.zeros(case.grid.shape, np.uint8) for subset in SUBSETS}
    for box, labels in together.labels_by_slab():
        for subset in SUBSETS:
            slabs[subset][box] = labels[subset]
    assert all(np.array_equal(slabs[subset], together.labels(subset)) for subset in SUBSETS)


def reference_labels(case, model, subset):
    """Say again, in as few lines as it takes, what a separable network answers on the working grid."""
    network, spacing = model.network, model.card.spacing
    whole = WorkingGrid.covering(
        tuple(slice(0, size) for size in case.grid.shape),
        case.grid.spacing,
        spacing,
        patch=network.patch,
        within=case.grid.shape,
    )
    total = None
    for name in subset:
        image = case.images[name]
        mask = image > 0
        values = image[mask].astype(np.float64)
        normal = np.zeros(image.shape, np.float32)
        normal[mask] = ((values - values.mean()) / values.std()).clip(-5, 5)
        filled = np.nonzero(mask)
        box = tuple(slice(axis.min(), axis.max() + 1) for axis in filled)
        grid = WorkingGrid.covering(
            box, case.grid.spacing, spacing, patch=network.patch, within=case.grid.shape
        )
        working = grid.to_working(torch.from_numpy(normal[grid.box]))
        padded = torch.nn.functional.pad(
            working, [n for size in working.shape[::-1] for n in (0, -size % network.config.stride)]
        )
        with torch.inference_mode():
            said = network.terms(padded[None, None], torch.tensor([MODALITIES.index(name)]))[0]
        said = said[(slice(None), *(slice(0, size // network.patch) for size in working.shape))]
        inside = grid.to_working(torch.from_numpy(mask[grid.box]).float())
        said = said * (torch.nn.functional.max_pool3d(inside[None], network.patch) > 0)
        term = torch.zeros(len(said), *(size // network.patch for size in whole.shape))
        term[(slice(None), *grid.place_in(whole, network.patch))] = said
        total = term if total is None else total + term
    with torch.inference_mode():
        # The weight of a linear fusion is common to all classes: the sum is resampled undivided.
        logits = (
            unfold(total[None, :-1], network.patch)[0] if network.linear else network.read(total[None])[0]
        )
    # Where nobody spoke, the readout of nothing does not count.
    spoken = total.any(0)
    for axis in range(3):
        spoken = spoken.repeat_interleave(network.patch, axis)
    inside = np.logical_or.reduce([case.images[name] > 0 for name in subset])
    return whole.to_case(logits * spoken).argmax(0).numpy() * inside


@pytest.mark.parametrize("subset", [("T2",), ("T1c", "FLAIR"), MODALITIES], ids="+".join)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "joint"])
def test_labels_are_the_argmax_of_the_sum_read(case, brats_folder, kind, subset):
    model = model_of(kind, brats_folder)
    settings = CPU.model_copy(update={"tile": 64})
    found = encode(case, model, settings=settings).labels(subset)
    expected = reference_labels(case, model, subset)
    # Halves and single precision part where two classes are as probable.
    assert (found == expected).mean() > 0.998
    assert len(np.unique(expected)) > 2


def test_changing_one_image_leaves_the_other_representations_alone(case, tiny_model):
    changed = dict(case.images)
    changed["T2"] = np.where(changed["T2"] > 0, 1000 - changed["T2"], 0).astype(np.float32)
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
    cut = {name: image[8:, 8:, 8:] for name, image in case.images.items()}
    grid = replace(case.grid, shape=cut["T1"].shape)
    encoded = encode(replace(case, images=cut, grid=grid), tiny_model, settings=CPU)
    assert encoded.labels().shape == cut["T1"].shape


def test_an_image_without_brain_is_named(case, tiny_model):
    empty = {**case.images, "T2": np.zeros(case.grid.shape, np.float32)}
    with pytest.raises(CaseError, match=r"The T2 image of .* has no brain voxels"):
        encode(replace(case, images=empty), tiny_model, settings=CPU)


def test_the_model_is_back_on_the_cpu_after_a_cancelled_run(case, tiny_model):
    with pytest.raises(Cancelled):
        encode(case, tiny_model, settings=CPU, cancelled=lambda: True)
    assert next(tiny_model.network.parameters()).device.type == "cpu"
    assert encoding_module.encode(case, tiny_model, settings=CPU).modalities == MODALITIES
