"""From what a network says of nested regions, each by itself, to classes that exclude each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def class_scores(said: Tensor, regions: Sequence[str], axis: int = 1) -> Tensor:
    """Return scores of background, NCR, ED and ET from the logits of WT, TC and ET.

    The largest score is that of the class which the signs of the logits name, the innermost region first:
    ET where its logit is positive, else NCR where TC's is, else ED where WT's is, else background. A
    class's score is the least of what must hold for it (the "and" of fuzzy logic), so scores grow with
    the logits and multiply with them.

    Parameters
    ----------
    said : Tensor
        Logits, three along `axis`.
    regions : sequence of str
        Which they are.

    Returns
    -------
    Tensor
        Four along `axis`.
    """
    whole, core, enhancing = (said.select(axis, list(regions).index(name)) for name in ("WT", "TC", "ET"))
    neither = torch.minimum(-core, -enhancing)
    return torch.stack(
        (
            torch.minimum(-whole, neither),
            torch.minimum(core, -enhancing),
            torch.minimum(whole, neither),
            enhancing,
        ),
        axis,
    )
