"""The plugin's settings in napari's preferences."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import npe2
import pytest

from napari_rdl.plugin import settings
from napari_rdl.plugin.settings import (
    CONFIGURATION,
    PLUGIN_NAME,
    PluginSettings,
    follow_settings,
    plugin_settings,
)
from napari_rdl.plugin.viewer.planes import PLANES


@pytest.fixture(scope="module")
def manifest() -> npe2.PluginManifest:
    return npe2.PluginManifest.from_distribution(PLUGIN_NAME)


def test_manifest_and_dataclass_name_the_same_settings_with_the_same_defaults(manifest):
    declared = manifest.contributions.configurations[CONFIGURATION].properties
    assert {key: one.default for key, one in declared.items()} == asdict(PluginSettings())


def test_planes_in_the_manifest_are_the_planes_there_are(manifest):
    declared = manifest.contributions.configurations[CONFIGURATION].properties
    assert declared["default_plane"].enum == list(PLANES)


@pytest.fixture
def registered(manifest, monkeypatch):
    """napari's settings with this plugin in them."""
    import napari.settings

    manager = npe2.PluginManager()
    manager.register(manifest)
    monkeypatch.setattr(npe2.PluginManager, "instance", classmethod(lambda cls: manager))
    monkeypatch.setattr(manager, "discover", lambda *args, **kwargs: 0)
    napari.settings._clear_plugin_settings_cache()
    yield napari.settings.get_plugin_settings(path_dir=None)[PLUGIN_NAME]
    napari.settings._clear_plugin_settings_cache()


def test_what_the_user_sets_is_read(registered):
    group = getattr(registered, CONFIGURATION)
    group.memory_budget_mb = 512
    group.model_path = "~/model.safetensors"
    found = plugin_settings()
    assert found.memory_budget_bytes == 512 * 2**20
    assert found.model == Path.home() / "model.safetensors"


def test_a_change_is_told_until_nobody_listens(registered):
    told = []
    leave = follow_settings(lambda: told.append(plugin_settings().memory_budget_mb))
    group = getattr(registered, CONFIGURATION)
    group.memory_budget_mb = 1024
    leave()
    group.memory_budget_mb = 2048
    assert told == [1024]


def test_a_changed_budget_holds_in_a_widget_that_is_open(registered, qtbot, monkeypatch):
    from napari.components import ViewerModel

    from napari_rdl.plugin.segment.widget import SegmentWidget

    widget = SegmentWidget(ViewerModel())
    qtbot.addWidget(widget)
    told = []
    monkeypatch.setattr(widget.session, "set_budget", told.append)
    getattr(registered, CONFIGURATION).memory_budget_mb = 300
    assert told == [300 * 2**20]
    widget.shut_down()
    getattr(registered, CONFIGURATION).memory_budget_mb = 400
    assert len(told) == 1


def test_without_a_plugin_nothing_is_followed(monkeypatch):
    monkeypatch.setattr(settings, "PLUGIN_NAME", "a-plugin-that-is-not-there")
    follow_settings(lambda: None)()


def test_an_empty_model_path_means_the_bundled_model():
    assert PluginSettings(model_path="  ").model is None


def test_without_the_plugin_in_napari_the_defaults_hold(monkeypatch):
    monkeypatch.setattr(settings, "PLUGIN_NAME", "a-plugin-that-is-not-there")
    assert plugin_settings() == PluginSettings()
