"""RFNet as its authors saved it: sizes, preparation, names.

Facts from https://github.com/dyh127/RFNet, commit 6938e79b5ca2f940cab252b8910c6e85aa6ea3ab: ``models.py``,
``layers.py``, ``train.py`` (crops of 80, random flips), ``data/datasets_nii.py`` (order of modalities).
How its volumes were prepared stands in the copy of its ``preprocess.py`` in
https://github.com/YaoZhang93/mmFormer, commit 9de0bf7902e6a72408cd0de03ab62d07f4849855: z-scores over the
brain, what lies outside it shifted and scaled alike, voxels as the files have them, 4 written as 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from napari_rdl.models.names import PART, Rules, encoder_rules, level_rules
from napari_rdl.models.rfnet.config import RFNetConfig

SOURCE = "https://github.com/dyh127/RFNet, commit 6938e79"
NORMALIZATION = "zscore-outside"
TILE = 80


def architecture(shapes: Mapping[str, tuple[int, ...]], width: int | None = None) -> RFNetConfig:
    """Return the published architecture; the tensors' shapes say nothing that it leaves open."""
    return RFNetConfig(axes="LPS", **({} if width is None else {"width": width}))


def rules(config: RFNetConfig) -> Rules:
    """Return how our names become theirs."""
    fusion = r"fused\.fusions\.(?P<k>\d)\."
    prior = r"fused\.priors\.(?P<k>\d)\."
    return (
        *encoder_rules(config.inputs),
        *level_rules(),
        (rf"(?P<way>fused|separate)\.head\.{PART}", "decoder_{way}.seg_layer.{part}"),
        (
            rf"{fusion}weights\.(?P<r>\d)\.first\.{PART}",
            "decoder_fuse.RFM{k}.modal_fusion.{r}.weight_layer.0.{part}",
        ),
        (
            rf"{fusion}weights\.(?P<r>\d)\.last\.{PART}",
            "decoder_fuse.RFM{k}.modal_fusion.{r}.weight_layer.2.{part}",
        ),
        (
            rf"{fusion}merge\.(?P<n>\d)\.conv\.{PART}",
            "decoder_fuse.RFM{k}.region_fusion.fusion_layer.{n}.conv.{part}",
        ),
        (rf"{fusion}past\.(?P<n>\d)\.conv\.{PART}", "decoder_fuse.RFM{k}.short_cut.{n}.conv.{part}"),
        (
            rf"{prior}embedding\.(?P<n>\d)\.conv\.{PART}",
            "decoder_fuse.prm_generator{k}.embedding_layer.{n}.conv.{part}",
        ),
        (rf"{prior}hidden\.0\.conv\.{PART}", "decoder_fuse.prm_generator{k}.prm_layer.0.conv.{part}"),
        (rf"{prior}last\.{PART}", "decoder_fuse.prm_generator{k}.prm_layer.1.{part}"),
    )
