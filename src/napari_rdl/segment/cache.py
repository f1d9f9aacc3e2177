"""Representations of earlier patients, kept within a memory budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace

from napari_rdl.case import Case
from napari_rdl.segment.representations import Representations


class RepresentationCache:
    """Keep representations by key; when they outgrow the budget, the least recently used go first.

    The newest is always kept, however large: it is what the user looks at. Images, which take more than what
    was encoded of them, are not kept: whoever asks has read them.

    Parameters
    ----------
    budget_bytes : int
        Memory that all kept representations may hold together.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._kept: OrderedDict[Hashable, Representations] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return sum(one.nbytes for one in self._kept.values())

    def get(self, key: Hashable, case: Case) -> Representations | None:
        """Return what is kept under `key`, of `case`, and count it as used."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key].of(case)

    def put(self, key: Hashable, representations: Representations) -> None:
        """Keep `representations` without the patient's images, letting older ones go."""
        self._kept[key] = representations.of(replace(representations.case, images={}, originals={}))
        self._kept.move_to_end(key)
        self._shrink()

    def set_budget(self, budget_bytes: int) -> None:
        """Change the budget, letting older ones go where it shrank."""
        self._budget = budget_bytes
        self._shrink()

    def _shrink(self) -> None:
        while len(self._kept) > 1 and self.nbytes > self._budget:
            self._kept.popitem(last=False)
