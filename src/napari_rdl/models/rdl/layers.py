"""Parts of the backbone: normalisation by modality, residual block, channel encoders."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.models.channels_last import group_norm, normalise_
from napari_rdl.models.convolution import Convolution, convolve, quick
from napari_rdl.models.patches import fold


class ModalityNorm(nn.Module):
    """Group normalisation whose scale and shift may differ between modalities.

    With ``sets=1`` this is plain group normalisation. Otherwise each sample uses the row of its own
    modality (domain-specific normalisation: Chang et al., CVPR 2019), while every convolution
    weight stays shared.
    """

    def __init__(self, channels: int, groups: int, sets: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.groups = groups
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(sets, channels))
        self.bias = nn.Parameter(torch.zeros(sets, channels))

    def forward(self, x: Tensor, modality: Tensor) -> Tensor:
        """Normalise `x` (N, C, D, H, W) with the parameters of `modality` (N,).

        Where `quick`, the result lies where `x` did.
        """
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return self._in_two_passes(x, modality)
        if quick(x):
            chosen = modality.tolist() if self.weight.shape[0] > 1 else [0] * len(x)
            for sample, m in zip(x, chosen, strict=True):
                normalise_(sample, self.groups, self.weight[m], self.bias[m], self.eps)
            return x
        rows = modality if self.weight.shape[0] > 1 else torch.zeros_like(modality)
        return group_norm(x, self.groups, self.weight[rows], self.bias[rows], self.eps)

    def _in_two_passes(self, x: Tensor, modality: Tensor) -> Tensor:
        """Return the same for a batch on a GPU: moments in float32, then one multiplication and addition.

        The library's kernel wants another memory order than the convolutions and one call for each set
        of parameters; this keeps channels last, and the batch whole.
        """
        batch, channels = x.shape[:2]
        count = x[0, 0].numel() * channels // self.groups
        sums = x.sum((2, 3, 4), dtype=torch.float32).reshape(batch, self.groups, -1).sum(2, keepdim=True)
        norms = torch.linalg.vector_norm(x, 2, (2, 3, 4), dtype=torch.float32)
        squares = norms.square().reshape(batch, self.groups, -1).sum(2, keepdim=True)
        mean = sums / count
        spread = (squares / count - mean.square()).clamp(min=0).add(self.eps).rsqrt()
        rows = modality if self.weight.shape[0] > 1 else torch.zeros_like(modality)
        weight = self.weight[rows].reshape(batch, self.groups, -1) * spread
        bias = self.bias[rows].reshape(batch, self.groups, -1) - weight * mean
        shape = (batch, channels, 1, 1, 1)
        return torch.addcmul(bias.reshape(shape).to(x.dtype), x, weight.reshape(shape).to(x.dtype))


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions with normalisation, and the identity (or a 1x1x1 projection) beside them."""

    def __init__(self, inputs: int, outputs: int, groups: int, sets: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = Convolution(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = ModalityNorm(outputs, groups, sets)
        self.conv2 = Convolution(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = ModalityNorm(outputs, groups, sets)
        self.project = (
            nn.Identity()
            if inputs == outputs and stride == 1
            else Convolution(inputs, outputs, 1, stride=stride, bias=False)
        )

    def forward(self, x: Tensor, modality: Tensor) -> Tensor:
        """Map `x` (N, C_in, D, H, W) to (N, C_out, D/stride, H/stride, W/stride)."""
        y = functional.leaky_relu(self.norm1(self.conv1(x), modality), 0.01, inplace=True)
        y = self.norm2(self.conv2(y), modality)
        y = y.add_(self.project(x)) if quick(y) else y + self.project(x)
        return functional.leaky_relu(y, 0.01, inplace=True)


class ChannelEncoders(nn.Module):
    """f_i: one small convolution for each modality, into the feature space that all share.

    With ``patch`` p, each cube of p^3 voxels is folded into channels first (Shi et al., CVPR 2016, the
    other way round), so that the backbone works at p times the image's spacing and loses no voxel.
    """

    def __init__(self, modalities: tuple[str, ...], channels: int, patch: int = 1) -> None:
        super().__init__()
        self.stems = nn.ModuleDict(
            {name: Convolution(patch**3, channels, 3, padding=1) for name in modalities}
        )
        self.names = modalities
        self.patch = patch

    def forward(self, image: Tensor, modality: Tensor) -> Tensor:
        """Encode `image` (N, 1, D, H, W), each sample with the stem of its `modality` (N,)."""
        image = fold(image, self.patch)
        chosen = [cast(nn.Conv3d, self.stems[self.names[m]]) for m in modality.tolist()]
        weight = torch.cat([stem.weight for stem in chosen])
        bias = torch.cat([cast(Tensor, stem.bias) for stem in chosen])
        # Samples side by side as groups: one call instead of N (six times faster on a CPU, where
        # single-channel convolutions of single samples take a slow path).
        samples, space = len(chosen), image.shape[2:]
        encoded = convolve(image.reshape(1, -1, *space), weight, bias, (1, 1, 1), (1, 1, 1), samples)
        encoded = encoded.reshape(samples, -1, *space)
        return encoded.contiguous(memory_format=torch.channels_last_3d)

    def every(self, images: Tensor) -> Tensor:
        """Encode `images` (B, M, D, H, W) that have every modality, as (B M, C, D/p, H/p, W/p).

        Which stem serves which image is known beforehand, so a GPU is not waited for.
        """
        encoded = [
            cast(nn.Conv3d, self.stems[name])(fold(image, self.patch))
            for name, image in zip(self.names, images.split(1, dim=1), strict=True)
        ]
        stacked = torch.stack(encoded, 1).flatten(0, 1)
        return stacked.contiguous(memory_format=torch.channels_last_3d)
