"""GMD as its authors saved it: sizes, preparation, names.

Facts from https://github.com/HaoWang420/Gradient-guided-Modality-Decoupling, commit
43ead35918c2bbd00d196877dbf7edf387a10870: ``cli/train_brats3d_gmd.sh`` (half the width),
``dataloaders/__init__.py`` (order of modalities), ``dataloaders/datasets/brats_acn.py`` (each volume
brought to 0 to 1, crops of 128, order of regions), ``modeling/ensemble``.
"""

from __future__ import annotations

from collections.abc import Mapping

from napari_rdl.models.gmd.config import GMDConfig
from napari_rdl.models.names import PART, Rules

SOURCE = "https://github.com/HaoWang420/Gradient-guided-Modality-Decoupling, commit 43ead35"
NORMALIZATION = "minmax"
TILE = 128


def architecture(shapes: Mapping[str, tuple[int, ...]], width: int | None = None) -> GMDConfig:
    """Return the published architecture; the tensors' shapes say nothing that it leaves open."""
    return GMDConfig(axes="LPS", **({} if width is None else {"width": width}))


def rules(config: GMDConfig) -> Rules:
    """Return how our names become theirs."""
    conv = rf"conv(?P<c>[12])\.{PART}"
    norm = rf"norm(?P<c>[12])\.each\.(?P<m>\d)\.{PART}"
    places = {
        r"down\.0": "module.inc",
        r"down\.(?P<n>[1-4])": "module.down{n}.double_conv",
        r"up\.(?P<k>\d)": "module.up{k}.conv",
    }
    return (
        *((rf"{ours}\.{conv}", f"{theirs}.conv{{c}}.module.{{part}}") for ours, theirs in places.items()),
        *((rf"{ours}\.{norm}", f"{theirs}.norm{{c}}.norm_{{m}}.{{part}}") for ours, theirs in places.items()),
        (rf"head\.{PART}", "module.outc.conv.module.{part}"),
    )
