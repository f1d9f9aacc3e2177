"""Whether an image's contrast fits the modality that its name says.

Four facts of MR physics decide, none of which needs an atlas:

- White matter is brighter than cortex on T1 and T1c, and darker on T2 and FLAIR. Cortex lies at the
  brain's surface and white matter below it, so brightness over depth tells the two families apart.
- Cerebrospinal fluid is bright on T2 and suppressed on FLAIR, and hardly anything is the other way
  round: the heavy tail of T2 - FLAIR is the positive one.
- Contrast agent only brightens (vessels, sinuses, plexus, tumour): the heavy tail of T1c - T1 is the
  positive one.
- From voxel to voxel, T1 and T1c go together and T2 goes against both. Unlike brightness over depth,
  this does not feel the coil's slow shading, so where a third image can be the witness, it decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from napari_rdl.case.coarse import CoarseCase

LocalCorrelations = Mapping[frozenset[str], float]

_T1_WEIGHTED = ("T1", "T1c")
_T2_WEIGHTED = ("T2", "FLAIR")
_CORTEX_MM = (5.0, 10.0)
_WHITE_MM = (15.0, 35.0)
_MIN_VOXELS = 1500

# Measured in robust standard deviations. Cortex - white matter was -0.97 to -0.20 on T1 and T1c and
# -0.20 to +0.64 on T2 and FLAIR of real patients, the overlap only with slices of 5.5 mm; the tails
# were +2.6 and +2.7 (T1c - T1) and +5.3 (T2 - FLAIR). The limits keep a clear distance, and more of it
# where one image is judged alone, since a surface coil can brighten its cortex.
_CROSSED_LAYERS = 0.25
_WRONG_LAYERS = 0.8
_CROSSED_T1_TAIL = -1.2
_CROSSED_T2_TAIL = -2.0

# Local correlation was +0.16 to +0.36 for T1 with T1c, and -0.34 to -0.59 for either with T2.
_WITNESS_GAP = 0.3
_OPPOSED = 0.2
_SHADING_MM = 6.0
_LOCAL_CLIP = 4.0


def layer_contrast(coarse: CoarseCase, modality: str) -> float | None:
    """Return how much brighter cortex is than white matter, or None where the brain is too small."""
    image = coarse.images[modality]
    cortex = image[(coarse.depth > _CORTEX_MM[0]) & (coarse.depth < _CORTEX_MM[1])]
    white = image[(coarse.depth > _WHITE_MM[0]) & (coarse.depth < _WHITE_MM[1])]
    if min(cortex.size, white.size) < _MIN_VOXELS:
        return None
    return float(np.median(cortex) - np.median(white))


def tail_balance(coarse: CoarseCase, bright: str, other: str) -> float:
    """Return how much heavier the positive tail of ``bright - other`` is than the negative one."""
    inner = coarse.inner[bright] & coarse.inner[other]
    low, middle, high = np.percentile((coarse.images[bright] - coarse.images[other])[inner], (2, 50, 98))
    return float(high + low - 2 * middle)


def local_correlations(coarse: CoarseCase) -> LocalCorrelations:
    """Return the correlation of each two images after their slow shading is taken away."""
    from scipy.ndimage import gaussian_filter

    sigmas = [_SHADING_MM / size for size in coarse.spacing]
    common = np.logical_and.reduce(list(coarse.inner.values()))
    weight = common.astype(np.float32)
    coverage = np.maximum(gaussian_filter(weight, sigmas), 1e-3)
    details = {}
    for name, image in coarse.images.items():
        clipped = np.clip(image, -_LOCAL_CLIP, _LOCAL_CLIP) * weight
        details[name] = (clipped - gaussian_filter(clipped, sigmas) / coverage)[common]
    return {
        frozenset(pair): float(np.corrcoef(details[pair[0]], details[pair[1]])[0, 1])
        for pair in combinations(details, 2)
    }


def swapped_pair(coarse: CoarseCase, local: LocalCorrelations) -> tuple[str, str] | None:
    """Return the two modalities that look exchanged, or None.

    Parameters
    ----------
    coarse : CoarseCase
    local : Mapping
        From `local_correlations`; empty where the images are not aligned, so that voxels may not be
        compared and only brightness over depth counts.
    """
    layers = {name: layer_contrast(coarse, name) for name in coarse.images}
    if any(value is None for value in layers.values()):
        return None
    found: dict[tuple[str, str], float] = {}
    for first in _T1_WEIGHTED:
        for second in _T2_WEIGHTED:
            if first in layers and second in layers:
                excess = layers[first] - layers[second]  # type: ignore[operator]
                gap = _witness_gap(local, first, second)
                if _crossed(second, excess, gap):
                    found[first, second] = excess - (gap or 0.0)
    if found:
        return max(found, key=lambda pair: found[pair])
    if not local:
        return None
    if {"T1", "T1c"} <= layers.keys() and tail_balance(coarse, "T1c", "T1") < _CROSSED_T1_TAIL:
        return "T1", "T1c"
    if {"T2", "FLAIR"} <= layers.keys() and tail_balance(coarse, "T2", "FLAIR") < _CROSSED_T2_TAIL:
        return "T2", "FLAIR"
    return None


def misnamed(coarse: CoarseCase, local: LocalCorrelations) -> list[tuple[str, str]]:
    """Return each modality that does not look like its family, and the family that it looks like."""
    found = []
    for name in coarse.images:
        contrast = layer_contrast(coarse, name)
        opponents = _T1_WEIGHTED if name == "T2" else ("T2",)
        # An image that goes against its opponent bears its own name, however it is shaded.
        opposed = any(local.get(frozenset((name, other)), 0.0) < -_OPPOSED for other in opponents)
        if contrast is None or (opposed and name != "FLAIR"):
            continue
        if name in _T1_WEIGHTED and contrast > _WRONG_LAYERS:
            found.append((name, "T2- or FLAIR-weighted"))
        elif name in _T2_WEIGHTED and contrast < -_WRONG_LAYERS:
            found.append((name, "T1-weighted"))
    return found


def _crossed(second: str, excess: float, gap: float | None) -> bool:
    if gap is None:
        return excess > _CROSSED_LAYERS
    if second == "T2":
        return gap < -_WITNESS_GAP or (gap < _WITNESS_GAP and excess > _CROSSED_LAYERS)
    # FLAIR's fluid is dark as on T1, so its witness alone is not believed.
    return gap < -_OPPOSED and excess > _CROSSED_LAYERS


def _witness_gap(local: LocalCorrelations, first: str, second: str) -> float | None:
    """Return how clearly a third image says that `first` and `second` bear their own names.

    For T2 the witness is the other T1-weighted image, which goes with `first`; for FLAIR it is T2,
    which goes against `first`. None where there is no witness.
    """
    if second == "T2":
        witness = "T1c" if first == "T1" else "T1"
        with_first, with_second = (local.get(frozenset((name, witness))) for name in (first, second))
        return None if with_first is None or with_second is None else with_first - with_second
    with_first, with_second = (local.get(frozenset((name, "T2"))) for name in (first, second))
    return None if with_first is None or with_second is None else with_second - with_first
