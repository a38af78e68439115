"""One process or several: ``torchrun --nproc-per-node 2 -m semantic_guidance train ...``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from semantic_guidance.core.ending import watch_parent
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.forks import threads_here
from semantic_guidance.renderer.backends.base import load_backend


@dataclass(frozen=True)
class Processes:
    """This process among those of the run.

    Attributes:
        rank: number of this one.
        count: number of all.
        device: where this one computes.
    """

    rank: int
    count: int
    device: torch.device

    def wrap_ddp(self, loss: nn.Module) -> nn.Module:
        """`loss` with gradients averaged over the processes."""
        return loss if self.count == 1 else DistributedDataParallel(loss)

    def broadcast_buffers(self, module: nn.Module) -> None:
        """Give all processes the first one's buffers, those of batch norm."""
        if self.count > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, 0)

    def largest(self, *numbers: int) -> tuple[int, ...]:
        """The largest of all processes' numbers, each of which is at least 0."""
        if self.count == 1:
            return numbers
        shared = torch.tensor(numbers, device=self.device, dtype=torch.int64)
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return tuple(shared.tolist())

    def barrier(self) -> None:
        """Wait for the others."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started; without torchrun there is one.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        InputError: there is no such device.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")) if count > 1 else 0)
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    if "TORCHELASTIC_RUN_ID" in os.environ:
        watch_parent()  # torchrun, which may be killed
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), chosen)
    finally:
        dist.destroy_process_group()


def settle_threads(count: int) -> None:
    """Give torch and the compiled renderer `count` threads each.

    On a busy machine small networks wait for each other's threads: with all cores, updates were seen to take
    ten times as long.
    """
    load_backend("auto", torch.device("cpu"), torch.float32).settle(count)
    torch.set_num_threads(threads_here(count))


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The CPU or GPU of that name; ``auto`` and ``cuda`` share the GPUs out among the processes.

    Raises:
        InputError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device: torch.device | None = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise InputError(f"--device: got {name!r}, wanted cpu, cuda, cuda:1, ..., or auto")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"--device: got {name!r}, but torch finds no GPU, wanted cpu or auto")
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", local_rank % torch.cuda.device_count())
    return device
