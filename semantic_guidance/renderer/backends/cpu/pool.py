"""Threads, scratch memory and tapes for the kernels, and how kernels are called.

Kernels release the interpreter's lock, so plain threads run them. The calling thread works, too. Waiting
threads sleep: on a busy machine a spinning thread keeps its core from the very thread it waits for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.config import MAX_THREADS
from semantic_guidance.renderer.backends.cpu.layout import (
    BLOCK,
    FIELDS,
    HEADS,
    KERNELS,
    ROWS,
    SCRATCH,
    SLOTS,
    SPAN_FIELDS,
    STRIDE,
    TAPE,
)
from semantic_guidance.renderer.backends.cpu.native import entry

Floats = NDArray[np.float32]
Array = NDArray[Any]

ALIGNED, PAGE = 16, 1024
"""Floats of a vector of the widest machines, and of a page of memory."""

SMALL, LARGE = 1 << 16, 1 << 20
"""Floats of a tape's first chunk, and of those that follow."""

KEPT = 512 << 20
"""Bytes of chunks that are kept for later tapes: fresh memory takes as long as filling it."""

NUMBER = {name: number for number, name in enumerate(KERNELS)}
TAPE_AT, HEAD_AT = 2 * (len(SCRATCH) - len(TAPE)), 2 * len(SCRATCH)  # in a kernel's table
_BITS_OF, _WHOLE = struct.Struct("d").pack, struct.Struct("q").unpack


class Memory(NamedTuple):
    """Where an array's numbers are, one after the other.

    Attributes:
        address: of the first.
        size: how many.
        kind: of number, a type of Numpy's.
        owner: keeps them alive.
    """

    address: int
    size: int
    kind: type
    owner: object


def memory(array: Array) -> Memory:
    """Where a Numpy array's numbers are.

    Raises:
        TypeError: they are not one after the other.
    """
    if not array.flags.c_contiguous:
        raise TypeError("an array has gaps between its numbers, wanted a contiguous one")
    return Memory(array.__array_interface__["data"][0], array.size, array.dtype.type, array)


NOTHING = memory(np.zeros(0, np.float32))


def _block(arrays: Iterable[Array]) -> list[int]:
    """Addresses and lengths."""
    return [number for array in arrays for number in memory(array)[:2]]


class Chunk:
    """A piece of a tape, see `kernels.strokes`: room for `size` floats and what goes with them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.arrays: dict[str, Array] = {
            "tape": np.empty(size, np.float32),
            "steps": np.empty(size // 3 + 1, np.uint8),
            "heads": np.empty(size // 8 + 64 * HEADS, np.int32),
        }
        self.bytes = sum(array.nbytes for array in self.arrays.values())
        self.block = _block(self.arrays.values())


class Chunks:
    """Chunks that are not in use."""

    def __init__(self) -> None:
        self._given: deque[Chunk] = deque()
        self._free: list[Chunk] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> Chunk:
        """One of at least `size` floats."""
        with self._lock:
            while self._given:
                self._free.append(self._given.popleft())
            self._free.sort(key=lambda chunk: chunk.size)
            while sum(chunk.bytes for chunk in self._free) > KEPT:
                self._free.pop()
            for n, chunk in enumerate(self._free):
                if chunk.size >= size:
                    return self._free.pop(n)
        return Chunk(size)

    def give(self, chunks: Iterable[Chunk]) -> None:
        """Keep chunks for later. Needs no lock: the collector may call it at any time, in `take` as well."""
        self._given.extend(chunks)

    def renew_lock(self) -> None:
        """In a forked process, a thread that held the lock is not there."""
        self._lock = threading.Lock()


class Scratch:
    """Memory of one thread for canvases of up to `wide` columns."""

    def __init__(self, wide: int) -> None:
        self.wide = wide
        self.arrays: dict[str, Array] = {
            "seg": np.zeros(FIELDS * STRIDE, np.float32),
            "spans": np.zeros(SPAN_FIELDS * STRIDE, np.int32),
            "found": np.zeros(4, np.int64),
            "state": np.zeros(4, np.int64),
            "slopes": np.zeros(3 * STRIDE, np.float32),
            **_spread(ROWS, padded(wide) + 4 * BLOCK),
            "work": np.zeros(0, np.float32),
            "pulls": np.zeros(0, np.float32),
        }
        self.chunk = Chunk(0)
        self.table: Any = (ctypes.c_int64 * SLOTS)()
        self.result, self.error = ctypes.c_int64(), ctypes.c_void_p()
        self.addresses = tuple(map(ctypes.addressof, (self.result, self.error, self.table)))
        self._locate()

    def _locate(self) -> None:
        self.table[:TAPE_AT] = _block(self.arrays.values())

    def room(self, work: int, pulls: int = 0, tape: int = 0) -> Scratch:
        """Itself, with at least so many floats of each kind."""
        if len(self.arrays["work"]) < work or len(self.arrays["pulls"]) < pulls:
            for name, size in (("work", work), ("pulls", pulls)):
                if len(self.arrays[name]) < size:
                    self.arrays[name] = np.zeros(size, np.float32)
            self._locate()
        if self.chunk.size < tape:
            self.chunk = Chunk(tape)
        return self

    def call(self, kernel: str, head: list[int], chunk: Chunk | None = None) -> int:
        """Run a kernel on this scratch, with the arguments that `arguments` has made, and a tape's chunk."""
        run = entry()
        assert run is not None  # a backend without kernels supports nothing
        self.table[TAPE_AT:HEAD_AT] = (self.chunk if chunk is None else chunk).block
        self.table[HEAD_AT : HEAD_AT + len(head)] = head
        result, error, table = self.addresses
        status = run(result, error, NUMBER[kernel], table)
        if status:
            raise RuntimeError(f"the kernel {kernel} has failed with status {status}")
        return self.result.value


