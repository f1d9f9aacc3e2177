"""mmFormer (Zhang et al., "mmFormer: Multimodal Medical Transformer", MICCAI 2022, Sec. 2), written anew.

A convolutional encoder and a transformer for each modality, a transformer over the tokens of all of them,
and a convolutional decoder. Where the paper is silent, facts are from the public code,
https://github.com/YaoZhang93/mmFormer, commit 9de0bf7902e6a72408cd0de03ab62d07f4849855, files
``mmformer.py`` and ``layers.py``: widths, normalisation before each convolution, zeros at the borders of
the fusions and mirrored values elsewhere, positions shared by both kinds of transformer, and two things
that the paper does not say. Behind the transformer over all modalities, four tokens that follow each
other become the channels of one place, whichever modality they are of. A 1x1x1 convolution back from each
modality's tokens is made and never used: it is kept here too, so that counts and checkpoints agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.models.base import JointNetwork, Place
from napari_rdl.models.joint import Auxiliaries, encode_present, oriented
from napari_rdl.models.layers import (
    Encoder,
    SeparateDecoder,
    conv_units,
    decoder_levels,
    enlarge,
    initialise,
)
from napari_rdl.models.mmformer.config import MMFormerConfig
from napari_rdl.models.orientation import from_axes


class Block(nn.Module):
    """Self-attention and a two-layer network, each behind a layer normalisation and beside the identity."""

    def __init__(self, config: MMFormerConfig) -> None:
        super().__init__()
        size = config.embedding
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(size)
        self.queries_keys_values = nn.Linear(size, 3 * size, bias=False)
        self.project = nn.Linear(size, size)
        self.norm2 = nn.LayerNorm(size)
        self.widen = nn.Linear(size, config.hidden)
        self.narrow = nn.Linear(config.hidden, size)
        self.dropout = config.dropout

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (N, T, E) to as many."""
        x = x + self._drop(self._drop(self._attend(self.norm1(x))))
        hidden = self._drop(functional.gelu(self.widen(self.norm2(x))))
        return x + self._drop(self.narrow(hidden))

    def _attend(self, x: Tensor) -> Tensor:
        batch, tokens, size = x.shape
        parts = self.queries_keys_values(x).reshape(batch, tokens, 3, self.heads, size // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(
            queries, keys, values, dropout_p=self.dropout if self.training else 0.0
        )
        return self.project(seen.transpose(1, 2).reshape(batch, tokens, size))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class Transformer(nn.Module):
    """Blocks, before each of which the tokens' positions are added."""

    def __init__(self, config: MMFormerConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Map tokens (N, T, E) at `positions` (1, T, E) to as many."""
        for block in self.blocks:
            x = block(x + positions)
        return x


class FusedDecoder(nn.Module):
    """Decodes all modalities together; each level also says its own classes."""

    def __init__(self, modalities: int, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        self.levels = decoder_levels(widths, norm_first=True)
        self.fusions = nn.ModuleList(
            conv_units(
                (modalities * width, width, width, width), (1, 3, 1), padding_mode="zeros", norm_first=True
            )
            for width in widths
        )
        self.heads = nn.ModuleList(nn.Conv3d(width, classes, 1) for width in widths)

    def forward(self, stacked: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return logits (N, J, D, H, W) and the deeper levels' probabilities, enlarged, shallow to deep.

        Parameters
        ----------
        stacked : sequence of Tensor
            Of each level (N, M C_k, D/2^k, H/2^k, W/2^k).
        """
        deepest = len(stacked) - 1
        x, said = self.fusions[deepest](stacked[deepest]), []
        for number in range(deepest, 0, -1):
            said.append(enlarge(self.heads[number](x).softmax(1), 2**number))
            above = self.levels[number - 1]
            x = above.join(self.fusions[number - 1](stacked[number - 1]), above.deeper(x))  # type: ignore[operator]
        return self.heads[0](x), said[::-1]


class MMFormer(JointNetwork):
    """Encoders with transformers, a transformer across modalities, the fused and the separate decoder."""

    def __init__(self, config: MMFormerConfig) -> None:
        super().__init__()
        self.config = config
        count, classes, deep = len(config.modalities), len(config.classes), config.widths[-1]
        self.encoders = nn.ModuleList(Encoder(config.widths, norm_first=True) for _ in range(count))
        self.embed = nn.ModuleList(nn.Conv3d(deep, config.embedding, 1) for _ in range(count))
        self.unused = nn.ModuleList(nn.Conv3d(config.embedding, deep, 1) for _ in range(count))
        self.positions = nn.ParameterList(
            torch.zeros(1, config.grid**3, config.embedding) for _ in range(count)
        )
        self.within = nn.ModuleList(Transformer(config) for _ in range(count))
        self.across = Transformer(config)
        self.expand = nn.Conv3d(count * config.embedding, count * deep, 1)
        self.fused = FusedDecoder(count, config.widths, classes)
        self.separate = SeparateDecoder(config.widths, classes, norm_first=True)
        initialise(self)

    def forward(
        self, images: Tensor, present: Tensor, *, auxiliary: Tensor | None = None
    ) -> tuple[Tensor, Auxiliaries]:
        """Segment a batch; parameters and results as of `RFNet.forward`."""
        wanted = present if auxiliary is None else present | auxiliary
        features = encode_present(self.encoders, images, wanted)
        there = present[:, :, None, None, None, None]
        stacked = [(torch.stack(level, 1) * there).flatten(1, 2) for level in zip(*features, strict=True)]
        stacked[-1] = self._across(self._within([one[-1] for one in features], present))
        logits, deep = self.fused(stacked)
        if auxiliary is None:
            return logits, Auxiliaries((), tuple(deep))
        alone = tuple(self.separate(one).softmax(1) for one in features)
        return logits, Auxiliaries(alone, tuple(deep))

    def _within(self, deepest: Sequence[Tensor], present: Tensor) -> Tensor:
        """Return all modalities' tokens (N, M T, E); zeros of what is absent."""
        tokens = []
        for index, features in enumerate(deepest):
            there = present[:, index]
            embedded = self.embed[index](features).flatten(2).transpose(1, 2)
            if bool(there.any()):
                embedded = self.within[index](embedded, self.positions[index])
            tokens.append(embedded * there[:, None, None])
        return torch.cat(tokens, 1)

    def _across(self, tokens: Tensor) -> Tensor:
        """Return the deepest level (N, M C, g, g, g) from the tokens of all modalities."""
        grid, count = self.config.grid, len(self.encoders)
        tokens = self.across(tokens, torch.cat(list(self.positions), 1))
        mixed = tokens.reshape(len(tokens), grid, grid, grid, count * self.config.embedding)
        return self.expand(mixed.permute(0, 4, 1, 2, 3))

    def logits(self, images: Mapping[str, Tensor], *place: Place) -> Tensor:
        """Return the logits of the subset whose images these are."""
        stacked, present = oriented(images, self.config)
        return from_axes(self(stacked, present)[0], self.config.axes)


def build(config: MMFormerConfig) -> MMFormer:
    """Return the network of these numbers, with fresh weights."""
    return MMFormer(config)
