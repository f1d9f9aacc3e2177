"""mmFormer as its authors saved it: sizes, preparation, names.

Facts from https://github.com/YaoZhang93/mmFormer, commit 9de0bf7902e6a72408cd0de03ab62d07f4849855
(``mmFormer/mmformer.py``, ``mmFormer/preprocess.py``): prepared as RFNet's volumes. Its tiles have 128
voxels there; 35,861,840 numbers to train are those of tiles of 80. The positions' shape tells which.
"""

from __future__ import annotations

from collections.abc import Mapping

from napari_rdl.models.mmformer.config import MMFormerConfig
from napari_rdl.models.names import PART, Rules, encoder_rules, level_rules, spelt

SOURCE = "https://github.com/YaoZhang93/mmFormer, commit 9de0bf7"
NORMALIZATION = "zscore-outside"
TILE = 80


def architecture(shapes: Mapping[str, tuple[int, ...]], width: int | None = None) -> MMFormerConfig:
    """Return the published architecture, for tiles as large as the tensors say."""
    tokens = next(
        (shape[1] for name, shape in shapes.items() if name.endswith("_pos") and len(shape) == 3), 125
    )
    grid = round(tokens ** (1 / 3))
    sizes = {"grid": grid} if grid**3 == tokens and 2 <= grid <= 16 else {}
    if width is not None:
        sizes["width"] = width
    return MMFormerConfig.model_validate({"axes": "LPS", **sizes})


def rules(config: MMFormerConfig) -> Rules:
    """Return how our names become theirs."""
    of_modalities: list[tuple[str, str]] = []
    for index, name in enumerate(config.inputs):
        of_modalities += [
            (rf"embed\.{index}\.{PART}", f"{spelt(name)}_encode_conv.{{part}}"),
            (rf"unused\.{index}\.{PART}", f"{spelt(name)}_decode_conv.{{part}}"),
            (rf"positions\.{index}", f"{spelt(name)}_pos"),
            *_transformer(rf"within\.{index}", f"{spelt(name)}_transformer"),
        ]
    return (
        *encoder_rules(config.inputs),
        *level_rules(),
        *of_modalities,
        *_transformer("across", "multimodal_transformer"),
        (rf"expand\.{PART}", "multimodal_decode_conv.{part}"),
        (
            rf"fused\.fusions\.(?P<k>\d)\.(?P<n>\d)\.conv\.{PART}",
            "decoder_fuse.RFM{k}.fusion_layer.{n}.conv.{part}",
        ),
        (rf"fused\.heads\.0\.{PART}", "decoder_fuse.seg_layer.{part}"),
        (rf"fused\.heads\.(?P<n>[1-4])\.{PART}", "decoder_fuse.seg_d{n}.{part}"),
        (rf"separate\.head\.{PART}", "decoder_sep.seg_layer.{part}"),
    )


def _transformer(ours: str, theirs: str) -> Rules:
    layers = {
        "norm1": "cross_attention_list.{b}.fn.norm",
        "queries_keys_values": "cross_attention_list.{b}.fn.fn.qkv",
        "project": "cross_attention_list.{b}.fn.fn.proj",
        "norm2": "cross_ffn_list.{b}.fn.norm",
        "widen": "cross_ffn_list.{b}.fn.fn.net.0",
        "narrow": "cross_ffn_list.{b}.fn.fn.net.3",
    }
    return tuple(
        (rf"{ours}\.blocks\.(?P<b>\d+)\.{layer}\.{PART}", f"{theirs}.{other}.{{part}}")
        for layer, other in layers.items()
    )
