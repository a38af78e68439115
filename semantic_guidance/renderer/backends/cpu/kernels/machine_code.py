"""The kernels by Numba: as functions of this process, or as the module that ships.

Needs Numba, which is not needed to run what ships.
"""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from semantic_guidance.renderer.backends.cpu.kernels.compile import OPTIONS
from semantic_guidance.renderer.backends.cpu.kernels.entries import ENTRIES
from semantic_guidance.renderer.backends.cpu.layout import KERNELS, SCRATCH, SLOTS

SIGNATURE = "int64(int64, int64)"


@intrinsic
def _array(context: Any, kind: Any, address: Any, length: Any) -> Any:
    """The flat array of that type at an address; `numba.carray` would count references to it."""
    array = types.Array(kind.dtype, 1, "C")

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        made = context.make_array(array)(context, builder)
        _, start, count = values
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        populate_array(
            made,
            data=builder.inttoptr(start, made.data.type),
            shape=[count],
            strides=[size],
            itemsize=size,
            meminfo=None,
        )
        return made._getvalue()

    return array(kind, types.int64, types.int64), build


@intrinsic
def _real(context: Any, bits: Any) -> Any:
    """The real number with these bits."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.DoubleType())

    return types.float64(types.int64), build


def _source() -> str:
    """Of the one function that ships: it calls a kernel, by its place in `KERNELS`, with its table."""
    entries: dict[str, Any] = dict(ENTRIES)
    lines = ["def run(kernel, address):", f"    table = array(int64, address, {SLOTS})"]
    for number, (name, kernel) in enumerate(KERNELS.items()):
        where: dict[str, str] = {}
        slot = 0
        kind: type
        for array, kind in SCRATCH.items():
            where[array] = f"array({kind.__name__}, table[{slot}], table[{slot + 1}])"
            slot += 2
        for whole in kernel.whole:
            where[whole] = f"table[{slot}]"
            slot += 1
        for real in kernel.real:
            where[real] = f"real(table[{slot}])"
            slot += 1
        for array, kind in kernel.arrays.items():
            where[array] = f"array({kind.__name__}, table[{slot}], table[{slot + 1}])"
            slot += 2
        wanted = inspect.signature(entries[name].py_func).parameters
        lines.append(f"    if kernel == {number}:")
        lines.append(f"        return {name}({', '.join(where[parameter] for parameter in wanted)})")
    return "\n".join([*lines, "    return -1\n"])


def compiled() -> tuple[Any, str]:
    """Numba's library with all kernels, and the name of the function in it."""
    scope: dict[str, Any] = {"array": _array, "real": _real, **ENTRIES}
    scope |= {kind.__name__: kind for kind in {*SCRATCH.values(), np.float64}}
    exec(compile(_source(), "<kernels>", "exec"), scope)
    run = numba.njit(SIGNATURE, **OPTIONS)(scope["run"])
    result: Any
    (result,) = run.overloads.values()
    return result.library, result.fndesc.llvm_func_name


def sources() -> str:
    """SHA-256 of all that the kernels are made of."""
    folder = Path(__file__).parent
    files = [*sorted(folder.glob("*.py")), folder.parent / "layout.py", folder.parents[2] / "definition.py"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
