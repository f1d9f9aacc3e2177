"""The network as a whole: channel encoders, shared backbone, and what a modality adds to the sum."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from napari_rdl.models.base import TrainedNetwork
from napari_rdl.models.convolution import Convolution, quick
from napari_rdl.models.patches import at_places
from napari_rdl.models.rdl.backbone import Decoder, Encoder
from napari_rdl.models.rdl.combination import DeepSets, weigh
from napari_rdl.models.rdl.config import NetworkConfig
from napari_rdl.models.rdl.layers import ChannelEncoders


class ModalityOutput(NamedTuple):
    """What the backbone says of modalities, each on its own.

    From `RobustNet.encode` the leading axis is N samples; from `RobustNet.forward` it is (B, M).
    With a patch p, x, y, z are p times fewer than the image's voxels.

    Attributes
    ----------
    logits : Tensor
        (..., J p^3, x, y, z) class logits h_i, folded.
    gate : Tensor or None
        (..., 1, x, y, z) scores in [-bound, bound]; None for the mean.
    embedding : Tensor or None
        (..., E, x, y, z) phi_i(h_i) of the deep sets fusion.
    features : tuple of Tensor
        Encoder features d^(k), shallow to deep: (..., C_k, x/2^k, y/2^k, z/2^k).
    """

    logits: Tensor
    gate: Tensor | None
    embedding: Tensor | None
    features: tuple[Tensor, ...]

    def terms(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return what is summed over modalities (..., T, x, y, z), as `dtype`.

        The gate's e^g times the logits, then e^g (1 for the mean), then the embedding.
        """
        # Contiguous while it is small: what follows is read voxel by voxel.
        logits = self.logits.contiguous().float()
        gate = None if self.gate is None else self.gate.float()
        axis = logits.ndim - 4
        weight = torch.ones_like(logits.narrow(axis, 0, 1)) if gate is None else gate.exp()
        parts = [weigh(logits, gate).to(dtype), weight.to(dtype)]
        if self.embedding is not None:
            parts.append(self.embedding.to(dtype))
        return torch.cat(parts, axis)


