"""Whether modalities that share a grid also show the same brain in the same place.

Edges of anatomy appear in every contrast, whatever their sign, so gradient magnitudes of the inner
brain correlate where two images are aligned. The brain's outline is left out: it is shared by
images that were masked together after having been shifted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from napari_rdl.case.coarse import CoarseCase

_REACH_MM = 26.0
_EDGE_CLIP = 4.0

# Correlation was 0.29 to 0.60 for aligned pairs of real patients and up to 0.22 for mirrored ones.
_MIN_PEAK = 0.2
_LOST_SHARE = 0.8
_MIRRORED_GAIN = 1.5
_STRANGER = 0.24
_AXES = ("left-right", "front-back", "upside down")


@dataclass(frozen=True)
class Pair:
    """How two modalities lie to each other.

    Attributes
    ----------
    zero : float
        Correlation of their edges as they lie.
    peak : float
        The best correlation over shifts.
    shift : tuple of float
        The shift of the first against the second at the peak, in millimetres (R, A, S).
    """

    zero: float
    peak: float
    shift: tuple[float, float, float]
    steps: tuple[int, int, int]

    @property
    def shifted(self) -> bool:
        """Whether the peak is clearly elsewhere: two coarse voxels, or 5 mm, along some axis."""
        far = any(
            abs(step) >= 2 or abs(size) >= 5.0 for step, size in zip(self.steps, self.shift, strict=True)
        )
        return far and self.peak > _MIN_PEAK and self.zero < _LOST_SHARE * self.peak


@dataclass(frozen=True)
class Misalignment:
    """One modality that does not lie where another does; `words` says how."""

    modality: str
    other: str
    words: str


def edge_maps(coarse: CoarseCase) -> dict[str, NDArray[np.float32]]:
    """Return each modality's inner edges: mean 0 in the inner brain, 0 outside, norm 1."""
    from scipy.ndimage import gaussian_gradient_magnitude

    maps = {}
    for name, image in coarse.images.items():
        inner = coarse.inner[name]
        edges = gaussian_gradient_magnitude(np.clip(image, -_EDGE_CLIP, _EDGE_CLIP), 1.0)
        edges = np.minimum(edges, np.percentile(edges[inner], 98))
        edges = np.where(inner, edges - edges[inner].mean(), 0)
        maps[name] = (edges / max(float(np.linalg.norm(edges)), 1e-12)).astype(np.float32)
    return maps


def find_misalignments(coarse: CoarseCase) -> list[Misalignment]:
    """Return the modalities that lie elsewhere, are mirrored, or show another anatomy.

    Of a pair that disagrees, the one is named that disagrees with more of the others.
    """
    names = tuple(coarse.images)
    if len(names) < 2:
        return []
    maps = edge_maps(coarse)
    reach = [max(1, round(_REACH_MM / size)) for size in coarse.spacing]
    correlate = _Correlation(maps, reach, coarse.spacing)
    pairs = {pair: correlate(*pair) for pair in combinations(names, 2)}
    found = []
    wrong = {pair for pair, result in pairs.items() if result.shifted or result.peak < _STRANGER}
    while wrong:
        counts = {name: sum(name in pair for pair in wrong) for name in names}
        worst = max(reversed(names), key=lambda name: counts[name])
        involved = [pair for pair in wrong if worst in pair]
        wrong -= set(involved)
        pair = max(involved, key=lambda pair: pairs[pair].peak)
        other = pair[1] if pair[0] == worst else pair[0]
        # One good match among the others is enough: some contrasts share few edges.
        agreed = any(
            worst in candidate and not result.shifted and result.peak >= _STRANGER
            for candidate, result in pairs.items()
        )
        result = pairs[pair]
        if agreed and not result.shifted:
            continue
        mirror = _mirror_axis(correlate, maps, worst, other, result)
        if mirror is not None:
            words = f"mirrored ({mirror}) against {other}"
        elif result.shifted:
            words = f"{float(np.linalg.norm(result.shift)):.0f} mm off against {other}"
        else:
            words = f"of another anatomy than {other}"
        found.append(Misalignment(worst, other, words))
    return found


class _Correlation:
    """Correlates edge maps over shifts by FFT; each map is transformed once."""

    def __init__(
        self,
        maps: dict[str, NDArray[np.float32]],
        reach: list[int],
        spacing: tuple[float, float, float],
    ) -> None:
        from scipy.fft import next_fast_len

        shape = next(iter(maps.values())).shape
        # Room for the reach, so that no shift wraps around.
        self._shape = [
            next_fast_len(size + extra, real=True) for size, extra in zip(shape, reach, strict=True)
        ]
        self._reach = reach
        self._spacing = spacing
        self._spectra = {name: self.transform(edges) for name, edges in maps.items()}

    def transform(self, edges: NDArray[np.float32]) -> NDArray[np.complexfloating]:
        from scipy.fft import rfftn

        return rfftn(edges, self._shape)

    def __call__(self, first: str, second: str | NDArray[np.complexfloating]) -> Pair:
        from scipy.fft import irfftn

        other = self._spectra[second] if isinstance(second, str) else second
        surface = irfftn(self._spectra[first] * np.conj(other), self._shape)
        lags = [np.r_[0 : reach + 1, -reach:0] for reach in self._reach]
        window = surface[np.ix_(*lags)]
        where = np.unravel_index(int(window.argmax()), window.shape)
        x, y, z = (int(lag[index]) for lag, index in zip(lags, where, strict=True))
        spacing = self._spacing
        return Pair(
            zero=float(surface[0, 0, 0]),
            peak=float(window.max()),
            shift=(x * spacing[0], y * spacing[1], z * spacing[2]),
            steps=(x, y, z),
        )


def _mirror_axis(
    correlate: _Correlation, maps: dict[str, NDArray[np.float32]], worst: str, other: str, upright: Pair
) -> str | None:
    gains = [correlate(other, correlate.transform(np.flip(maps[worst], axis))).peak for axis in range(3)]
    best = int(np.argmax(gains))
    return _AXES[best] if gains[best] > max(_MIRRORED_GAIN * upright.peak, _STRANGER) else None
