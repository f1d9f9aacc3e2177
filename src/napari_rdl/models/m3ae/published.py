"""M3AE's segmentation network as its authors saved it: sizes, preparation, names.

Facts from https://github.com/ccarliu/m3ae, commit 3a5eb45ff61d7c4d45e88bc67eec885740125327:
``model/Unet.py``, ``dataset/brats.py`` (order of modalities and regions; axes as SimpleITK reads BraTS's
files), ``dataset/image_utils.py`` (cut at the 1st and 99th percentile of the brain, then brought to 0 to 1).
"""

from __future__ import annotations

from collections.abc import Mapping

from napari_rdl.models.m3ae.config import M3AEConfig
from napari_rdl.models.names import PART, Rules

SOURCE = "https://github.com/ccarliu/m3ae, commit 3a5eb45"
NORMALIZATION = "minmax-percentiles"
TILE = 128


def architecture(shapes: Mapping[str, tuple[int, ...]], width: int | None = None) -> M3AEConfig:
    """Return the published architecture, with the deeper outputs that the tensors have or have not."""
    deep = any("ds_out" in name for name in shapes)
    sizes = {} if width is None else {"width": width}
    return M3AEConfig.model_validate({"axes": "SPL", "deep_supervision": deep, **sizes})


def rules(config: M3AEConfig) -> Rules:
    """Return how our names become theirs."""
    blocks = (("b",), ("a", "b"), ("a", "b"), ("a", "b", "c", "d"))
    layers = {"norm1": "gn1", "conv1": "conv1", "norm2": "gn2", "conv2": "conv2"}
    found: list[tuple[str, str]] = [
        ("substitute", "limage"),
        (rf"enter\.0\.{PART}", "unet.conv1a.{part}"),
        (rf"enter\.(?P<n>[1-3])\.{PART}", "unet.ds{n}.{part}"),
        (rf"head\.{PART}", "unet.up1conv.{part}"),
        (rf"deep_heads\.0\.{PART}", "unet.ds_out.1.{part}"),
        (rf"deep_heads\.1\.{PART}", "unet.ds_out.0.{part}"),
    ]
    for ours, theirs in layers.items():
        for level, letters in enumerate(blocks):
            found += [
                (
                    rf"encoder\.{level}\.{place}\.{ours}\.{PART}",
                    f"unet.conv{level + 1}{letter}.{theirs}.{{part}}",
                )
                for place, letter in enumerate(letters)
            ]
        found += [
            (rf"decoder\.{level}\.{ours}\.{PART}", f"unet.up{level + 2}convb.{theirs}.{{part}}")
            for level in range(3)
        ]
    found += [(rf"narrow\.{level}\.{PART}", f"unet.up{level + 2}conva.{{part}}") for level in range(3)]
    return tuple(found)
