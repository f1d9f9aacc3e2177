"""Divergences against float64 arithmetic and the identities that they must obey."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from napari_rdl.errors import ConfigError
from napari_rdl.training.losses import (
    f_divergence,
    holder_divergence,
    label_divergence,
    proper_holder_divergence,
)
from napari_rdl.training.losses.divergence import (
    FLOOR,
    conjugate,
    holder_label_divergence,
    teacher_divergence,
)

KINDS = ("total_variation", "squared_hellinger", "kl", "neyman_chi2", "jensen_shannon")
ALPHAS = (1.05, 1.1, 1.2, 2.0, 3.0, 0.5, -0.7)


def densities(seed=0, shape=(2, 4, 7)):
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.normal(size=shape)).log_softmax(1) for _ in range(2)]


def by_definition(p, q, alpha):
    """Definition 1 on numpy arrays, voxel by voxel, in float64."""
    beta = alpha / (alpha - 1)
    norms = (p**alpha).sum(1) ** (1 / alpha) * (q**beta).sum(1) ** (1 / beta)
    gap = -np.log((p * q).sum(1) / norms)
    return gap if alpha > 1 else -gap


@pytest.mark.parametrize("alpha", ALPHAS)
def test_definition_1(alpha):
    log_p, log_q = densities()
    expected = by_definition(log_p.exp().numpy(), log_q.exp().numpy(), alpha)
    np.testing.assert_allclose(holder_divergence(log_p, log_q, alpha), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_never_negative(alpha):
    log_p, log_q = densities(1, (3, 4, 200))
    assert holder_divergence(log_p, log_q, alpha).min() >= -1e-12


@pytest.mark.parametrize("alpha", ALPHAS)
def test_projective(alpha):
    log_p, log_q = densities(2)
    torch.testing.assert_close(
        holder_divergence(log_p + 1.7, log_q - 0.4, alpha), holder_divergence(log_p, log_q, alpha)
    )


@pytest.mark.parametrize("alpha", ALPHAS)
def test_exponents_change_places_with_the_densities(alpha):
    log_p, log_q = densities(3)
    torch.testing.assert_close(
        holder_divergence(log_p, log_q, alpha), holder_divergence(log_q, log_p, conjugate(alpha))
    )


@pytest.mark.parametrize("alpha", ALPHAS)
def test_zero_where_the_powers_are_proportional_and_only_there(alpha):
    log_p, _ = densities(4)
    log_q = log_p * alpha / conjugate(alpha)
    assert holder_divergence(log_p, log_q, alpha).abs().max() < 1e-12
    if alpha != 2:
        assert holder_divergence(log_p, log_p, alpha).max() > 1e-4


@pytest.mark.parametrize("alpha", [1.05, 1.1, 2.0, 3.0])
def test_proper_form_is_zero_only_between_equals(alpha):
    log_p, log_q = densities(5)
    assert proper_holder_divergence(log_p, log_p, alpha).abs().max() < 1e-12
    assert proper_holder_divergence(log_p, log_q, alpha).min() > 0


@pytest.mark.parametrize("alpha", [1.1, 2.0])
def test_minimum_of_the_proper_form_is_the_teacher(alpha):
    _, teacher = densities(6, (1, 4, 1))
    logits = torch.zeros(1, 4, 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        loss = proper_holder_divergence(logits.log_softmax(1), teacher, alpha).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(logits.detach().softmax(1), teacher.exp(), atol=1e-4, rtol=0)


def test_cauchy_schwarz_at_two():
    log_p, log_q = densities(7)
    p, q = log_p.exp(), log_q.exp()
    expected = -((p * q).sum(1) / (p.square().sum(1) * q.square().sum(1)).sqrt()).log()
    torch.testing.assert_close(holder_divergence(log_p, log_q, 2.0), expected)


@pytest.mark.parametrize("alpha", [1.05, 1.1, 1.2, 2.0])
def test_one_hot_identity(alpha):
    logits = torch.from_numpy(np.random.default_rng(8).normal(size=(2, 4, 9)))
    labels = torch.from_numpy(np.random.default_rng(9).integers(0, 4, (2, 9)))
    expected = cross_entropy(alpha * logits, labels, reduction="none") / alpha
    general = holder_divergence(
        logits.log_softmax(1), one_hot(labels, 4).movedim(-1, 1).double().log(), alpha
    )
    torch.testing.assert_close(general, expected)
    torch.testing.assert_close(holder_label_divergence(logits, labels, alpha), expected)


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan, math.inf])
def test_exponents_without_a_conjugate_are_refused(alpha):
    with pytest.raises(ConfigError, match="alpha"):
        conjugate(alpha)


def by_table_iv(kind, p, q):
    def kl(a, b):
        return np.where(a > 0, a * np.log(np.where(a > 0, a, 1) / b), 0).sum(1)

    return {
        "total_variation": lambda: 0.5 * np.abs(p - q).sum(1),
        "squared_hellinger": lambda: 1 - np.sqrt(p * q).sum(1),
        "kl": lambda: kl(q, p),
        "neyman_chi2": lambda: ((p - q) ** 2 / np.maximum(p, FLOOR)).sum(1),
        "jensen_shannon": lambda: 0.5 * (kl(p, (p + q) / 2) + kl(q, (p + q) / 2)),
    }[kind]()


@pytest.mark.parametrize("kind", KINDS)
def test_table_iv(kind):
    log_p, log_q = densities(10)
    expected = by_table_iv(kind, log_p.exp().numpy(), log_q.exp().numpy())
    np.testing.assert_allclose(f_divergence(kind, log_p, log_q), expected, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_table_iv_for_labels(kind):
    log_p, _ = densities(11)
    labels = torch.tensor([[0, 1, 2, 3, 3, 2, 1], [1, 1, 0, 0, 2, 2, 3]])
    target = one_hot(labels, 4).movedim(-1, 1).double()
    found = label_divergence(kind, log_p, labels, target, 1.1)
    np.testing.assert_allclose(found, by_table_iv(kind, log_p.exp().numpy(), target.numpy()), rtol=1e-9)


@pytest.mark.parametrize("kind", ["holder", "cross_entropy", *KINDS])
def test_divergence_from_a_teacher_is_zero_for_itself(kind):
    log_p, log_q = densities(12)
    assert teacher_divergence(kind, log_p, log_p, 1.1).abs().max() < 1e-9
    assert teacher_divergence(kind, log_p, log_q, 1.1).min() > 0


@pytest.mark.parametrize("kind", ["holder", "cross_entropy", *KINDS])
@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_for_extreme_logits(kind, scale, dtype):
    signs = torch.tensor([[1.0, -1, 0, 0.5], [-1, 1, 1, -1], [0.3, 0.2, -0.9, 0.1], [-1, -1, -1, -1]])
    logits = (scale * signs.T[None]).to(dtype).requires_grad_()
    labels = torch.tensor([[1, 0, 2, 3]])
    target = one_hot(labels, 4).movedim(-1, 1).float()
    loss = label_divergence(kind, logits.float(), labels, target, 1.1)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()


def extreme_pair(scale, dtype):
    """Return logits that learn and log densities that teach; they contradict each other."""
    mine = torch.tensor([[1.0, -1, 0, 0.5], [-1, 1, 1, -1], [0.3, 0.2, -0.9, 0.1], [-1, -1, -1, -1]])
    theirs = torch.tensor([[-1.0, 1, 1, 1], [1, -1, 0.2, 1], [0.5, -1, 1, 1], [-1, -1, -1, 1]])
    logits = (scale * mine.T[None]).to(dtype).requires_grad_()
    return logits, (scale * theirs.T[None]).to(dtype).float().log_softmax(1)


@pytest.mark.parametrize("kind", ["holder", "cross_entropy", *KINDS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_for_an_extreme_teacher(kind, dtype):
    logits, teacher = extreme_pair(1e4, dtype)
    loss = teacher_divergence(kind, logits.float().log_softmax(1), teacher, 1.1)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_regimes_are_finite_for_extreme_logits(alpha, dtype):
    logits, log_q = extreme_pair(1e4, dtype)
    loss = holder_divergence(logits.float().log_softmax(1), log_q, alpha)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("kind", ["holder", "cross_entropy", *KINDS])
def test_gradient(kind):
    log_p, log_q = densities(13, (1, 4, 3))
    labels = torch.tensor([[0, 2, 3]])
    target = one_hot(labels, 4).movedim(-1, 1).double()
    start = log_p.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: label_divergence(kind, z, labels, target, 1.1), start)
    assert torch.autograd.gradcheck(
        lambda z: teacher_divergence(kind, z.log_softmax(1), log_q, 1.1), start, eps=1e-7
    )


@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradient_of_both_regimes(alpha):
    log_p, log_q = densities(14, (1, 4, 3))
    start = log_p.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: holder_divergence(z.log_softmax(1), log_q, alpha), start)