def arguments(kernel: str, **values: int | float | Memory) -> list[int]:
    """What `Scratch.call` puts into a kernel's table. The arrays must outlive the call.

    Raises:
        TypeError: an array is of another type than the kernel wants.
    """
    about, given = KERNELS[kernel], cast(dict[str, Any], values)
    head = [int(given[name]) for name in about.whole]
    head += [_WHOLE(_BITS_OF(given[name]))[0] for name in about.real]
    for name, kind in about.arrays.items():
        address, size, own, _ = given[name]
        if own is not kind:
            raise TypeError(f"{kernel}: {name} is {own.__name__}, wanted {kind.__name__}")
        head += (address, size)
    return head


def padded(wide: int) -> int:
    """Columns of a row in whole vectors."""
    return -(-wide // ALIGNED) * ALIGNED


def _spread(names: Iterable[str], length: int) -> dict[str, Floats]:
    """Aligned buffers at different places within a page, so that loops that walk several do not collide."""
    names = list(names)
    apart = -(-length // PAGE) * PAGE + 160
    whole = np.zeros(len(names) * apart + PAGE, np.float32)
    start = (-(whole.ctypes.data // 4)) % ALIGNED
    return {name: whole[start + n * apart : start + n * apart + length] for n, name in enumerate(names)}


class Pool:
    """The threads of this process, and each one's scratch.

    Attributes:
        most: threads that there are.
        usual: threads that may be used by those that have not said otherwise.
    """

    def __init__(self) -> None:
        self.most = min(MAX_THREADS, _cores())
        self.usual = self.most
        self._own = threading.local()

    @property
    def count(self) -> int:
        """Threads that the calling thread may use."""
        return getattr(self._own, "count", self.usual)

    @count.setter
    def count(self, count: int) -> None:
        self._own.count = count

    @cached_property
    def _helpers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max(1, self.most - 1), "semantic-guidance")

    def scratch(self, wide: int) -> Scratch:
        """This thread's scratch."""
        known: Scratch | None = getattr(self._own, "scratch", None)
        if known is None or wide > known.wide:
            known = self._own.scratch = Scratch(wide)
        return known

    def run(self, task: Callable[[int, int], None], pieces: int, large: bool = True) -> None:
        """Run `task(first, step)` so that all pieces are done: on several threads if the work is large."""
        step = min(self.count, pieces) if large else 1
        others: list[Future[None]] = []
        # Where the interpreter is about to end, no thread is started any more.
        with contextlib.suppress(RuntimeError):
            others.extend(self._helpers.submit(task, first, step) for first in range(1, step))
        try:
            for first in (0, *range(len(others) + 1, step)):
                task(first, step)
        finally:
            wait(others)
        for other in others:
            other.result()

    def forget_threads(self) -> None:
        """In a forked process there is no thread but the one that forked."""
        self.__dict__.pop("_helpers", None)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


POOL = Pool()
CHUNKS = Chunks()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget_threads)
    os.register_at_fork(after_in_child=CHUNKS.renew_lock)
