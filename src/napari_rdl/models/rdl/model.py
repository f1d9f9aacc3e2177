"""The network as a whole: channel encoders, shared backbone, head and gate."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from napari_rdl.models.rdl.backbone import Decoder, Encoder
from napari_rdl.models.rdl.config import NetworkConfig
from napari_rdl.models.rdl.layers import ChannelEncoders


class ModalityOutput(NamedTuple):
    """What the backbone says of modalities, each on its own.

    From `RobustNet.encode` the leading axis is N samples; from `RobustNet.forward` it is (B, M).

    Attributes
    ----------
    logits : Tensor
        (..., J, D, H, W) class logits h_i.
    gate : Tensor or None
        (..., 1, D, H, W) scores in [-bound, bound] of a gated fusion; None for the mean.
    features : tuple of Tensor
        Encoder features d^(k), shallow to deep: (..., C_k, D/2^k, H/2^k, W/2^k).
    """

    logits: Tensor
    gate: Tensor | None
    features: tuple[Tensor, ...]


class RobustNet(nn.Module):
    """h_i = T(f_i(x_i); theta) for every modality, one at a time or folded into the batch.

    Fusing is not done here: `napari_rdl.models.rdl.combination` does it as often as one likes.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        sets = len(config.modalities) if config.norm == "per_modality" else 1
        width = config.channels[0]
        self.channel_encoders = ChannelEncoders(config.modalities, width)
        self.encoder = Encoder(config.channels, config.encoder_blocks, config.groups, sets)
        self.decoder = Decoder(config.channels, config.decoder_blocks, config.groups, sets)
        self.head = nn.Conv3d(width, len(config.classes), 1)
        self.gate = nn.Conv3d(width, 1, 1) if config.fusion == "gated" else None
        if self.gate is not None:
            assert self.gate.bias is not None
            # Equal scores at the start: a gated network begins as the mean.
            nn.init.zeros_(self.gate.weight)
            nn.init.zeros_(self.gate.bias)

    def encode(self, image: Tensor, modality: Tensor) -> ModalityOutput:
        """Pass single-modality images through the backbone.

        Parameters
        ----------
        image : Tensor
            (N, 1, D, H, W) normalised intensities.
        modality : Tensor
            (N,) index of each sample's modality in ``config.modalities``.
        """
        features = self.encoder(self.channel_encoders(image, modality), modality)
        decoded = self.decoder(features, modality)
        gate = None
        if self.gate is not None:
            bound = self.config.gate_bound
            gate = bound * torch.tanh(self.gate(decoded) / bound)
        return ModalityOutput(self.head(decoded), gate, features)

    def forward(self, images: Tensor, present: Tensor) -> ModalityOutput:
        """Pass every present modality of a batch through the backbone, folded into the batch.

        Parameters
        ----------
        images : Tensor
            (B, M, D, H, W) normalised intensities.
        present : Tensor
            (B, M) True where the modality exists. Absent ones are not computed.

        Returns
        -------
        ModalityOutput
            With leading axes (B, M); zeros stand where a modality is absent.
        """
        rows = present.nonzero()
        batch, modality = rows[:, 0], rows[:, 1]
        output = self.encode(images[batch, modality][:, None], modality)

        def unfold(folded: Tensor) -> Tensor:
            if len(rows) == present.numel():
                return folded.reshape(*present.shape, *folded.shape[1:])
            unfolded = folded.new_zeros(*present.shape, *folded.shape[1:])
            return unfolded.index_put((batch, modality), folded)

        return ModalityOutput(
            unfold(output.logits),
            None if output.gate is None else unfold(output.gate),
            tuple(unfold(level) for level in output.features),
        )
