"""The quick kernels: PyTorch's own answers, in both precisions and whatever the memory order."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from napari_rdl.models.channels_last import doubled, group_norm, normalise_
from napari_rdl.models.rdl.backbone import Decoder
from napari_rdl.models.rdl.layers import ModalityNorm

CLOSE = {torch.float32: 1e-4, torch.bfloat16: 0.05}


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("order", [torch.channels_last_3d, torch.contiguous_format], ids=str)
@pytest.mark.parametrize(
    ("channels", "groups", "shape"),
    [(8, 8, (8, 6, 4)), (32, 8, (4, 4, 4)), (6, 2, (3, 5, 7)), (4, 1, (1, 1, 2))],
)
def test_a_sample_is_normalised_where_it_lies(channels, groups, shape, order, dtype) -> None:
    torch.manual_seed(0)
    # A mean far from zero: the moments must not cancel.
    x = (torch.randn(1, channels, *shape) * 3 + 20).to(dtype).contiguous(memory_format=order)
    weight, bias = torch.rand(channels) + 0.5, torch.randn(channels)
    expected = functional.group_norm(x.float(), groups, weight, bias, 1e-5)
    before = x.data_ptr()
    normalise_(x[0], groups, weight, bias, 1e-5)
    assert x.data_ptr() == before
    torch.testing.assert_close(x.float(), expected, atol=CLOSE[dtype], rtol=CLOSE[dtype])


@pytest.mark.parametrize("order", [torch.channels_last_3d, torch.contiguous_format], ids=str)
@pytest.mark.parametrize(
    ("channels", "groups", "shape"), [(8, 8, (2, 2, 4)), (6, 2, (3, 1, 3)), (4, 1, (2, 2, 2))]
)
def test_a_batch_and_its_gradients_are_those_of_pytorch(channels, groups, shape, order) -> None:
    torch.manual_seed(0)
    x = (torch.randn(2, channels, *shape, dtype=torch.double) + 2).contiguous(memory_format=order)
    weight, bias = torch.randn(2, 2, channels, dtype=torch.double)
    inputs = [one.requires_grad_() for one in (x, weight, bias)]
    assert torch.autograd.gradcheck(lambda *given: group_norm(*given[:1], groups, *given[1:], 1e-5), inputs)
    expected = torch.cat(
        [functional.group_norm(x[n : n + 1], groups, weight[n], bias[n], 1e-5) for n in range(2)]
    )
    torch.testing.assert_close(group_norm(x, groups, weight, bias, 1e-5), expected)


def test_gradients_in_bf16_are_close_to_those_in_float32() -> None:
    torch.manual_seed(0)
    x, back = torch.randn(2, 1, 8, 16, 16, 16)
    weight, bias = torch.rand(1, 8) + 0.5, torch.randn(1, 8)
    found = {}
    for dtype in CLOSE:
        inputs = [one.clone().requires_grad_() for one in (x.to(dtype), weight, bias)]
        group_norm(inputs[0], 8, inputs[1], inputs[2], 1e-5).backward(back.to(dtype))
        found[dtype] = [one.grad.float() for one in inputs]
    for exact, rough in zip(*found.values(), strict=True):
        assert float((exact - rough).norm() / exact.norm()) < 0.01


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("shape", [(4, 6, 8), (1, 2, 3), (5, 1, 1)], ids=str)
def test_a_volume_is_doubled_as_trilinear_interpolation_does(shape, dtype) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, *shape).to(dtype).contiguous(memory_format=torch.channels_last_3d)
    expected = functional.interpolate(x.float(), scale_factor=2, mode="trilinear", align_corners=False)
    found = doubled(x)
    assert found.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(found.float(), expected, atol=CLOSE[dtype] / 2, rtol=CLOSE[dtype] / 2)


def test_samples_of_several_modalities_have_their_own_scale_and_shift() -> None:
    torch.manual_seed(0)
    norm = ModalityNorm(4, 2, sets=3)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x, modality = torch.randn(3, 4, 2, 4, 6), torch.tensor([2, 0, 2])
    expected = torch.cat(
        [
            functional.group_norm(one, 2, norm.weight[m], norm.bias[m])
            for one, m in zip(x.split(1), modality, strict=True)
        ]
    )
    torch.testing.assert_close(norm(x, modality), expected)
    with torch.no_grad():
        found = norm(x.clone(), modality)
    torch.testing.assert_close(found, expected.detach())


def test_what_the_encoder_found_is_not_written_over() -> None:
    torch.manual_seed(0)
    decoder = Decoder((4, 8), blocks=1, groups=2, sets=1)
    features = (torch.randn(1, 4, 6, 6, 6), torch.randn(1, 8, 3, 3, 3))
    kept = [level.clone() for level in features]
    with torch.no_grad():
        decoder(features, torch.tensor([0]))
    assert all(torch.equal(level, before) for level, before in zip(features, kept, strict=True))
