"""Large tables of bytes, refused in time if the machine cannot hold them."""

from __future__ import annotations

import math
import os

import torch
from torch import Tensor

from semantic_guidance.core.errors import InputError


def byte_table(*shape: int, flags: str) -> Tensor:
    """An uninitialised tensor of bytes; what nobody wrote to yet takes no room.

    Args:
        shape: of the tensor.
        flags: the settings that make it so large, for the complaint.

    Raises:
        InputError: it is larger than the machine's memory.
    """
    bytes_wanted = math.prod(shape)
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    complaint = f"{flags}: this takes {_gigabytes(bytes_wanted)} of memory, wanted less than the machine's "
    complaint += _gigabytes(room)
    if bytes_wanted >= room:
        raise InputError(complaint)
    try:
        return torch.empty(shape, dtype=torch.uint8)
    except RuntimeError:  # a limit below the machine's memory
        raise InputError(complaint) from None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
