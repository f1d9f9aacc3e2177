"""The embedding of a modality: voxel by voxel, in whatever pieces."""

from __future__ import annotations

import torch

from napari_rdl.models.rdl import combination
from napari_rdl.models.rdl.combination import DeepSets


def test_what_a_voxel_adds_does_not_depend_on_the_pieces_that_it_is_embedded_in(monkeypatch) -> None:
    torch.manual_seed(0)
    sets = DeepSets(modalities=3, width=4, outputs=4, embedding=8)
    decoded, logits, gate = (torch.randn(2, count, 5, 4, 3) for count in (4, 4, 1))
    modality = torch.tensor([2, 0])
    learned = sets.embed(decoded, logits, gate, modality)
    monkeypatch.setattr(combination, "_CHUNK", 7)
    with torch.no_grad():
        summed = sets.terms(decoded, logits, gate, modality)
    weights, found = summed.split((5, 8), 1)
    torch.testing.assert_close(found, learned.detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(weights, torch.cat((logits * gate.exp(), gate.exp()), 1))
    where = torch.rand(2, 5, 4, 3) > 0.4
    with torch.no_grad():
        asked = sets.terms(decoded, logits, gate, modality, where)
    torch.testing.assert_close(asked.movedim(1, -1)[where], summed.movedim(1, -1)[where])
    # By hand, for one voxel of the first sample.
    x = torch.cat((decoded, logits / 3, gate / 3), 1)[0, :, 3, 2, 1]
    hidden = (sets.first[2] @ x + sets.first_bias[2]).relu()
    torch.testing.assert_close(found[0, :, 3, 2, 1], sets.second[2] @ hidden + sets.second_bias[2])


def test_a_sum_is_read_voxel_by_voxel_too(monkeypatch) -> None:
    torch.manual_seed(0)
    sets = DeepSets(modalities=1, width=4, outputs=4, embedding=8)
    torch.nn.init.normal_(sets.last.weight)
    total = torch.randn(2, 8, 5, 4, 3)
    learned = sets.read(total)
    monkeypatch.setattr(combination, "_CHUNK", 7)
    with torch.no_grad():
        found = sets.read(total)
    torch.testing.assert_close(found, learned.detach(), atol=1e-6, rtol=1e-5)
    alone = sets.last(sets.hidden(total[1, :, 4, 3, 2].relu()).relu())
    torch.testing.assert_close(found[1, :, 4, 3, 2], alone.detach())
