"""Opening napari, the plugin and a patient's images loads neither torch nor monai."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["torch", "monai", "lightning", "nilearn", "matplotlib"]

MANIFEST = """
import npe2
manifest = npe2.PluginManifest.from_distribution("napari-rdl")
pm = npe2.PluginManager.instance()
pm.register(manifest, warn_disabled=False)
for command in manifest.contributions.commands:
    pm.commands.get(command.id)
"""

PATIENT = """
import npe2
from napari.components import ViewerModel
from napari_rdl.plugin.viewer.corrected import correct_a_copy
from napari_rdl.plugin.viewer.prediction import PredictionLayer
from napari_rdl.plugin.viewer.modality_grid import show_modality_grid
from napari_rdl.plugin.viewer.planes import show_plane
from napari_rdl.plugin.settings import plugin_settings
npe2.PluginManager.instance().discover()
viewer = ViewerModel()
layers = viewer.open({folder!r}, plugin="napari-rdl")
assert len(layers) == 5, layers
prediction = PredictionLayer(viewer, layers[0].metadata["napari_rdl"]["source"])
prediction.set_outlines(True)
correct_a_copy(viewer, prediction.layer)
show_plane(viewer, "axial")
show_modality_grid(viewer, True)
plugin_settings()
"""

WIDGET = """
import napari
viewer = napari.Viewer(show=False)
for name in ("Segment tumour", "Compare subsets", "Correct labels", "Train model"):
    viewer.window.add_plugin_dock_widget("napari-rdl", name)
viewer.open({folder!r}, plugin="napari-rdl")
viewer.close()
"""


def loaded_by(code: str) -> list[str]:
    """Run `code` in a fresh process and return which heavy packages it has loaded."""
    ending = f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + ending], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(MANIFEST, id="the manifest and its commands"),
        pytest.param(PATIENT, id="the images of a patient"),
        pytest.param(WIDGET, id="napari with the widgets"),
    ],
)
def test_nothing_heavy_is_loaded_by(code, brats_folder):
    assert loaded_by(code.replace("{folder!r}", repr(str(brats_folder)))) == []
