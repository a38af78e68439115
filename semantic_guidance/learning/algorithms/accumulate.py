"""Gradients of a batch too large for the memory: those of its parts, summed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def backward(loss: nn.Module, parts: Iterable[Sequence[Tensor]], total: int) -> Tensor:
    """Add the gradients of a loss that is a mean over a batch; returns its value.

    Where the loss of one sample depends on others in its part, as with batch norm, the sum is not that of the
    whole batch. Several processes exchange gradients once, after the last part.

    Args:
        loss: a module that gives the mean loss of a part.
        parts: the arguments of `loss` for each part, made one after the other; the first axis counts samples.
        total: samples of the batch.

    Raises:
        ValueError: the parts have not `total` samples.
    """
    done = 0
    value: Tensor | None = None
    for part in parts:
        done += len(part[0])
        with _alone(loss) if done < total else nullcontext():
            share = loss(*part) * (len(part[0]) / total)
            share.backward()
        value = share.detach() if value is None else value + share.detach()
    if value is None or done != total:
        raise ValueError(f"parts have {done} samples, wanted {total}")
    return value


def _alone(loss: nn.Module) -> AbstractContextManager[None]:
    """Within it, gradients stay in this process."""
    return loss.no_sync() if isinstance(loss, DistributedDataParallel) else nullcontext()
