"""What a test looks for among the layers of a viewer."""

from __future__ import annotations

import numpy as np

from napari_rdl.plugin.viewer.appearance import placement
from napari_rdl.plugin.viewer.roles import LAYER_KEY


def layer_of(viewer, subject: str):
    (layer,) = [one for one in viewer.layers if one.metadata.get(LAYER_KEY, {}).get("subject") == subject]
    return layer


def visible_names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def assert_placed(layer, case) -> None:
    expected = placement(case.grid)
    np.testing.assert_allclose(layer.scale, expected["scale"])
    np.testing.assert_allclose(layer.translate, expected["translate"])
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
