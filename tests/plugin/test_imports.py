"""Opening napari, the plugin and a patient's images loads neither torch nor monai."""

from __future__ import annotations

import json
import subprocess
import sys

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


SAY = f"""
import json, sys
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""


def test_nothing_heavy_is_loaded_by_manifest_images_and_widgets(brats_folder):
    steps = [
        step.replace("{folder!r}", repr(str(brats_folder))) + SAY for step in (MANIFEST, PATIENT, WIDGET)
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(steps)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")] == [[], [], []]
