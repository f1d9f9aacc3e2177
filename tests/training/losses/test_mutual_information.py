"""L_MI on a Gaussian pair whose entropy and mutual information are known."""

import math

import pytest
import torch

from napari_rdl.training.losses import GaussianTransfer, level_weights


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_weights_grow_with_depth_and_sum_to_one(levels):
    weights = level_weights(levels)
    assert sum(weights) == pytest.approx(1)
    assert list(weights) == sorted(set(weights))


def test_equation_3():
    torch.manual_seed(0)
    transfer = GaussianTransfer(3, 1e-4)
    of_all, of_subset = torch.randn(2, 2, 3, 2, 2, 2)
    with torch.no_grad():
        transfer.spread.copy_(torch.tensor([-1.0, 0.0, 2.0]))
        mean = transfer.mean(of_subset)
        variance = torch.log1p(transfer.spread.exp()) + 1e-4
        sigma = variance.sqrt().reshape(1, 3, 1, 1, 1)
        expected = (sigma.log() + (of_all - mean) ** 2 / (2 * sigma**2)).mean((1, 2, 3, 4))
    torch.testing.assert_close(transfer(of_all, of_subset), expected)


def test_the_full_set_teaches_and_does_not_learn():
    transfer = GaussianTransfer(2, 1e-4)
    of_all, of_subset = (torch.randn(1, 2, 2, 2, 2, requires_grad=True) for _ in range(2))
    transfer(of_all, of_subset).sum().backward()
    assert of_all.grad is None
    assert of_subset.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in transfer.parameters())


CORRELATION, CHANNELS, VOXELS = 0.8, 4, 4096
ENTROPY = CHANNELS * 0.5 * math.log(2 * math.pi * math.e)
INFORMATION = -CHANNELS * 0.5 * math.log(1 - CORRELATION**2)


@pytest.fixture
def gaussian_pair():
    torch.manual_seed(0)
    of_subset, noise = torch.randn(2, 1, CHANNELS, VOXELS, 1, 1)
    return CORRELATION * of_subset + math.sqrt(1 - CORRELATION**2) * noise, of_subset


def bound(transfer, pair):
    """H(d_f) + E[log q(d_f | d_m)]: the module's mean over elements, times the channels, is the sum."""
    with torch.no_grad():
        return ENTROPY - CHANNELS * (transfer(*pair).item() + 0.5 * math.log(2 * math.pi))


def make_exact(transfer):
    """Set mu and sigma to those of the true conditional distribution."""
    first, second, third = (transfer.mean[index] for index in (0, 2, 4))
    identity = torch.eye(CHANNELS).reshape(CHANNELS, CHANNELS, 1, 1, 1)
    with torch.no_grad():
        # Lifted by 10, nothing is cut off by the rectifiers.
        for layer, scale, lift in (
            (first, 1.0, 10.0),
            (second, 1.0, 0.0),
            (third, CORRELATION, -10 * CORRELATION),
        ):
            layer.weight.copy_(scale * identity)
            layer.bias.fill_(lift)
        transfer.spread.fill_(math.log(math.expm1(1 - CORRELATION**2)))


def test_bound_is_the_mutual_information_for_the_true_conditional(gaussian_pair):
    transfer = GaussianTransfer(CHANNELS, 1e-9)
    make_exact(transfer)
    assert bound(transfer, gaussian_pair) == pytest.approx(INFORMATION, abs=0.05)


@pytest.mark.parametrize("shift", [0.1, -0.2, 0.5])
@pytest.mark.parametrize("what", ["mean", "spread"])
def test_bound_is_lower_for_any_other_conditional(gaussian_pair, what, shift):
    transfer = GaussianTransfer(CHANNELS, 1e-9)
    make_exact(transfer)
    best = bound(transfer, gaussian_pair)
    with torch.no_grad():
        (transfer.mean[4].bias if what == "mean" else transfer.spread).add_(shift)
    assert bound(transfer, gaussian_pair) < best


def test_learning_raises_the_bound_from_below(gaussian_pair):
    torch.manual_seed(1)
    transfer = GaussianTransfer(CHANNELS, 1e-6)
    optimizer = torch.optim.Adam(transfer.parameters(), lr=0.02)
    bounds = [bound(transfer, gaussian_pair)]
    for _ in range(4):
        for _ in range(15):
            optimizer.zero_grad()
            transfer(*gaussian_pair).sum().backward()
            optimizer.step()
        bounds.append(bound(transfer, gaussian_pair))
    assert bounds == sorted(bounds)
    assert bounds[-1] > bounds[0] + 0.3
    assert bounds[-1] < INFORMATION + 0.05
