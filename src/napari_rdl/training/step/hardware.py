"""Where a run computes: Lightning Fabric from the configuration."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Literal

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from lightning.fabric.strategies import DDPStrategy

from napari_rdl.errors import DeviceError, Remedy
from napari_rdl.segment.devices import resolve_precision
from napari_rdl.training.config import TrainingConfig

_MIXED: dict[str, Literal["bf16-mixed", "16-mixed"]] = {"bf16": "bf16-mixed", "fp16": "16-mixed"}


def resolve_hardware(config: TrainingConfig) -> TrainingConfig:
    """Return the configuration with device, precision and threads as they will be, checked.

    Raises
    ------
    DeviceError
        If a device asked for is not there.
    """
    hardware = config.hardware
    device = hardware.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if found < hardware.devices:
            raise DeviceError(
                f"hardware.device is cuda and {hardware.devices} GPU(s) were asked for; {found} are there",
                Remedy.FEWER_DEVICES,
            )
    if device == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("hardware.device is mps, which this machine does not have", Remedy.USE_CPU)
    precision = hardware.precision
    if precision == "auto":
        precision = _MIXED.get(resolve_precision("auto", torch.device(device)), "32-true")
        if precision == "16-mixed" and (device == "mps" or config.method.name == "gmd"):
            # Where gradients cannot be scaled.
            precision = "32-true"
    if precision == "16-mixed" and device == "cpu":
        raise DeviceError("hardware.precision 16-mixed needs a GPU: use bf16-mixed or 32-true on the CPU.")
    threads = hardware.threads or max(
        torch.get_num_threads() // (hardware.devices if device == "cpu" else 1), 1
    )
    resolved = hardware.model_copy(update={"device": device, "precision": precision, "threads": threads})
    return config.model_copy(update={"hardware": resolved})


def make_fabric(config: TrainingConfig, *, some_missing: bool) -> Fabric:
    """Return the launched Fabric of a run.

    Parameters
    ----------
    some_missing : bool
        Whether a patient lacks a modality, so that a batch may leave its encoder unused.
    """
    hardware = config.hardware
    assert hardware.threads is not None
    assert hardware.precision != "auto"
    torch.set_num_threads(hardware.threads)
    several = config.processes > 1
    # Patients with one modality leave the parameters of L_MI unused too.
    strategy = DDPStrategy(find_unused_parameters=some_missing) if several else "auto"
    fabric = Fabric(
        accelerator=hardware.device,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        precision=hardware.precision,
        strategy=strategy,
    )
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if "TORCHELASTIC_RUN_ID" in os.environ and started != config.processes:
        raise DeviceError(
            f"torchrun started {started} processes but the configuration has {config.processes}: "
            "set hardware.devices and hardware.nodes."
        )
    fabric.launch()
    if hardware.device == "cuda":
        # Every crop has the same size, so the search for the fastest convolutions pays at once.
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    if several:
        # A process that ends with the group's threads still at work is aborted now and then.
        atexit.register(_leave_group)
    return fabric


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak memory in MB: of the GPU where there is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset / 1e6)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _leave_group() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