class RobustNet(TrainedNetwork):
    """h_i = T(f_i(x_i); theta) for every modality, one at a time or folded into the batch.

    A subset is a sum of its modalities' `terms`, and `read` turns a sum into logits.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.patch = config.patch
        self.linear = config.fusion != "deep_sets"
        sets = len(config.modalities) if config.norm == "per_modality" else 1
        width, places = config.channels[0], config.patch**3
        outputs = len(config.classes) * places
        self.channel_encoders = ChannelEncoders(config.modalities, width, config.patch)
        self.encoder = Encoder(config.channels, config.encoder_blocks, config.groups, sets)
        self.decoder = Decoder(config.channels, config.decoder_blocks, config.groups, sets)
        self.head = Convolution(width, outputs, 1)
        self.gate = Convolution(width, 1, 1) if config.fusion != "mean" else None
        if self.gate is not None:
            assert self.gate.bias is not None
            # Equal scores at the start: a gated network begins as the mean.
            nn.init.zeros_(self.gate.weight)
            nn.init.zeros_(self.gate.bias)
        self.deep_sets: DeepSets | None = None
        if config.fusion == "deep_sets":
            self.deep_sets = DeepSets(len(config.modalities), width, outputs, config.embedding)

    def readers(self) -> tuple[nn.Parameter, ...]:
        """Return the parameters that `read` uses."""
        if self.deep_sets is None:
            return ()
        return (*self.deep_sets.hidden.parameters(), *self.deep_sets.last.parameters())

    def encode(self, image: Tensor, modality: Tensor) -> ModalityOutput:
        """Pass single-modality images through the backbone.

        Parameters
        ----------
        image : Tensor
            (N, 1, D, H, W) normalised intensities.
        modality : Tensor
            (N,) index of each sample's modality in ``config.modalities``.
        """
        return self._backbone(self.channel_encoders(image, modality), modality)

    def _backbone(self, encoded: Tensor, modality: Tensor, places: Tensor | None = None) -> ModalityOutput:
        features = self.encoder(encoded, modality)
        decoded = self.decoder(features, modality)
        if places is not None:
            decoded = at_places(decoded, places)
        logits, gate, embedding = self.head(decoded), self._gate(decoded), None
        if self.deep_sets is not None:
            assert gate is not None
            embedding = self.deep_sets.embed(decoded, logits, gate, modality)
        return ModalityOutput(logits, gate, embedding, features)

    def _gate(self, decoded: Tensor) -> Tensor | None:
        if self.gate is None:
            return None
        bound = self.config.gate_bound
        return bound * torch.tanh(self.gate(decoded) / bound)

    def forward(self, images: Tensor, present: Tensor, places: Tensor | None = None) -> ModalityOutput:
        """Pass every present modality of a batch through the backbone, folded into the batch.

        Parameters
        ----------
        images : Tensor
            (B, M, D, H, W) normalised intensities.
        present : Tensor
            (B, M) True where the modality exists. Absent ones are not computed.
        places : Tensor, optional
            (B, V) feature voxels, counted through the crop, at which alone logits, gate and embedding are
            wanted: they then have the axes (V, 1, 1).

        Returns
        -------
        ModalityOutput
            With leading axes (B, M); zeros stand where a modality is absent.
        """
        rows = present.nonzero()
        if len(rows) == present.numel():
            modality = torch.arange(present.shape[1], device=images.device).repeat(len(images))
            chosen = None if places is None else places.repeat_interleave(present.shape[1], 0)
            output = self._backbone(self.channel_encoders.every(images), modality, chosen)
        else:
            batch, modality = rows[:, 0], rows[:, 1]
            encoded = self.channel_encoders(images[batch, modality][:, None], modality)
            output = self._backbone(encoded, modality, None if places is None else places[batch])

        def spread(folded: Tensor) -> Tensor:
            if len(rows) == present.numel():
                return folded.reshape(*present.shape, *folded.shape[1:])
            unfolded = folded.new_zeros(*present.shape, *folded.shape[1:])
            return unfolded.index_put((rows[:, 0], rows[:, 1]), folded)

        return ModalityOutput(
            spread(output.logits),
            None if output.gate is None else spread(output.gate),
            None if output.embedding is None else spread(output.embedding),
            tuple(spread(level) for level in output.features),
        )

    def terms(self, image: Tensor, modality: Tensor, where: Tensor | None = None) -> Tensor:
        """Return what single-modality images add to a subset's sum.

        Parameters
        ----------
        image : Tensor
            (N, 1, D, H, W) normalised intensities.
        modality : Tensor
            (N,) index of each sample's modality.
        where : Tensor, optional
            (N, D/p, H/p, W/p) bool, the voxels that are asked for: what is returned elsewhere may be
            anything. All if left out.

        Returns
        -------
        Tensor
            (N, T, D/p, H/p, W/p) float32: J p^3 weighted logits, their weight, and with deep sets the
            E channels of the embedding.
        """
        if self.deep_sets is None or not quick(image):
            return self.encode(image, modality).terms()
        decoded = self.decoder(self.encoder(self.channel_encoders(image, modality), modality), modality)
        gate = self._gate(decoded)
        assert gate is not None
        return self.deep_sets.terms(decoded, self.head(decoded), gate, modality, where)

    def read_folded(self, total: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Turn a subset's sum of terms into logits, still folded.

        Parameters
        ----------
        total : Tensor
            (N, T, ...) summed terms; any axes may follow, and none is mixed.
        dtype : torch.dtype, optional
            In which psi is computed, where there is one; that of `total` if left out.

        Returns
        -------
        Tensor
            (N, J p^3, ...), where p^3 places lie beside each other for each class. 0 where no modality
            has a weight.
        """
        outputs = len(self.config.classes) * self.config.patch**3
        # One split, whose gradient is one concatenation.
        logits, weight, embedding = total.split((outputs, 1, total.shape[1] - outputs - 1), 1)
        fused = logits / weight.clamp(min=torch.finfo(total.dtype).tiny)
        if self.deep_sets is not None:
            fused = fused + self.deep_sets.read(embedding, dtype)
        return fused


def build(config: NetworkConfig) -> RobustNet:
    """Return the network of these numbers, with fresh weights."""
    return RobustNet(config)
