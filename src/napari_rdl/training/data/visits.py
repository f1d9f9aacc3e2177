"""Which patient each visit of a run goes to: sources by their shares, patients of a source in turn.

A visit is a function of the run's seed and its own number, never of what was drawn before. A run can
therefore start again at any step, with any number of workers or processes, and visit the same patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_rdl.cohort.patients import Patient
from napari_rdl.errors import ConfigError
from napari_rdl.training.data.sources import Source

ORDER, MIX, HALF = 1, 4, 5
"""Streams of random numbers: patients of a source, sources of the visits, visits to healthy halves.
Crops and subsets have streams 2 and 3."""

BLOCK = 1000
"""Visits over which the sources' shares hold exactly, but for rounding."""


@dataclass(frozen=True)
class Visit:
    """Whom a visit goes to.

    Attributes
    ----------
    number : int
        Counts from 0 over the run.
    source : int
        Number of the source.
    patient : Patient
        One of the source's.
    half : bool
        Whether only the half of the brain without tumour is seen, where one half has none.
    """

    number: int
    source: int
    patient: Patient
    half: bool = False


class Visits:
    """The visits of a run.

    Parameters
    ----------
    sources : sequence of Source
        With their shares.
    seed : int
        The run's.

    Raises
    ------
    ConfigError
        If a source's share is too small for it ever to be visited.
    """

    def __init__(self, sources: Sequence[Source], seed: int) -> None:
        self.sources = tuple(sources)
        self._seed = seed
        shares = np.array([source.share for source in self.sources])
        ends = np.round(BLOCK * np.cumsum(shares) / shares.sum()).astype(int)
        self._counts = np.diff(ends, prepend=0)
        if not self._counts.all():
            rare = self.sources[int(self._counts.argmin())].name
            raise ConfigError(f"The share of {rare} is below one visit in {BLOCK}: give it a larger one.")
        # The same permutations serve thousands of visits.
        self._mix = lru_cache(maxsize=2)(self._draw_mix)
        self._order = lru_cache(maxsize=2 * len(self.sources))(self._draw_order)

    def __getitem__(self, number: int) -> Visit:
        """Return visit `number`, for any number."""
        source, turn = self._turn(number)
        patients = self.sources[source].patients
        epoch, place = divmod(turn, len(patients))
        patient = patients[self._order(source, epoch)[place]]
        share = self.sources[source].healthy_halves
        half = bool(share) and np.random.default_rng([self._seed, HALF, number]).random() < share
        return Visit(number, source, patient, half)

    def visited(self, count: int) -> Iterator[Patient]:
        """Yield everyone whom the first `count` visits go to, each once, in the order of first visits."""
        everyone = sum(len(source.patients) for source in self.sources)
        seen: set[Patient] = set()
        for number in range(count):
            if len(seen) == everyone:
                return
            patient = self[number].patient
            if patient not in seen:
                seen.add(patient)
                yield patient

    def _turn(self, number: int) -> tuple[int, int]:
        """Return which source a visit goes to, and how many visits went to that source before."""
        if len(self.sources) == 1:
            return 0, number
        block, place = divmod(number, BLOCK)
        mix, before = self._mix(block)
        source = int(mix[place])
        return source, int(block * self._counts[source] + before[place])

    def _draw_mix(self, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the sources of a block's visits, evenly spread, and each visit's turn within the block."""
        rng = np.random.default_rng([self._seed, MIX, block])
        # Each source's visits lie one in each of equal stretches: any few visits in a row are mixed.
        times = np.concatenate([(np.arange(count) + rng.random(count)) / count for count in self._counts])
        order = np.argsort(times)
        mix = np.repeat(np.arange(len(self.sources)), self._counts)[order]
        before = np.concatenate([np.arange(count) for count in self._counts])[order]
        return mix, before

    def _draw_order(self, source: int, epoch: int) -> NDArray[np.int64]:
        stream = [self._seed, ORDER, epoch, *([source] if source else [])]
        return np.random.default_rng(stream).permutation(len(self.sources[source].patients))
