"""What a patch costs each method: all take turns, ours is the measure, threads are as before."""

from __future__ import annotations

import pytest
import torch

from napari_rdl.bench import methods, methods_patient
from napari_rdl.bench.methods import measure_methods
from napari_rdl.bench.methods_patient import HALF, measure_patient
from napari_rdl.case import load_case
from napari_rdl.errors import ConfigError
from napari_rdl.models import build_network
from napari_rdl.models.registry import METHODS
from napari_rdl.models.rfnet.model import RFNet


@pytest.fixture
def small(monkeypatch, tiny_model):
    """Make networks of a small width in the place of published ones."""
    monkeypatch.setattr(
        methods,
        "_network",
        lambda name, model: (
            model.network if name == "rdl" else build_network(METHODS[name].architecture(width=4))
        ),
    )
    return tiny_model


def test_each_method_has_a_row_beside_ours_and_only_a_joint_one_passes_again(small, monkeypatch) -> None:
    passes: list[str] = []
    for owner, name in ((type(small.network), "terms"), (RFNet, "logits")):
        plain = getattr(owner, name)

        def counted(self, *args, plain=plain, name=name):
            passes.append(name)
            return plain(self, *args)

        monkeypatch.setattr(owner, name, counted)
    # A clock that a pass moves on by one.
    monkeypatch.setattr(methods, "perf_counter", lambda: len(passes))
    threads = torch.get_num_threads()
    times = measure_methods(["rfnet"], edge=16, rounds=2, threads=threads + 1, model=small)
    assert torch.get_num_threads() == threads
    assert [row.method for row in times.rows] == ["rdl", "rfnet"]
    ours, rfnet = times.rows
    assert (ours.all_seconds, ours.one_seconds, ours.more_seconds, ours.ratio) == (4, 1, 0, 1)
    assert (rfnet.all_seconds, rfnet.one_seconds, rfnet.more_seconds, rfnet.ratio) == (1, 1, 1, 0.25)
    assert ours.parameters == sum(p.numel() for p in small.network.parameters())


@pytest.mark.parametrize(
    ("names", "edge", "sentence"),
    [(["unet"], 32, "There is no method 'unet'"), (["rfnet"], 33, "edge is divisible by")],
)
def test_what_cannot_be_timed_is_said(small, names, edge, sentence) -> None:
    with pytest.raises(ConfigError, match=sentence):
        measure_methods(names, edge=edge, rounds=1, model=small)


def test_a_patient_goes_through_each_methods_own_windows(tiny_model, brats_folder, monkeypatch) -> None:
    small = build_network(METHODS["rfnet"].architecture(width=4))
    monkeypatch.setattr(methods_patient, "published_network", lambda name: small)
    case = load_case(brats_folder)
    times = measure_patient(case, ["rfnet"], tiny_model)
    ours, rfnet = times.rows
    # A modality at a time, each cut for itself; together, in windows that hold a head of this size.
    assert (ours.windows % len(case.modalities), ours.overlap, ours.ratio) == (0, 0.25, 1)
    assert (rfnet.edge, rfnet.overlap, rfnet.windows) == (80, HALF, 1)
    assert rfnet.ratio == pytest.approx(rfnet.seconds / ours.seconds)
    assert 0 < ours.more_seconds < ours.seconds
    with pytest.raises(ConfigError, match="No windows of 'unet' are known"):
        measure_patient(case, ["unet"], tiny_model)
