"""The quick path of a convolution: PyTorch's own answer, without its slow kernel."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from napari_rdl.models.convolution import Convolution, convolve


class Recorded(TorchDispatchMode):
    """Keeps the names of the operations that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("size", [4, 12])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2, "bias": False},
        {"kernel_size": 1},
        {"kernel_size": 3, "padding": 2, "dilation": 2, "groups": 2},
    ],
)
def test_it_is_the_convolution_of_pytorch_in_onednn(settings, size) -> None:
    torch.manual_seed(0)
    layer, x = Convolution(6, 4, **settings), torch.randn(1, 6, size, size, size)
    expected = functional.conv3d(
        x, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups
    )
    with torch.no_grad(), Recorded() as recorded:
        found = layer(x)
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-5)
    assert "aten::mkldnn_convolution" in recorded.names
    assert torch.equal(layer(x), expected)


def test_what_is_to_be_learned_or_is_no_float32_goes_the_librarys_way() -> None:
    layer, x = Convolution(2, 2, 3, padding=1), torch.randn(1, 2, 4, 4, 4)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    assert float(layer.weight.grad.abs().sum()) > 0
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    with torch.no_grad(), Recorded() as recorded:
        layer.double()(x.double())
    assert "aten::mkldnn_convolution" not in recorded.names


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN has no bf16 here")
def test_autocast_to_bf16_goes_the_quick_way() -> None:
    torch.manual_seed(0)
    layer, x = Convolution(6, 4, 3, padding=1), torch.randn(1, 6, 4, 4, 4)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), Recorded() as recorded:
        found = layer(x)
    assert found.dtype == torch.bfloat16
    assert "aten::mkldnn_convolution" in recorded.names
    torch.testing.assert_close(found.float(), layer(x).detach(), atol=0.03, rtol=0.03)


def test_samples_side_by_side_as_groups() -> None:
    x, weight, bias = torch.randn(1, 3, 5, 5, 5), torch.randn(6, 1, 3, 3, 3), torch.randn(6)
    with torch.no_grad():
        found = convolve(x, weight, bias, (1, 1, 1), (1, 1, 1), 3)
    torch.testing.assert_close(found, functional.conv3d(x, weight, bias, padding=1, groups=3))
