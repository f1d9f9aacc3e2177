"""The loop: steps, validation, checkpoints, until all is done or someone says stop."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from napari_rdl.errors import NapariRdlError, OutputError
from napari_rdl.network import Model, ModelCard, RobustNet, save_model
from napari_rdl.training.average import WeightAverage
from napari_rdl.training.cache import PatientCache
from napari_rdl.training.checkpointing import Position, load_state, save_state
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.crops import SUBSETS, Batch, CropDataset, StepSampler, crop_loader
from napari_rdl.training.losses.total import TERMS, Objective, StepLoss
from napari_rdl.training.patients import Split, is_synthetic
from napari_rdl.training.preview import Example, write_preview
from napari_rdl.training.run_folder import MetricsLog, RunFolder
from napari_rdl.training.schedule import learning_rate, steps_per_epoch, total_steps
from napari_rdl.training.subsets import draw_proper_subset, draw_subsets, subset_matrix
from napari_rdl.training.tensorboard import EventLog
from napari_rdl.training.validate import Scores, mean_scores, overall, validate

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]

PAUSE_SECONDS = 0.25
"""How often a paused run looks whether it may go on."""


class DivergedError(NapariRdlError):
    """The loss or its gradient is no number any more."""


class Trainer:
    """One run: receives everything it uses, and owns none of it.

    Parameters
    ----------
    config : TrainingConfig
        Resolved.
    fabric : Fabric
        Launched.
    split : Split
        Patients, checked.
    cache : PatientCache
        Where they are prepared.
    folder : RunFolder or None
        Where to write; None writes nothing.
    start : Model, optional
        Checkpoint of the same architecture whose weights the run begins with.
    """

    def __init__(
        self,
        config: TrainingConfig,
        fabric: Fabric,
        split: Split,
        cache: PatientCache,
        folder: RunFolder | None,
        start: Model | None = None,
    ) -> None:
        self.config = config
        self.fabric = fabric
        self.split = split
        self.cache = cache
        self.folder = folder
        self.steps = total_steps(config, len(split.train))
        self.epoch_steps = steps_per_epoch(config, len(split.train))
        self.position = Position(sums=[0.0] * (len(TERMS) + 2))
        self.scores: Scores = {}
        self._matrix = subset_matrix(config.network.modalities)

        torch.manual_seed(config.seed)
        network = RobustNet(config.network)
        if start is not None:
            # A gate that the checkpoint lacks keeps its first values: those of the mean.
            network.load_state_dict({**network.state_dict(), **start.network.state_dict()})
        self.objective = Objective(network, config.loss).to(fabric.device)
        settings = config.optimizer
        optimizer = torch.optim.Adam(
            self.objective.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
        )
        self.average = (
            WeightAverage(self.objective.network, settings.ema_decay) if settings.ema_decay else None
        )
        if config.hardware.compile:
            self.objective.network.compile()
        self.model, self.optimizer = fabric.setup(self.objective, optimizer)

    def resume(self) -> None:
        """Go back to the saved state."""
        assert self.folder is not None
        self.position, average, scaler = load_state(
            self.folder.state, self.config, self.objective, self.optimizer.optimizer, self.fabric.device
        )
        if self.average is not None:
            self.average.load_state_dict(average)
        if scaler and (grad_scaler := self._scaler()) is not None:
            grad_scaler.load_state_dict(scaler)

    def run(self, progress: Progress, should_stop: Callable[[], bool]) -> bool:
        """Train to the end; return False if stopped before, with a checkpoint written.

        Raises
        ------
        DivergedError
            If the loss is no number; the last checkpoint stays as it was.
        OutputError
            If the last checkpoint cannot be written.
        """
        metrics = events = None
        if self.folder is not None and self.fabric.is_global_zero:
            metrics = MetricsLog(self.folder.metrics, self.position.metrics_size)
            events = EventLog(self.folder.tensorboard, self.position.step)
        batches = iter(self.batches(self.steps))
        started, at = time.perf_counter(), self.position.step
        stopped = False
        while self.position.step < self.steps and not stopped:
            step = self.position.step
            rate = learning_rate(self.config.optimizer, step, self.steps)
            values = self.take_step(batches, rate)
            self.position.step = step = step + 1
            self.position.sums = [
                total + value for total, value in zip(self.position.sums, values, strict=True)
            ]
            self.position.counted += 1
            finished = step == self.steps
            if step % self.config.run.log_every == 0 or finished:
                now = time.perf_counter()
                speed = (step - at) * self.config.optimizer.batch / (now - started)
                started, at = now, step
                self._log(metrics, events, rate, speed)
                if self.fabric.is_global_zero:
                    progress(step, self.steps, f"loss {values[0]:.3f}, {speed:.2f} crops/s")
            validated = self.split.validation and (
                step % (self.config.validation.every or self.epoch_steps) == 0 or finished
            )
            if validated:
                self._validate(metrics, events)
                started, at = time.perf_counter(), step
            if not finished:
                started += self._hold(metrics, should_stop)
            stopped = self._agree(should_stop()) and not finished
            if validated or stopped or finished or step % self.config.run.checkpoint_every == 0:
                self._checkpoint(metrics, must=stopped or finished)
        if events is not None:
            events.close()
        return not stopped

    def take_step(self, batches: Iterator[Batch], rate: float) -> list[float]:
        """Take one optimiser step; return the total, the terms of the loss and the gradient's norm."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts = self.config.local_batch // self.config.micro_batch
        totals = torch.zeros(len(TERMS) + 1, device=self.fabric.device)
        names: list[str] = []
        self.model.train()
        for part in range(parts):
            batch = next(batches)
            names += batch["names"]
            with self.fabric.no_backward_sync(self.model, enabled=part < parts - 1):
                loss = self.loss_of(batch)
                self.fabric.backward(loss.total / parts)
            totals += torch.cat((loss.total.detach().reshape(1), loss.terms)) / parts
        totals = self._over_processes(totals, "mean")
        limit = self.config.optimizer.clip
        norm = self.fabric.clip_gradients(
            self.model,
            self.optimizer,
            max_norm=math.inf if limit is None else limit,
            error_if_nonfinite=False,
        )
        values = [*totals.tolist(), float(norm) if norm is not None else 0.0]
        # With 16-bit scaling an infinite gradient is no accident: the scaler skips that step.
        finite = values[:-1] if self._scaler() is not None else values
        if not np.isfinite(finite).all():
            raise DivergedError(
                f"The loss or its gradient is no number at step {self.position.step + 1} (patients "
                f"{', '.join(names)}): the last checkpoint is kept; lower optimizer.lr or set optimizer.clip."
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update(self.objective.network, self.position.step)
        return values

    def loss_of(self, batch: Batch) -> StepLoss:
        """Return the loss of a batch over the subsets drawn for it."""
        seeds = [[self.config.seed, SUBSETS, index] for index in batch["indices"]]
        rngs = [np.random.default_rng(seed) for seed in seeds]
        present = batch["present"]
        loss = self.config.loss
        subsets, weights = draw_subsets(self._matrix, present, loss.subsets_per_step, rngs, loss.full_weight)
        missing, valid = draw_proper_subset(self._matrix, present, rngs)
        tensors = (batch["images"], batch["labels"], present, subsets, weights, missing, valid)
        moved = [tensor.to(self.fabric.device, non_blocking=True) for tensor in tensors]
        result: StepLoss = self.model(*moved)
        return result

    def batches(self, until: int) -> Iterable[Batch]:
        """Return this process's batches from the current step to step `until`."""
        dataset = CropDataset(self.config, self.split.train, self.cache)
        return crop_loader(
            dataset, StepSampler(self.config, self.position.step, until, self.fabric.global_rank)
        )

    def _log(self, metrics: MetricsLog | None, events: EventLog | None, rate: float, speed: float) -> None:
        sums, count = self.position.sums, self.position.counted
        means = dict(zip(("loss", *TERMS, "gradient_norm"), (total / count for total in sums), strict=True))
        self.position.sums, self.position.counted = [0.0] * len(sums), 0
        step = self.position.step
        line = {"step": step, "epoch": step / self.epoch_steps, **means, "lr": rate}
        line |= {"samples_per_s": round(speed, 3), "memory_mb": round(self.memory_mb())}
        if metrics is not None and events is not None:
            assert self.folder is not None
            self.folder.require_there()
            metrics.write(line)
            events.write(step, {name: value for name, value in line.items() if name != "step"}, "train")

    def _validate(self, metrics: MetricsLog | None, events: EventLog | None) -> None:
        started = time.perf_counter()
        network = self.objective.network if self.average is None else self.average.network
        mine = self.split.validation[: self.config.validation.patients][
            self.fabric.global_rank :: self.fabric.world_size
        ]
        precision = {"32-true": "float32", "bf16-mixed": "bf16", "16-mixed": "fp16"}
        examples: list[Example] = []
        sums, counts = validate(
            network,
            [self.cache.get(patient) for patient in mine],
            tile=self.config.tile,
            overlap=self.config.validation.overlap,
            precision=precision[self.config.hardware.precision],
            device=self.fabric.device,
            see=examples.append if metrics is not None else None,
        )
        if examples:
            folder = self.folder
            assert folder is not None
            self._keep_going(lambda: write_preview(folder.preview, examples[0]))
        both = torch.from_numpy(np.concatenate((sums, counts), 1)).float().to(self.fabric.device)
        table = self._over_processes(both, "sum").cpu().numpy().astype(np.float64)
        self.scores = mean_scores(table[:, :3], table[:, 3:], self.config.network.modalities)
        score, step = overall(self.scores), self.position.step
        seconds = time.perf_counter() - started
        logger.info("Step %d: mean Dice %.4f over subsets and regions (%.0f s).", step, score, seconds)
        if metrics is not None and events is not None:
            metrics.write(
                {"step": step, "validation": self.scores, "mean_dice": score, "seconds": round(seconds, 1)}
            )
            flat = {f"{name}/{region}": v for name, row in self.scores.items() for region, v in row.items()}
            events.write(step, {"mean_dice": score, **flat}, "validation")
        if score > self.position.best:
            written = True
            if self.folder is not None and self.fabric.is_global_zero:
                written = self._keep_going(lambda: self._export(self.folder.best))  # type: ignore[union-attr]
            if written:
                # Weights that found no room are no best: the next that score better than the file's are.
                self.position.best = score

    def _hold(self, metrics: MetricsLog | None, should_stop: Callable[[], bool]) -> float:
        """Wait while a file PAUSE lies in the run folder; return the seconds waited."""
        if self.folder is None or not self.folder.pause.exists():
            return 0.0
        started = time.perf_counter()
        # Whoever pauses may switch the machine off.
        self._checkpoint(metrics, must=False)
        logger.info("Paused at step %d, with a checkpoint.", self.position.step)
        while self.folder.pause.exists() and not should_stop():
            time.sleep(PAUSE_SECONDS)
        logger.info("Going on.")
        return time.perf_counter() - started

    def _checkpoint(self, metrics: MetricsLog | None, *, must: bool) -> None:
        if self.folder is None or metrics is None:
            return
        folder = self.folder
        folder.require_there()
        self.position.metrics_size = metrics.size

        def write() -> None:
            scaler = self._scaler()
            save_state(
                folder.state,
                self.config,
                self.position,
                self.objective,
                self.optimizer.optimizer,
                {} if self.average is None else self.average.state_dict(),
                {} if scaler is None else scaler.state_dict(),
            )
            self._export(folder.last)

        if must:
            try:
                write()
            except NapariRdlError as error:
                raise OutputError(
                    f"The last checkpoint of {folder.path} is lost and the one before is kept, so free space "
                    f"and go on with --resume {folder.path}: {error}"
                ) from error
        else:
            self._keep_going(write)

    def _export(self, path: Any) -> None:
        network = self.objective.network if self.average is None else self.average.network
        save_model(path, network, self.card(), make_folder=False)

    def card(self) -> ModelCard:
        """Return the model card of the weights as they are now."""
        data, count = self.config.data, len(self.split.train)
        synthetic = is_synthetic(data.source)
        kind = "synthetic" if synthetic else "training"
        # Folders of this machine are no part of a recipe.
        source = data.source if synthetic else Path(data.source).name
        recipe = self.config.model_dump(
            mode="json", exclude={"data": {"cache", "validation"}, "hardware": True}
        )
        recipe["data"]["source"] = source
        trained_on = f"{count} {kind} patients ({source})"
        if self.config.start_from is not None:
            recipe["start_from"] = Path(self.config.start_from).name
            trained_on += f", beginning with the weights {recipe['start_from']}"
        return ModelCard(
            name=self.config.name,
            network=self.config.network,
            spacing=data.spacing,
            tile=self.config.tile,
            trained_on=trained_on,
            steps=self.position.step,
            recipe=recipe,
            results={"validation": self.scores} if self.scores else {},
        )

    def _keep_going(self, write: Callable[[], None]) -> bool:
        """Write something that a run can go on without; return whether it is written."""
        try:
            write()
        except NapariRdlError as error:
            logger.warning("%s; the checkpoint before is kept and training goes on.", str(error).rstrip("."))
            return False
        return True

    def _over_processes(self, values: Tensor, how: str) -> Tensor:
        """Return the sum or mean of each process's values; all get the same."""
        if self.fabric.world_size == 1:
            return values
        return torch.as_tensor(self.fabric.all_reduce(values, reduce_op=how))

    def _agree(self, stop: bool) -> bool:
        """Return whether any process was told to stop."""
        flag = torch.tensor(float(stop), device=self.fabric.device)
        return float(self._over_processes(flag, "sum")) > 0

    def _scaler(self) -> Any:
        return getattr(self.fabric._precision, "scaler", None)

    def memory_mb(self) -> float:
        """Return the peak memory in MB: of the GPU where there is one, else of this process."""
        if self.fabric.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 1e6
        if sys.platform == "win32":
            import psutil

            return float(psutil.Process().memory_info().peak_wset / 1e6)
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
