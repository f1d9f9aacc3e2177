"""Brain mask and intensity normalisation: both look at one modality and at nothing else.

Cropping or normalising over the union of all modalities lets an absent one leak into a present
one's representation; keeping both functions to a single image rules that out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CLIP = 5.0
"""Normalised intensities are kept within this many standard deviations."""

_MIN_BORDER_SHARE = 0.1
_RELATIVE_TOLERANCE = 1e-5


def border_values(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values on the six faces of a volume (X, Y, Z), edges counted more than once."""
    faces = [np.take(image, index, axis) for axis in range(image.ndim) for index in (0, -1)]
    return np.concatenate([face.ravel() for face in faces])


def background_value(image: NDArray[np.float32]) -> tuple[float, float]:
    """Return the commonest value on the volume's border, and the share of the border that has it.

    Skull-stripped images have one value outside the brain: 0 as BraTS distributes them, some
    negative number where the whole volume was z-scored afterwards.
    """
    border = border_values(image)
    border = border[np.isfinite(border)]
    if border.size == 0:
        return 0.0, 0.0
    values, counts = np.unique(border, return_counts=True)
    commonest = int(np.argmax(counts))
    return float(values[commonest]), float(counts[commonest] / border.size)


def replace_nonfinite(image: NDArray[np.float32]) -> tuple[int, float]:
    """Set NaN and infinities to the background, in place; return how many and to which value.

    Nothing was measured there, and SPM and others write NaN around the brain. Where the border has
    no common value, the background is taken as 0, or as the smallest value if that is negative.
    """
    if image.size and np.isfinite(image.min()) and np.isfinite(image.max()):
        return 0, 0.0  # NaN is the least and the largest of everything
    finite = np.isfinite(image)
    count = int(image.size - finite.sum())
    if not count:
        return 0, 0.0
    background, share = background_value(image)
    if share < _MIN_BORDER_SHARE:
        background = min(0.0, float(image.min(where=finite, initial=np.inf)))
    image[~finite] = background
    return count, background


def brain_mask(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which voxels of a skull-stripped image are brain.

    These are the voxels that differ from the background value, the commonest one on the volume's
    border. Where the border has no such value (a head in noisy air), the voxels above Otsu's
    threshold are returned instead.

    Parameters
    ----------
    image : ndarray of float32, shape (X, Y, Z)
        One modality, finite.

    Returns
    -------
    ndarray of bool, shape (X, Y, Z)
    """
    background, share = background_value(image)
    low, high = float(image.min()), float(image.max())
    if low == high:
        return np.zeros(image.shape, bool)
    if share < _MIN_BORDER_SHARE:
        return image > otsu_threshold(image)
    # Resampling leaves rounding noise around a background that is not 0. A whole step of an
    # int16 image is far above this tolerance.
    tolerance = np.float32(_RELATIVE_TOLERANCE * (high - low))
    below, above = np.float32(background) - tolerance, np.float32(background) + tolerance
    return (image < below) | (image > above)


def normalize(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the z-score of an image over its own brain, clipped to [-5, 5], and 0 outside.

    Parameters
    ----------
    image : ndarray of float32, shape (X, Y, Z)
    mask : ndarray of bool, shape (X, Y, Z)
        This modality's own brain mask, from `brain_mask`.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        All 0 where the mask is empty or the brain has one value only.
    """
    result = np.zeros(image.shape, np.float32)
    values = image[mask]
    if values.size == 0:
        return result
    mean = float(values.mean(dtype=np.float64))
    deviation = float(values.std(dtype=np.float64))
    if deviation <= 1e-6 * max(1.0, abs(mean)):
        return result
    result[mask] = np.clip((values - np.float32(mean)) / np.float32(deviation), -CLIP, CLIP)
    return result


class Prepared(NamedTuple):
    """An image as a network wants it.

    Attributes
    ----------
    values : ndarray of float32
        (X, Y, Z) what the network sees less `outside`, so that it is 0 outside the brain.
    outside : float
        What it sees there.
    """

    values: NDArray[np.float32]
    outside: float


def prepared(image: NDArray[np.float32], mask: NDArray[np.bool_], how: str = "zscore-brain") -> Prepared:
    """Prepare an image in one of the ways that a model card names; each looks at this image alone.

    Parameters
    ----------
    image : ndarray of float32, shape (X, Y, Z)
    mask : ndarray of bool, shape (X, Y, Z)
        This modality's own brain mask, from `brain_mask`.
    how : str
        ``zscore-brain`` as `normalize` has it; ``zscore-outside``, the z-score over the brain without bounds,
        the background shifted and scaled alike (RFNet's and mmFormer's public code); ``minmax``, the whole
        volume brought to 0 to 1 (GMD's); ``minmax-percentiles``, the same between the brain's 1st and 99th
        percentile (M3AE's).
    """
    if how == "zscore-brain":
        return Prepared(normalize(image, mask), 0.0)
    inside = image[mask]
    values = np.zeros(image.shape, np.float32)
    if not inside.size:
        return Prepared(values, 0.0)
    if how == "zscore-outside":
        low, scale = float(inside.mean(dtype=np.float64)), float(inside.std(dtype=np.float64))
        bounds = (-np.inf, np.inf)
    elif how == "minmax":
        low, scale = float(image.min()), float(image.max()) - float(image.min())
        bounds = (-np.inf, np.inf)
    elif how == "minmax-percentiles":
        low, high = (float(value) for value in np.percentile(inside, (1, 99)))
        bounds, scale = (low, high), high - low
    else:
        raise ValueError(f"{how!r} is no way to prepare an image.")
    if scale <= 1e-6 * max(1.0, abs(low)):
        return Prepared(values, 0.0)
    background = image[~mask]
    beyond = float(np.clip(np.median(background), *bounds)) if background.size else low
    values[mask] = (np.clip(inside, *bounds) - np.float32(beyond)) / np.float32(scale)
    return Prepared(values, (beyond - low) / scale)


def otsu_threshold(image: NDArray[np.float32]) -> float:
    """Return the threshold that parts an image's values best into two (Otsu, 1979)."""
    from skimage.filters import threshold_otsu

    values = image.ravel()[:: max(1, image.size // 500_000)]
    low, high = np.percentile(values, (0.0, 99.9))
    counts, edges = np.histogram(values, bins=256, range=(float(low), float(max(high, low + 1e-6))))
    half = (edges[1] - edges[0]) / 2
    # The upper edge of the bin whose centre parts the values best.
    return float(threshold_otsu(hist=(counts, edges[:-1] + half)) + half)
