"""Several processes that share a cohort, as torchrun or SLURM starts them."""

from __future__ import annotations

import os
from datetime import timedelta


def processes() -> tuple[int, int]:
    """Return this process's number and how many there are, as torchrun or SLURM says."""
    for rank, size in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        if rank in os.environ and size in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def wait_for_all(count: int) -> None:
    """Wait until every process has done its share."""
    if count == 1 or "MASTER_ADDR" not in os.environ:
        return
    import torch.distributed as dist

    # A patient takes minutes on a CPU, so the usual half hour may not do.
    dist.init_process_group("gloo", timeout=timedelta(days=7))
    dist.barrier()
    dist.destroy_process_group()
