"""T(.; theta): the 3D U-Net that every modality passes alone."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.models.channels_last import doubled
from napari_rdl.models.convolution import Convolution, quick
from napari_rdl.models.rdl.layers import ResidualBlock


class Encoder(nn.Module):
    """Residual blocks level by level, halving the resolution between them."""

    def __init__(self, channels: tuple[int, ...], blocks: int, groups: int, sets: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        inputs = channels[0]
        for level, outputs in enumerate(channels):
            first = ResidualBlock(inputs, outputs, groups, sets, stride=1 if level == 0 else 2)
            more = [ResidualBlock(outputs, outputs, groups, sets) for _ in range(blocks - 1)]
            self.levels.append(nn.ModuleList([first, *more]))
            inputs = outputs

    def forward(self, x: Tensor, modality: Tensor) -> tuple[Tensor, ...]:
        """Return the features of every level, shallow to deep: (N, C_l, D/2^l, H/2^l, W/2^l)."""
        features = []
        for blocks in self.levels:
            for block in cast(nn.ModuleList, blocks):
                x = block(x, modality)
            features.append(x)
        return tuple(features)


class Decoder(nn.Module):
    """From the deepest level back to full resolution, adding each encoder level on the way.

    Levels are joined by addition, as in Myronenko's residual U-Net (BraTS 2018), not by
    concatenation: at full resolution, where nearly all the time goes, that saves a third.
    """

    def __init__(self, channels: tuple[int, ...], blocks: int, groups: int, sets: int) -> None:
        super().__init__()
        self.narrow = nn.ModuleList()
        self.levels = nn.ModuleList()
        for deep, shallow in zip(channels[:0:-1], channels[-2::-1], strict=True):
            self.narrow.append(Convolution(deep, shallow, 1, bias=False))
            self.levels.append(
                nn.ModuleList([ResidualBlock(shallow, shallow, groups, sets) for _ in range(blocks)])
            )

    def forward(self, features: tuple[Tensor, ...], modality: Tensor) -> Tensor:
        """Return (N, C_0, D, H, W) from the encoder's `features`, shallow to deep."""
        x = features[-1]
        for narrow, blocks, skip in zip(self.narrow, self.levels, features[-2::-1], strict=True):
            # Narrowing before upsampling costs an eighth of narrowing after it.
            x = _enlarged(narrow(x), skip)
            for block in cast(nn.ModuleList, blocks):
                x = block(x, modality)
        return x


def _enlarged(x: Tensor, skip: Tensor) -> Tensor:
    """Return `x` at the resolution of `skip`, and that added."""
    if quick(x) and all(large == 2 * small for large, small in zip(skip.shape[2:], x.shape[2:], strict=True)):
        return doubled(x).add_(skip)
    return skip + functional.interpolate(x, size=skip.shape[2:], mode="trilinear", align_corners=False)
