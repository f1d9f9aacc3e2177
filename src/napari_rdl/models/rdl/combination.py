"""M(.): the dynamic combination. What is absent is left out, never zero-filled.

All fusions are sums over the present modalities, so they do not depend on their order:

- ``mean``: sum of logits_i / number present;
- ``gated``: sum of exp(g_i) logits_i / sum of exp(g_i), with g_i bounded and from h_i alone;
- ``deep_sets``: the gated mean + psi(sum of phi_i(h_i)) (Zaheer et al., NeurIPS 2017).

The divisor of the first two is positive and common to all classes, so it never changes the most
probable class. The third is no sum of logits any more: psi is read after the sum, voxel by voxel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_CHUNK = 32768

_ALIGNED = 16
"""Rows of a multiple of this are multiplied alike wherever they lie; shorter ones may round otherwise."""

_LARGER = 3
"""By how much logits and gate are larger than normalised features, about."""


def weigh(logits: Tensor, gate: Tensor | None) -> Tensor:
    """Return each modality's term of the sum.

    Parameters
    ----------
    logits : Tensor
        (..., J, D, H, W), one modality's or several modalities' logits.
    gate : Tensor or None
        (..., 1, D, H, W) scores g_i of a gated fusion; None for the mean.
    """
    return logits if gate is None else logits * gate.exp()


class DeepSets(nn.Module):
    """What the gated mean cannot say: psi(sum over present i of phi_i(h_i)).

    A gated mean averages: a modality that is sure of "no tumour" where it sees none counts against
    one that sees it. A readout after the sum can learn whom to believe where. phi_i is two 1x1x1
    convolutions for each modality, psi two for all; psi begins as zero, so that the network begins as
    the gated mean.
    """

    def __init__(self, modalities: int, width: int, outputs: int, embedding: int) -> None:
        super().__init__()
        inputs = width + outputs + 1
        self.first = nn.Parameter(torch.empty(modalities, embedding, inputs))
        self.first_bias = nn.Parameter(torch.zeros(modalities, embedding))
        self.second = nn.Parameter(torch.empty(modalities, embedding, embedding))
        self.second_bias = nn.Parameter(torch.zeros(modalities, embedding))
        for weight in (*self.first, *self.second):
            nn.init.kaiming_uniform_(weight, a=5**0.5)
        self.hidden = nn.Linear(embedding, embedding)
        self.last = nn.Linear(embedding, outputs)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def embed(self, decoded: Tensor, logits: Tensor, gate: Tensor, modality: Tensor) -> Tensor:
        """Return phi_i (N, E, x, y, z).

        Parameters
        ----------
        decoded, logits, gate : Tensor
            (N, C, x, y, z), (N, J p^3, x, y, z) and (N, 1, x, y, z) of each sample.
        modality : Tensor
            (N,) index of each sample's modality.
        """
        space = decoded.shape[2:]
        x = torch.cat((decoded, logits / _LARGER, gate / _LARGER), 1).flatten(2)
        x = torch.baddbmm(self.first_bias[modality].unsqueeze(2).to(x), self.first[modality].to(x), x)
        x = torch.baddbmm(
            self.second_bias[modality].unsqueeze(2).to(x), self.second[modality].to(x), functional.relu(x)
        )
        return x.reshape(len(decoded), -1, *space)

    def terms(
        self,
        decoded: Tensor,
        logits: Tensor,
        gate: Tensor,
        modality: Tensor,
        where: Tensor | None = None,
    ) -> Tensor:
        """Return what is summed over modalities: e^g times the logits, e^g and phi_i; without gradients.

        Takes what `embed` takes, and the voxels (N, x, y, z) that are asked for, all if left out: half of
        the box around a brain is outside it. Each voxel is embedded alone, in pieces that stay in the
        processor's cache, and written once: a voxel's numbers lie beside each other.

        Returns
        -------
        Tensor
            (N, T, x, y, z), channels last; uninitialised where nothing was asked for.
        """
        outputs, count = logits.shape[1], logits.shape[1] + 1 + self.second.shape[1]
        every = torch.empty((len(decoded), *decoded.shape[2:], count), device=decoded.device)
        for sample, m in enumerate(modality.tolist()):
            first, second = self._with_biases(m, outputs)
            rows = every[sample].flatten(0, 2)
            parts = [part[sample].flatten(1).t() for part in (decoded, logits, gate)]
            chosen = None if where is None else where[sample].flatten().nonzero()[:, 0]
            total = len(rows) if chosen is None else len(chosen)
            ones = decoded.new_ones((min(_CHUNK, total), 1))
            for start in range(0, total, _CHUNK):
                piece = slice(start, start + _CHUNK) if chosen is None else chosen[start : start + _CHUNK]
                features, said, score = (part[piece] for part in parts)
                x = torch.mm(torch.cat((features, said, score, ones[: len(said)]), 1), first).relu_()
                weight = score.float().exp()
                rows[piece] = torch.cat((said * weight, weight, x @ second), 1)
        return every.movedim(-1, 1)

    def _with_biases(self, modality: int, outputs: int) -> tuple[Tensor, Tensor]:
        """Return phi's two layers as matrices (inputs + 1, E + 1) and (E + 1, E).

        The last input is 1, and the first layer hands it on: a matrix product is then all there is. How much
        larger logits and gate are is in the first one.
        """
        larger = self.first.new_ones(self.first.shape[2])
        larger[-outputs - 1 :] = _LARGER
        first = torch.cat((self.first[modality] / larger, self.first_bias[modality, :, None]), 1)
        handed_on = functional.one_hot(torch.tensor(first.shape[1] - 1), first.shape[1])
        second = torch.cat((self.second[modality], self.second_bias[modality, :, None]), 1)
        return torch.cat((first, handed_on[None].to(first))).t(), second.t()

    def read(self, total: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return psi of summed embeddings: (N, E, ...) -> (N, J p^3, ...), computed as `dtype`.

        The result lies in memory as `total` does: by channel, or channels last.
        """
        if not torch.is_grad_enabled() and total.stride(1) != 1:
            x = functional.relu(total.flatten(2).to(dtype))
            x = (self.hidden.weight.to(x) @ x).add_(self.hidden.bias[:, None].to(x)).relu_()
            x = (self.last.weight.to(x) @ x).add_(self.last.bias[:, None].to(x))
            return x.reshape(len(total), -1, *total.shape[2:])
        rows = functional.relu(total.flatten(2).movedim(1, -1).to(dtype))
        hidden = functional.relu(_linear(self.hidden, rows))
        return _linear(self.last, hidden).movedim(-1, 1).reshape(len(total), -1, *total.shape[2:])


