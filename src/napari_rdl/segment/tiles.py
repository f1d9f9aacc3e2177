"""One modality through the backbone: brain tiles only, blended where they overlap."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.inferers import sliding_window_inference
from torch import Tensor

from napari_rdl.models import RobustNet, weigh
from napari_rdl.segment.devices import autocast


def tile_shape(shape: tuple[int, ...], tile: int, stride: int) -> tuple[int, ...]:
    """Return the tile for a volume of `shape`: no larger than needed, divisible by the network's stride."""
    return tuple(max(min(tile, -(-size // stride) * stride) // stride, 1) * stride for size in shape)


def tile_count(shape: tuple[int, ...], roi: tuple[int, ...], overlap: float) -> int:
    """Return into how many tiles `roi` a volume of `shape` is cut, empty ones among them."""
    count = 1
    for size, edge in zip(shape, roi, strict=True):
        count *= 1 + max(-(-(size - edge) // max(int(edge * (1 - overlap)), 1)), 0)
    return count


def encode_tiles(
    network: RobustNet,
    image: Tensor,
    modality: int,
    *,
    roi: tuple[int, ...],
    overlap: float,
    precision: str,
    results_device: torch.device,
    after_tile: Callable[[], None],
) -> Tensor:
    """Pass one modality's image through the network, tile by tile.

    Parameters
    ----------
    image : Tensor
        (D, H, W) normalised intensities on the working grid, 0 outside the brain, on the network's
        device.
    roi : tuple of int
        Shape of the tiles, from `tile_shape`.
    modality : int
        Index of the modality in the network's configuration.
    after_tile : callable
        Called after each tile; may raise `Cancelled`.

    Returns
    -------
    Tensor
        (J, D, H, W) float32 logits on `results_device`; for a gated network (J + 1, D, H, W): each
        class's e^g * logit, then e^g. All of them may be blended, resampled and summed.
    """
    device = image.device
    index = torch.tensor([modality], device=device)
    channels = len(network.config.classes) + (network.gate is not None)

    def predict(patch: Tensor) -> Tensor:
        if not patch.any():
            result = patch.new_zeros(1, channels, *patch.shape[2:])
        else:
            patch = patch.contiguous(memory_format=torch.channels_last_3d)
            with autocast(device, precision):
                output = network.encode(patch, index)
            gate = None if output.gate is None else output.gate.float()
            result = weigh(output.logits.float(), gate)
            if gate is not None:
                result = torch.cat((result, gate.exp()), dim=1)
        after_tile()
        return result

    with torch.inference_mode():
        blended = sliding_window_inference(
            image[None, None],
            roi_size=roi,
            sw_batch_size=1,
            predictor=predict,
            overlap=overlap,
            mode="gaussian",
            sw_device=device,
            device=results_device,
        )
    return blended[0]
