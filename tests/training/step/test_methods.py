"""Each comparison method takes a step of its own on a tiny crop, and its card says what it is."""

import pytest
import torch

from napari_rdl.errors import ConfigError
from napari_rdl.models import METHODS
from napari_rdl.training.data.sources import Patients
from napari_rdl.training.recipe import load_recipe, recipe_names
from napari_rdl.training.run.card import run_card
from napari_rdl.training.step.decoupling import add_decoupled_gradient, decoupled_gradient
from napari_rdl.training.step.hardware import make_fabric
from napari_rdl.training.step.schedule import learning_rate
from napari_rdl.training.step.stepper import Stepper

NARROW = {"rfnet": (4, 16), "mmformer": (1, 32), "m3ae": (8, 16), "gmd": (8, 16)}
"""Width, and edge of a crop."""


def tiny(method, *changes):
    width, edge = NARROW[method]
    return load_recipe(
        f"table2/{method}",
        [
            f"method.width={width}",
            f"data.crop=[{edge}, {edge}, {edge}]",
            *([f"method.substitute=[{edge}, {edge}, {edge}]"] if method == "m3ae" else []),
            "hardware.device=cpu",
            "hardware.threads=1",
            "optimizer.batch=1",
            "data.source=phantom:1",
            *changes,
        ],
    )


def batch(edge):
    torch.manual_seed(0)
    labels = torch.zeros(1, edge, edge, edge, dtype=torch.int64)
    labels[:, 4:9, 4:9, 4:9] = 2
    labels[:, 5:7, 5:7, 5:7] = 1
    labels[:, 7:8, 5:8, 5:8] = 3
    return {
        "images": torch.randn(1, 4, edge, edge, edge),
        "labels": labels,
        "present": torch.ones(1, 4, dtype=torch.bool),
        "names": ["a"],
        "halves": [False],
        "indices": [0],
    }


@pytest.mark.parametrize("method", NARROW)
def test_a_step_of_its_recipe_changes_the_network_and_lowers_the_loss(method):
    config = tiny(method)
    stepper = Stepper(config, make_fabric(config, some_missing=False))
    before = {name: value.clone() for name, value in stepper.network.state_dict().items()}
    crops = batch(config.data.crop[0])
    first = stepper.take_step(iter([crops]), 0, 1e-3, done=0.5)
    assert len(first) == len(stepper.terms) + 2
    assert all(torch.isfinite(torch.tensor(first)))
    changed = [
        name for name, value in stepper.network.state_dict().items() if not torch.equal(value, before[name])
    ]
    assert len(changed) > len(before) / 2
    again = stepper.take_step(iter([crops]), 0, 1e-3, done=0.5)
    assert again[0] < first[0]
    card = run_card(config, Patients((), ()), 2, {})
    assert (card.method, card.normalization) == (method, "zscore-brain")
    assert isinstance(card.network, METHODS[method].architecture)


def test_the_recipes_have_the_published_sizes():
    assert {f"table2/{method}" for method in NARROW} <= set(recipe_names())
    for method, count in {"rfnet": 8_984_960, "mmformer": 35_861_840, "gmd": 3_245_235}.items():
        with torch.device("meta"):
            network = METHODS[method].build(
                load_recipe(f"table2/{method}", ["data.source=phantom:1"]).architecture
            )
        assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_the_fused_prediction_waits_for_its_time():
    config = tiny("rfnet")
    stepper = Stepper(config, make_fabric(config, some_missing=False))
    totals = {}
    for done in (0.0, 0.5):
        stepper.objective.done = done
        loss = stepper.loss_of(batch(16))
        totals[done] = (loss.total.item(), loss.terms.tolist())
    (early, terms), (late, same) = totals[0.0], totals[0.5]
    assert terms == pytest.approx(same)
    assert late - early == pytest.approx(terms[0], rel=1e-4)


def test_what_conflicts_is_taken_out_of_a_gradient():
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    order = torch.Generator().manual_seed(0)
    # Each loses its part along the other: (1, 0) + (-1, 1) / 2 and (0, 1).
    expected = (torch.tensor([0.5, 0.5]) + torch.tensor([0.0, 1.0])) / 2
    torch.testing.assert_close(decoupled_gradient([one, other], order), expected)
    agreeing = torch.tensor([1.0, 1.0])
    torch.testing.assert_close(decoupled_gradient([one, agreeing], order), (one + agreeing) / 2)
    weights = torch.nn.Parameter(torch.zeros(2))
    losses = [weights @ one, weights @ other]
    add_decoupled_gradient(losses, [weights], 1.0, order)
    torch.testing.assert_close(weights.grad, expected)


def test_a_cosine_ends_at_nothing():
    settings = tiny("m3ae").optimizer
    assert [learning_rate(settings, 9, done) for done in (0, 0.5, 1)] == pytest.approx([3e-4, 1.5e-4, 0])


@pytest.mark.parametrize(
    ("method", "change", "sentence"),
    [
        ("mmformer", "data.crop=[32, 32, 48]", "must be a cube"),
        ("rfnet", "method.width=6", "is no width of rfnet"),
        ("rfnet", "data.crop=[24, 24, 24]", "must be divisible by 16, the stride of rfnet"),
        ("gmd", "hardware.precision=16-mixed", "gmd takes its steps in one process"),
        ("rfnet", "network.modalities=['T1', 'T2']", "knows the four modalities"),
    ],
)
def test_settings_that_do_not_fit_a_method_are_refused(method, change, sentence):
    with pytest.raises(ConfigError, match=sentence):
        tiny(method, change)
