"""The template that every head is warped from: nilearn's MNI152 tissue maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_rdl.boxes import bounding_box
from napari_rdl.phantom.fields import Volume, along_axes, linear_matrix, sample


@dataclass(frozen=True)
class Template:
    """The MNI152 maps, each (X, Y, Z) float32 RAS+.

    Attributes
    ----------
    gm, wm : Volume
        Grey and white matter at 1 mm, 0 to 1.
    residual : Volume
        At 2 mm: what the T1 template holds beyond its tissue means, in units of the white-grey
        contrast; positive towards white matter, as in thalamus and pallidum.
    depth : Volume
        At 2 mm: millimetres inside the (closed) brain mask; negative outside.
    ventricle : Volume
        At 2 mm: ventricular CSF, 0 to 1.
    beside : Volume
        At 2 mm: the ventricles blurred by 4 mm, so large in the white matter beside them.
    pull : Volume
        At 2 mm: gradient of the blurred ventricles, (3, X, Y, Z), largest value 1.
    centre : NDArray
        Voxel coordinates of MNI (0, 0, 0) at 1 mm.
    """

    gm: Volume
    wm: Volume
    residual: Volume
    depth: Volume
    ventricle: Volume
    beside: Volume
    pull: Volume
    centre: NDArray[np.float32]

    def tissue(self, volume: Volume, mni: NDArray[np.float32]) -> Volume:
        """Interpolate a 1 mm map at `mni` coordinates (3, X, Y, Z) in mm."""
        return sample(volume, mni + self.centre[:, None, None, None])

    def smooth(self, volume: Volume, mni: NDArray[np.float32]) -> Volume:
        """Interpolate a 2 mm map at `mni` coordinates (3, X, Y, Z) in mm."""
        return sample(volume, (mni + self.centre[:, None, None, None]) * np.float32(0.5))

    def depth_at(self, mni: NDArray[np.float32]) -> Volume:
        """Interpolate `depth` at `mni` coordinates (3, X, Y, Z); beyond the template's box lies no brain."""
        coordinates = (mni + self.centre[:, None, None, None]) * np.float32(0.5)
        return sample(self.depth, coordinates, outside=float(self.depth.min()))


def load_template(spacing: float = 1.0) -> Template:
    """Load the maps that come with nilearn, blurred as a voxel of `spacing` mm would blur them."""
    sharp = _sharp()
    return sharp if spacing <= 1 else _blurred(float(spacing))


@lru_cache(maxsize=4)
def _blurred(spacing: float) -> Template:
    sharp = _sharp()
    sigma = 0.35 * float(np.sqrt(spacing**2 - 1))
    gm, wm = (ndimage.gaussian_filter(tissue, sigma, truncate=3) for tissue in (sharp.gm, sharp.wm))
    return replace(sharp, gm=gm, wm=wm)


def _nilearn_map(name: str) -> tuple[Volume, NDArray[np.float64]]:
    """Read one of nilearn's maps at 1 mm: its voxels, the largest 1, and its affine (4, 4).

    Only the file is of use here: `nilearn.datasets` takes seconds to import scikit-learn and pandas.
    """
    package = find_spec("nilearn")
    assert package is not None
    assert package.origin is not None
    path = (
        Path(package.origin).parent
        / "datasets"
        / "data"
        / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"
    )
    image: Any
    if path.is_file():
        image = nib.load(path)
    else:  # another version, which keeps it elsewhere
        datasets = import_module("nilearn.datasets")
        image = getattr(datasets, f"load_mni152_{name}_template".replace("_t1", ""))(resolution=1)
    voxels = np.asarray(image.dataobj).astype(np.float32)
    return voxels / voxels.max(), image.affine


@lru_cache(maxsize=1)
def _sharp() -> Template:
    """Make the template from maps of 1 mm."""
    t1, affine = _nilearn_map("t1")
    brain = t1 > 0.2  # as nilearn.datasets.load_mni152_brain_mask has it
    margin = 14
    box = bounding_box(brain, margin=margin)
    assert box is not None
    brain = brain[box]
    depth = _depth(brain)
    brain &= (
        along_axes(
            depth,
            [
                linear_matrix((np.arange(n) / 2).astype(np.float32), m)
                for n, m in zip(brain.shape, depth.shape, strict=True)
            ],
        )
        > 0
    )
    t1, gm, wm = (volume[box] * brain for volume in (t1, _nilearn_map("gm")[0], _nilearn_map("wm")[0]))
    # A few voxels' mean, then every other voxel, for what changes slowly.
    t1_2, gm_2, wm_2, brain_2 = (
        ndimage.uniform_filter(volume, 2, origin=-1)[::2, ::2, ::2]
        for volume in (t1, gm, wm, brain.astype(np.float32))
    )
    csf_2 = np.clip(1 - gm_2 - wm_2, 0, 1) * (depth > 0)
    residual = np.clip((t1_2 - 0.65 * gm_2 - 0.87 * wm_2 - 0.28 * csf_2) / 0.22, -0.6, 0.9)
    residual *= ((gm_2 + wm_2) > 0.8) & (brain_2 > 0.9)
    centre = -affine[:3, 3] - [s.start for s in box]
    x, y, z = (2 * np.arange(n) - c for n, c in zip(depth.shape, centre, strict=True))
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    inner = (np.abs(x) < 38) & (y > -62) & (y < 40) & (z > -12) & (z < 34)
    # Sylvian CSF lies lateral and in front; the temporal horns there are left out with it.
    inner = inner & ~((np.abs(x) > 26) & (y > -28))
    ventricle = np.where(inner & (depth > 24), csf_2, 0).astype(np.float32)
    pull = np.stack(np.gradient(ndimage.gaussian_filter(ventricle, 3.5)))
    pull /= np.sqrt((pull**2).sum(0)).max()
    return Template(
        gm,
        wm,
        residual.astype(np.float32),
        depth,
        ventricle,
        ndimage.gaussian_filter(ventricle, 2.0),
        pull.astype(np.float32),
        centre.astype(np.float32),
    )


def _depth(brain: NDArray[np.bool_]) -> Volume:
    """Return the signed distance in mm inside `brain` (1 mm) at 2 mm, the brain's deep bays closed.

    The template's mask leaves out the basal cisterns, which masks of patients take in, and holds
    blobs beside the skull base, which hang on thin necks.
    """
    half = np.pad(brain[::2, ::2, ::2], 6)
    core = ndimage.distance_transform_edt(half) > 3.5
    core = ndimage.label(core)[0] == 1
    half &= ndimage.distance_transform_edt(~core) < 4.5
    grown = ndimage.distance_transform_edt(~half) < 3.5
    closed = (ndimage.distance_transform_edt(grown) > 3.5) | half
    for level in range(closed.shape[2]):  # cisterns open downwards only
        closed[..., level] = ndimage.binary_fill_holes(closed[..., level])
    signed = ndimage.distance_transform_edt(closed) - ndimage.distance_transform_edt(~closed)
    return ndimage.gaussian_filter((2 * signed).astype(np.float32), 0.6)[6:-6, 6:-6, 6:-6]
