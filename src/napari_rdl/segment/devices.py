"""Which device computes, and in which precision."""

from __future__ import annotations

import torch

from napari_rdl.errors import DeviceError

_PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def available_devices() -> list[str]:
    """Return the devices of this machine by name, fastest first; ``cpu`` is always the last."""
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def resolve_device(name: str) -> torch.device:
    """Return the device that `name` means; ``auto`` is the first of `available_devices`.

    Raises
    ------
    DeviceError
        If the name is not a device, or the device is not there.
    """
    there = available_devices()
    if name == "auto":
        return torch.device(there[0])
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"{name!r} is no device: use auto, {', '.join(there)}.") from error
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", 0)
    if str(device) not in there:
        raise DeviceError(f"The device {name!r} is not on this machine: use auto, {', '.join(there)}.")
    return device


def resolve_precision(name: str, device: torch.device) -> str:
    """Return ``float32``, ``bf16`` or ``fp16``.

    ``auto`` means reduced precision only where the hardware multiplies it natively: bf16 emulated
    on a CPU is slower than float32.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "mps":
        return "fp16"
    capable = torch.cpu.get_capabilities()
    return "bf16" if capable.get("avx512_bf16") or capable.get("amx_bf16") else "float32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which the network computes with `precision` on `device`."""
    dtype = _PRECISIONS[precision]
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)
