"""Divergences per voxel over the classes: Hölder's (Eq. 1, Definition 1) and those of Table IV.

All take unnormalised or normalised *log* probabilities in float32 or wider and work in log space.
``p`` is the prediction, ``q`` the target; the class axis is 1, and the result lacks it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from napari_rdl.errors import ConfigError

FLOOR = 1e-6
"""Smallest p in the denominator of Neyman's chi-square."""


def conjugate(alpha: float) -> float:
    """Return beta with 1/alpha + 1/beta = 1.

    Raises
    ------
    ConfigError
        If alpha is 0, 1 or not finite: no conjugate exponent exists.
    """
    if not math.isfinite(alpha) or alpha in (0.0, 1.0):
        raise ConfigError(
            f"Hölder's alpha is {alpha}: use one above 1 (the paper: 1.05 to 1.20), or below 1 but not 0."
        )
    return alpha / (alpha - 1)


def holder_divergence(log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    """Return Hölder's pseudo-divergence D_alpha(p : q) over axis 1 (Definition 1).

    For alpha > 1, D = -log( sum p q / (||p||_alpha ||q||_beta) ), never negative by Hölder's
    inequality. For alpha < 1 (not 0) one exponent is negative, the inequality turns round, and the
    logarithm's sign with it. D is projective: scaling p or q changes nothing. It is zero iff
    p^alpha is proportional to q^beta, so D(p : p) is not zero in general.

    Parameters
    ----------
    log_p, log_q : Tensor
        (B, J, ...) log densities, normalised or not; -inf stands for zero.

    Returns
    -------
    Tensor
        (B, ...), at least 0 up to rounding.
    """
    beta = conjugate(alpha)
    log_product = torch.logsumexp(log_p + log_q, 1)
    log_norms = torch.logsumexp(alpha * log_p, 1) / alpha + torch.logsumexp(beta * log_q, 1) / beta
    gap = log_norms - log_product
    return gap if alpha > 1 else -gap


def proper_holder_divergence(log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    """Return D_alpha(p : q^(alpha/beta)), the form that is zero iff p and q are proportional."""
    return holder_divergence(log_p, log_q * (alpha / conjugate(alpha)), alpha)


def holder_label_divergence(logits: Tensor, labels: Tensor, alpha: float) -> Tensor:
    """Return D_alpha(softmax(z) : one-hot y) = cross_entropy(alpha z, y) / alpha, for alpha > 1.

    Parameters
    ----------
    logits : Tensor
        (B, J, V).
    labels : Tensor
        (B, V), int64.

    Returns
    -------
    Tensor
        (B, V).
    """
    return functional.cross_entropy(alpha * logits, labels, reduction="none") / alpha


def f_divergence(kind: str, log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return a divergence of Table IV between normalised densities, over axis 1.

    - ``total_variation``: 1/2 sum |p - q|
    - ``squared_hellinger``: 1/2 sum (sqrt p - sqrt q)^2
    - ``kl``: KL(q : p) = sum q log(q / p); the other direction is infinite for one-hot labels
    - ``neyman_chi2``: sum (p - q)^2 / max(p, floor)
    - ``jensen_shannon``: 1/2 KL(p : m) + 1/2 KL(q : m), m = (p + q) / 2
    """
    p, q = log_p.exp(), log_q.exp()
    if kind == "total_variation":
        return 0.5 * (p - q).abs().sum(1)
    if kind == "squared_hellinger":
        return 0.5 * ((0.5 * log_p).exp() - (0.5 * log_q).exp()).square().sum(1)
    if kind == "kl":
        return (torch.xlogy(q, q) - q * log_p).sum(1)
    if kind == "neyman_chi2":
        return ((p - q).square() / p.clamp(min=FLOOR)).sum(1)
    if kind == "jensen_shannon":
        middle = 0.5 * (p + q)
        # The logarithm's argument is kept off zero, where both terms vanish but their gradients would not.
        log_middle = middle.clamp(min=torch.finfo(p.dtype).tiny).log()
        of_p = p * (log_p - log_middle)
        of_q = torch.xlogy(q, q) - q * log_middle
        return 0.5 * (of_p + of_q).sum(1)
    raise ConfigError(f"There is no divergence {kind!r}.")


def label_divergence(kind: str, logits: Tensor, labels: Tensor, target: Tensor, alpha: float) -> Tensor:
    """Return any of the divergences from the label, per voxel.

    Parameters
    ----------
    kind : str
        ``holder``, ``cross_entropy`` or a name of `f_divergence`.
    logits : Tensor
        (B, J, V).
    labels : Tensor
        (B, V) class indices.
    target : Tensor
        (B, J, V) the same one-hot.

    Returns
    -------
    Tensor
        (B, V).
    """
    if kind == "holder":
        return holder_label_divergence(logits, labels, alpha)
    if kind in ("cross_entropy", "kl"):
        # For one-hot labels KL(label : p) is the cross-entropy.
        return functional.cross_entropy(logits, labels, reduction="none")
    return f_divergence(kind, logits.log_softmax(1), target.log())


def soft_label_divergence(kind: str, logits: Tensor, target: Tensor, alpha: float) -> Tensor:
    """Return any of the divergences from the softmax of the label: Eq. 1 to the letter, sigma(S^l) and all.

    The target of J classes has e / (e + J - 1) for the label's class and 1 / (e + J - 1) for each other:
    0.475 and 0.175 for four. The f-divergences are least where the prediction is that; Hölder's is least
    where it is proportional to its power beta / alpha, 10 for alpha 1.1, which is 0.9999 for the class.

    Parameters
    ----------
    logits, target : Tensor
        (B, J, V), and the one-hot label.

    Returns
    -------
    Tensor
        (B, V).
    """
    log_p, log_q = logits.log_softmax(1), target.log_softmax(1)
    if kind == "holder":
        return holder_divergence(log_p, log_q, alpha)
    if kind == "cross_entropy":
        return -(log_q.exp() * log_p).sum(1)
    return f_divergence(kind, log_p, log_q)


def teacher_divergence(kind: str, log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    """Return any of the divergences from a teacher's prediction q, per voxel; zero iff p = q."""
    if kind == "holder":
        return proper_holder_divergence(log_p, log_q, alpha)
    return f_divergence("kl" if kind == "cross_entropy" else kind, log_p, log_q)
