"""The template, against what nilearn's own loaders give."""

from __future__ import annotations

import sys
import types
from importlib import util

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.phantom.template import _nilearn_map, load_template

LOADED = {"t1": 0.1507409063644634, "gm": 0.11621505474785204, "wm": 0.07726935233880018}
"""Means of what load_mni152_template, _gm_template and _wm_template of nilearn 0.14.1 return at 1 mm."""


@pytest.mark.parametrize("name", LOADED)
def test_maps_are_those_of_nilearns_loaders(name: str) -> None:
    voxels, affine = _nilearn_map(name)
    assert (voxels.dtype, voxels.shape, voxels.max()) == (np.float32, (197, 233, 189), 1)
    assert voxels.mean(dtype=float) == pytest.approx(LOADED[name], rel=1e-12)
    assert affine[:3].tolist() == [[1, 0, 0, -98], [0, 1, 0, -134], [0, 0, 1, -72]]
    # load_mni152_brain_mask holds as many.
    assert name != "t1" or (voxels > 0.2).sum() == 1882989


def test_a_nilearn_with_other_files_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    image = nib.Nifti1Image(np.arange(8, dtype=np.float32).reshape(2, 2, 2), np.diag([2.0, 2, 2, 1]))
    elsewhere = types.SimpleNamespace(
        load_mni152_template=lambda resolution: image, load_mni152_gm_template=lambda resolution: image
    )
    monkeypatch.setitem(sys.modules, "nilearn.datasets", elsewhere)
    monkeypatch.setattr(
        "napari_rdl.phantom.template.find_spec",
        lambda name: util.spec_from_loader(name, None, origin="/none/x"),
    )
    for name in ("t1", "gm"):
        voxels, affine = _nilearn_map(name)
        assert (voxels.max(), voxels[0, 0, 1], affine[0, 0]) == (1, np.float32(1 / 7), 2)


def test_a_template_is_made_once_for_all_spacings() -> None:
    sharp = load_template()
    assert load_template(1.0) is load_template(1) is sharp
    assert load_template(2.0) is load_template(2)
    assert load_template(2.0).depth is sharp.depth
    assert load_template(2.0).gm.std() < sharp.gm.std()