def _linear(layer: nn.Linear, rows: Tensor) -> Tensor:
    weight = layer.weight.to(rows)
    if beyond := -rows.shape[-1] % _ALIGNED:
        rows, weight = (functional.pad(side, [0, beyond]) for side in (rows, weight))
    return functional.linear(rows, weight, layer.bias.to(rows))


def fuse_features(features: Tensor, subsets: Tensor) -> Tensor:
    """Return the mean of deep features over each subset (Eq. 2-3 compare these).

    Parameters
    ----------
    features : Tensor
        (B, M, C, D, H, W) features of one encoder level.
    subsets : Tensor
        (S, M) or (S, B, M) membership.

    Returns
    -------
    Tensor
        (S, B, C, D, H, W).

    Raises
    ------
    ValueError
        If a subset is empty.
    """
    batch = features.shape[0]
    if subsets.ndim == 2:
        subsets = subsets[:, None].expand(-1, batch, -1)
    if not bool(subsets.any(-1).all()):
        raise ValueError("A subset must hold at least one modality.")
    fused = []
    for member in subsets:
        # Chosen, not multiplied by zero: what a subset leaves out may hold anything, NaN too.
        chosen = torch.where(member[..., None, None, None, None], features, 0)
        fused.append(chosen.sum(1) / member.sum(1)[:, None, None, None, None])
    return torch.stack(fused)
