"""One optimiser step, over one process or many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from napari_rdl.errors import NapariRdlError
from napari_rdl.models import Model, build_network
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.crops import SUBSETS, Batch
from napari_rdl.training.data.subsets import draw_proper_subset, draw_subsets, subset_matrix
from napari_rdl.training.losses.comparison import ComparisonObjective
from napari_rdl.training.losses.methods import make_objective
from napari_rdl.training.losses.mutual_information import GaussianTransfer
from napari_rdl.training.losses.total import Objective, StepLoss
from napari_rdl.training.step.average import WeightAverage
from napari_rdl.training.step.decoupling import add_decoupled_gradient


class DivergedError(NapariRdlError):
    """The loss or its gradient is no number any more."""


class Stepper:
    """The network, its losses, its optimiser, and how they take a step.

    Parameters
    ----------
    config : TrainingConfig
        Resolved.
    fabric : Fabric
        Launched.
    start : Model, optional
        Checkpoint of the same architecture whose weights the run begins with.
    """

    def __init__(self, config: TrainingConfig, fabric: Fabric, start: Model | None = None) -> None:
        self.config = config
        self.fabric = fabric
        self._matrix = subset_matrix(config.network.modalities)
        torch.manual_seed(config.seed)
        network: Any = build_network(config.architecture)
        self._begins_anew = start is None
        if start is not None:
            # A gate that the checkpoint lacks keeps its first values: those of the mean.
            network.load_state_dict({**network.state_dict(), **start.network.state_dict()})
        made = make_objective(network, config.loss, config.method)
        self.objective: Objective | ComparisonObjective = made.to(fabric.device)
        settings = config.optimizer
        optimizer = torch.optim.Adam(
            self._groups(),
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            amsgrad=settings.amsgrad,
            # One kernel for all tensors in the place of several for each.
            fused=fabric.device.type == "cuda",
        )
        self.average = (
            WeightAverage(self.objective.network, settings.ema_decay) if settings.ema_decay else None
        )
        if config.hardware.compile:
            self.objective.network.compile()
        self.model, self.optimizer = fabric.setup(self.objective, optimizer)

    def _groups(self) -> list[dict[str, Any]]:
        """Return what learns at which multiple of the learning rate."""
        readout = getattr(self.objective.network, "deep_sets", None)
        if self.config.optimizer.fusion_only and readout is not None:
            self.objective.requires_grad_(False)
            readout.requires_grad_(True)
            return [{"params": list(readout.parameters()), "scale": 1.0}]
        of_fusion = [] if readout is None else list(readout.parameters())
        learnt = self._learnt_images()
        known = {*of_fusion, *learnt}
        others = [parameter for parameter in self.objective.parameters() if parameter not in known]
        groups = [{"params": others, "scale": 1.0}]
        if of_fusion:
            groups.append({"params": of_fusion, "scale": self.config.optimizer.fusion_scale})
        if learnt:
            settings = self.config
            groups.append(
                {"params": learnt, "scale": (settings.method.images_lr or 0) / settings.optimizer.lr}
            )
        return groups

    def _learnt_images(self) -> list[nn.Parameter]:
        """Return M3AE's images where they have a rate of their own; they are kept where that is 0."""
        images = getattr(self.objective.network, "substitute", None)
        rate = self.config.method.images_lr
        if rate is None and not self._begins_anew:
            rate = 0.0
        if images is None or rate is None:
            return []
        images.requires_grad_(rate > 0)
        return [images]

    @property
    def network(self) -> Any:
        """What is validated and exported: the moving average of the weights where there is one."""
        return self.objective.network if self.average is None else self.average.network

    @property
    def scaler(self) -> Any:
        """The gradients' scaler of 16-bit training, or None."""
        return getattr(self.fabric._precision, "scaler", None)

    @property
    def terms(self) -> tuple[str, ...]:
        """What the losses are called that a step tells, in their order."""
        return self.objective.terms

    def take_step(self, batches: Iterator[Batch], step: int, rate: float, done: float = 1.0) -> list[float]:
        """Take one optimiser step after `step` others, with the share `done` of the run behind.

        Returns
        -------
        list of float
            The total, the terms of the loss, the gradient's norm.

        Raises
        ------
        DivergedError
            If the loss or its gradient is no number; the weights are then as they were.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)  # runs from before had one group
        parts = self.config.local_batch // self.config.micro_batch
        totals = torch.zeros(len(self.terms) + 1, device=self.fabric.device)
        self.objective.done = done
        names: list[str] = []
        self.model.train()
        if step == 0 and self.objective.transfer:
            first = [next(batches) for _ in range(parts)]
            self._start_transfer(first)
            batches = iter(first)
        for part in range(parts):
            batch = next(batches)
            names += batch["names"]
            with self.fabric.no_backward_sync(self.model, enabled=part < parts - 1):
                loss = self.loss_of(batch)
                if loss.parts:
                    order = torch.Generator().manual_seed(hash((self.config.seed, step, part)) % 2**63)
                    trained = [one for one in self.objective.parameters() if one.requires_grad]
                    add_decoupled_gradient(loss.parts, trained, 1 / parts, order)
                else:
                    self.fabric.backward(loss.total / parts)
            totals += torch.cat((loss.total.detach().reshape(1), loss.terms)) / parts
        totals = self.over_processes(totals, "mean")
        limit = self.config.optimizer.clip
        norm = self.fabric.clip_gradients(
            self.model,
            self.optimizer,
            max_norm=math.inf if limit is None else limit,
            error_if_nonfinite=False,
        )
        values = [*totals.tolist(), float(norm) if norm is not None else 0.0]
        # With 16-bit scaling an infinite gradient is no accident: the scaler skips that step.
        finite = values[:-1] if self.scaler is not None else values
        if not np.isfinite(finite).all():
            raise DivergedError(
                f"The loss or its gradient is no number at step {step + 1} (patients "
                f"{', '.join(names)}): the last checkpoint is kept; lower optimizer.lr or set optimizer.clip."
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update(self.objective.network, step)
        return values

    def loss_of(self, batch: Batch) -> StepLoss:
        """Return the loss of a batch over the subsets drawn for it."""
        rngs = self._rngs(batch)
        present, loss = batch["present"].cpu(), self.config.loss
        subsets, weights = draw_subsets(
            self._matrix, present, loss.subsets_per_step, rngs, loss.full_weight, loss.always_full
        )
        missing, valid = draw_proper_subset(self._matrix, present, rngs)
        tensors = (batch["images"], batch["labels"], present, missing, valid)
        images, labels, present, missing, valid = (
            tensor.to(self.fabric.device, non_blocking=True) for tensor in tensors
        )
        objective = self.objective
        drawn = objective.drawn(batch, rngs) if isinstance(objective, ComparisonObjective) else {}
        result: StepLoss = self.model(images, labels, present, subsets, weights, missing, valid, **drawn)
        return result

    def _start_transfer(self, batches: Sequence[Batch]) -> None:
        """Start the variances of L_MI from the residuals of a first step, the same in all processes."""
        sums: list[Tensor] = []
        for batch in batches:
            missing, valid = draw_proper_subset(self._matrix, batch["present"].cpu(), self._rngs(batch))
            tensors = (batch["images"], batch["present"], missing, valid)
            levels = cast(Objective, self.objective).residuals(
                *(tensor.to(self.fabric.device) for tensor in tensors)
            )
            sums = [total + level for total, level in zip(sums, levels, strict=True)] if sums else levels
        for transfer, total in zip(self.objective.transfer, sums, strict=True):
            squared = self.over_processes(total / len(batches), "mean")
            if bool(squared.any()):
                cast(GaussianTransfer, transfer).start(squared)

    def _rngs(self, batch: Batch) -> list[np.random.Generator]:
        return [np.random.default_rng([self.config.seed, SUBSETS, index]) for index in batch["indices"]]

    def over_processes(self, values: Tensor, how: str) -> Tensor:
        """Return the sum or mean of each process's values; all get the same."""
        if self.fabric.world_size == 1:
            return values
        return torch.as_tensor(self.fabric.all_reduce(values, reduce_op=how))
