"""A step from several objectives whose gradients do not work against each other.

Wang et al., "Gradient-Guided Modality Decoupling for Missing-Modality Robustness" (AAAI 2024): from each
objective's gradient is taken what points against another's, after Yu et al., "Gradient surgery" (2020). In
the public code (``optim/gmd.py``, commit 9bee98d) the others come in a random order, once more than needed
with the gradient itself, and the mean of what is left is the step's; so it is here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def decoupled_gradient(gradients: Sequence[Tensor], order: torch.Generator) -> Tensor:
    """Return the mean of gradients (P,), each without what conflicts with another.

    Parameters
    ----------
    gradients : sequence of Tensor
        One for each objective, flat.
    order : Generator
        Draws the order in which conflicts are taken out.
    """
    mended = []
    for gradient in gradients:
        left = gradient.clone()
        for place in torch.randperm(len(gradients), generator=order).tolist():
            other = gradients[place]
            along = torch.dot(left, other)
            if along < 0:
                left -= along / other.square().sum() * other
        mended.append(left)
    return torch.stack(mended).mean(0)


def add_decoupled_gradient(
    losses: Sequence[Tensor], parameters: Sequence[nn.Parameter], share: float, order: torch.Generator
) -> None:
    """Add the decoupled gradient of several losses, times `share`, to that of the parameters."""
    flat = []
    for number, loss in enumerate(losses):
        found = torch.autograd.grad(
            loss, parameters, retain_graph=number < len(losses) - 1, allow_unused=True
        )
        flat.append(
            torch.cat(
                [
                    (torch.zeros_like(parameter) if gradient is None else gradient).flatten()
                    for gradient, parameter in zip(found, parameters, strict=True)
                ]
            )
        )
    merged = share * decoupled_gradient(flat, order)
    for parameter, part in zip(parameters, merged.split([one.numel() for one in parameters]), strict=True):
        gradient = part.view_as(parameter)
        parameter.grad = gradient.clone() if parameter.grad is None else parameter.grad + gradient
