"""What the machine's memory cannot hold, refused in one line: in time where the size is known."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from semantic_guidance.core.errors import RoomError
from semantic_guidance.core.memory import free_memory, lacking, out_of_memory

START = 530_000_000
"""Bytes of the program that trains, before its first picture; measured."""


def byte_table(*shape: int, flags: str) -> Tensor:
    """An uninitialised tensor of bytes; what nobody wrote to yet takes no room.

    Args:
        shape: of the tensor.
        flags: the settings that make it so large, for the complaint.

    Raises:
        RoomError: it is larger than the machine's memory.
    """
    bytes_wanted = math.prod(shape)
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    complaint = f"{flags}: this takes {_gigabytes(bytes_wanted)} of memory, wanted less than the machine's "
    free = free_memory()
    if bytes_wanted >= room:
        raise RoomError(complaint + _gigabytes(room))
    if free is not None and bytes_wanted >= free:
        raise RoomError(f"{complaint}{_gigabytes(free)} that are free")
    try:
        return torch.empty(shape, dtype=torch.uint8)
    except RuntimeError:  # a limit below the machine's memory
        raise RoomError(complaint + _gigabytes(room)) from None


def check_room(start: int, parts: Mapping[str, int], flags: str) -> None:
    """Check that all that a run keeps fits into the memory that is free.

    Args:
        start: bytes of the program itself.
        parts: bytes by what they are for.
        flags: the settings that make it so large, for the complaint.

    Raises:
        RoomError: it does not.
    """
    needed = start + sum(parts.values())
    free = lacking(needed)
    if free is not None:
        most = ", ".join(f"{name} {_gigabytes(count)}" for name, count in parts.items())
        raise RoomError(
            f"{flags}: training takes about {_gigabytes(needed)} of memory ({most}), wanted less than the"
            f" {_gigabytes(free)} that are free: smaller ones"
        )


@contextmanager
def fitting(flags: str) -> Iterator[None]:
    """Within the block, a lack of memory is bad input.

    Args:
        flags: the settings that take so much of it, for the complaint.

    Raises:
        RoomError: memory was short.
    """
    try:
        yield
    except Exception as error:
        reason = out_of_memory(error)
        if reason is None:
            raise
        raise RoomError(f"{flags}: wanted smaller ones ({reason})") from None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
