"""M3AE's first stage: what is hidden, what stands in for it, and the second stage that begins with it."""

import numpy as np
import pytest
import torch

from napari_rdl.case import load_case
from napari_rdl.errors import CheckpointError, ConfigError
from napari_rdl.models import load_model, save_model
from napari_rdl.segment import encode
from napari_rdl.training.data.sources import Patients
from napari_rdl.training.data.subsets import draw_by_count
from napari_rdl.training.losses.masked import draw_visible
from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.run.card import run_card
from napari_rdl.training.run.setup import starting_model
from napari_rdl.training.step.hardware import make_fabric
from napari_rdl.training.step.stepper import Stepper

EDGE, LEARNT = 16, (24, 24, 20)
SIZES = [
    "method.width=8",
    f"method.substitute={list(LEARNT)}",
    f"data.crop=[{EDGE}, {EDGE}, {EDGE}]",
    "hardware.device=cpu",
    "hardware.threads=1",
    "data.source=phantom:1",
]


def stepper_of(recipe, *changes, start=None):
    config = load_recipe(f"table2/{recipe}", [*SIZES, *changes])
    return config, Stepper(config, make_fabric(config, some_missing=False), start)


def masked(*changes):
    return stepper_of("m3ae-masked", "method.masked_edge=8", *changes)


def batch(count=2):
    torch.manual_seed(7)
    labels = torch.zeros(count, EDGE, EDGE, EDGE, dtype=torch.int64)
    labels[:, 4:9, 4:9, 4:9] = 3
    return {
        "images": torch.randn(count, 4, EDGE, EDGE, EDGE),
        "labels": labels,
        "present": torch.ones(count, 4, dtype=torch.bool),
        "names": ["a", "b"][:count],
        "halves": [False] * count,
        "indices": list(range(count)),
        "starts": torch.tensor([[3, 8, 4], [0, 2, 1]])[:count],
        "mirrored": torch.tensor([[True, False, False], [False, True, True]])[:count],
    }


def test_so_many_cubes_are_seen_and_up_to_three_modalities_are_not():
    present = torch.ones(4, dtype=torch.bool)
    kept = []
    for seed in range(400):
        visible = draw_visible(present, 8, 0.875, np.random.default_rng(seed))
        assert visible.sum() == 4  # an eighth of 32
        kept.append(int(draw_by_count(present, np.random.default_rng(seed)).sum()))
        assert int(visible.any(1).sum()) <= kept[-1]
    assert np.bincount(kept)[1:] == pytest.approx([100, 100, 100, 100], abs=30)
    present[2] = False
    assert not draw_visible(present, 8, 0.5, np.random.default_rng(0))[2].any()


def test_what_is_hidden_shows_the_learnt_images_where_the_crop_lies():
    _, stepper = masked()
    network, crops = stepper.objective.network, batch()
    seen = []
    network.enter[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    stepper.loss_of(crops)
    learnt = network.substitute.detach().numpy()[0]
    stands_in = np.stack(
        [
            np.flip(learnt[:, 3:19, 8:24, 4:20], 1),  # mirrored along the first axis
            np.flip(learnt[:, 0:16, 2:18, 1:17], (2, 3)),
        ]
    )
    found, images = seen[0].detach().numpy(), crops["images"].numpy()
    hidden = found == stands_in
    assert np.array_equal(found, np.where(hidden, stands_in, images))
    assert hidden.mean() == pytest.approx(0.875)
    by_cube = hidden.reshape(2, 4, 2, 8, 2, 8, 2, 8)
    assert np.array_equal(by_cube.all((3, 5, 7)), by_cube.any((3, 5, 7)))


def test_a_step_learns_to_restore_and_the_images_at_a_rate_of_their_own():
    config, stepper = masked()
    before = {name: value.clone() for name, value in stepper.network.state_dict().items()}
    first = stepper.take_step(iter([batch()]), 0, config.optimizer.lr)
    assert stepper.terms == ("restored", "images")
    apart = before["substitute"] - before["substitute"].mean((2, 3, 4), keepdim=True)
    assert first[2] == pytest.approx(apart.norm().item(), rel=1e-5)
    assert first[0] == pytest.approx(first[1] + 0.005 * first[2], rel=1e-5)
    after = stepper.network.state_dict()
    # Adam's first step is its rate wherever there is a gradient.
    assert (after["substitute"] - before["substitute"]).abs().max().item() == pytest.approx(5e-3, rel=1e-3)
    moved = (after["enter.0.weight"] - before["enter.0.weight"]).abs().max().item()
    assert moved == pytest.approx(3e-4, rel=1e-3)
    assert torch.equal(after["head.weight"], before["head.weight"])
    for step in range(1, 6):
        later = stepper.take_step(iter([batch()]), step, 1e-3)
    assert (later[1], later[2]) < (first[1], first[2])
    assert later[2] < first[2]


def test_what_a_patient_lacks_is_not_restored():
    _, stepper = masked()
    crops = batch()
    crops["present"][0, 1] = False
    loss = stepper.loss_of(crops).terms[0].item()
    crops["images"][0, 1] = 1e6
    assert stepper.loss_of(crops).terms[0].item() == pytest.approx(loss)


def test_the_second_stage_begins_with_the_first_and_keeps_its_images(brats_folder, tmp_path):
    config, first = masked()
    first.take_step(iter([batch()]), 0, 3e-4)
    card = run_card(config, Patients((), ()), 1, {})
    assert (card.method, card.segments) == ("m3ae", False)
    path = save_model(tmp_path / "masked.safetensors", first.network, card)
    with pytest.raises(CheckpointError, match="restore masked images and segments nothing"):
        encode(load_case(brats_folder), load_model(path))
    changes = "optimizer.batch=1", f"start_from={path}"
    config = load_recipe("table2/m3ae", [*SIZES, *changes])
    _, second = stepper_of("m3ae", *changes, start=starting_model(config))
    learnt = first.network.state_dict()
    began = second.network.state_dict()
    assert all(torch.equal(value, learnt[name]) for name, value in began.items())
    learnt = {name: value.clone() for name, value in learnt.items()}
    values = second.take_step(iter([batch(1)]), 0, 3e-4)
    after = second.network.state_dict()
    assert torch.equal(after["substitute"], learnt["substitute"])
    assert not torch.equal(after["head.weight"], learnt["head.weight"])
    assert second.take_step(iter([batch(1)]), 0, 3e-4)[0] < values[0]
    assert run_card(config, Patients((), ()), 1, {}).segments


@pytest.mark.parametrize(
    ("recipe", "change", "sentence"),
    [
        ("rfnet", "method.stage=masked", "rfnet has no masked stage"),
        ("m3ae-masked", "data.crop=[24, 24, 24]", r"divisible by method.masked_edge \(16\)"),
        ("m3ae", "data.resident_gb=1", "data.resident_gb must be 0 where m3ae"),
    ],
)
def test_settings_that_do_not_fit_a_stage_are_refused(recipe, change, sentence):
    with pytest.raises(ConfigError, match=sentence):
        load_recipe(f"table2/{recipe}", [change])
