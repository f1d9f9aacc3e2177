"""The collector that looks once, when no other change of the layers has come."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_rdl.plugin.viewer import layer_list
from napari_rdl.plugin.viewer.layer_list import layers_removed


@pytest.fixture
def collected(monkeypatch, qapp):
    """Count what the collector is asked for; frozen objects are nobody else's."""
    asked: list[str] = []
    names = ("freeze", "unfreeze", "collect")
    noted = {name: lambda name=name: asked.append(name) for name in names}
    monkeypatch.setattr(layer_list, "gc", SimpleNamespace(get_freeze_count=lambda: 0, **noted))
    monkeypatch.setattr(layer_list, "_COLLECT_MS", 250)
    return asked


def test_it_looks_once_when_the_layers_have_come_to_rest(collected, qtbot):
    for _ in range(3):
        with layers_removed():
            assert collected[-1] == "freeze"
        qtbot.wait(30)
    assert "collect" not in collected
    qtbot.waitUntil(lambda: "collect" in collected)
    qtbot.wait(600)
    assert collected == [*["freeze", "unfreeze"] * 3, "collect"]


def test_what_others_froze_stays_frozen(collected, monkeypatch, qtbot):
    monkeypatch.setattr(layer_list.gc, "get_freeze_count", lambda: 5)
    with layers_removed():
        pass
    qtbot.wait(600)
    assert collected == []
