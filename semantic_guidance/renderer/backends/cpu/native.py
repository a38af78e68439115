"""The kernels as machine code, from the module that ships, by llvmlite alone.

`MODULE` holds what Numba and LLVM have made of `kernels/`, optimised but not yet for any one processor. LLVM
turns it into this machine's code within a second; that code is kept in a folder for caches, if one can be
written, so that this happens once. No loop in it may round differently on another machine.

Where llvmlite cannot use the module, Numba compiles the same kernels if it is installed (a quarter of a
minute); else there are none, and `backends.reference` renders.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from semantic_guidance.core.memory import out_of_memory
from semantic_guidance.renderer.backends.cpu.code_cache import Kept, cache_folder

MODULE = Path(__file__).with_name("kernels.ll.z")
ENTRY = "semantic_guidance"

Entry = Callable[[Any, Any, int, int], int]
"""``status = entry(address of the result, address for errors, kernel, address of its table)``."""

_Prototype = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)  # releases the interpreter's lock while it runs

LOG = logging.getLogger("semantic_guidance")  # not `warnings`, which some programs turn into errors

_lock = threading.Lock()
_loaded: list[tuple[Entry | None, Any]] = []  # the entry and what keeps its memory alive


def entry() -> Entry | None:
    """The function through which all kernels are called, or None where there is none; loaded once."""
    if not _loaded:
        with _lock:
            if not _loaded:
                _loaded.append(_load())
    return _loaded[0][0]


def _load() -> tuple[Entry | None, Any]:
    try:
        return _shipped()
    except Exception as error:  # llvmlite is missing or too old, or this kind of machine is unknown to it
        if out_of_memory(error) is not None:  # without kernels the rest would take hours
            raise
        reason = " ".join(str(error).split())[:200]
    found: tuple[Entry | None, Any]
    try:
        found = _compiled()
    except Exception:  # Numba is not installed, or of another version than the one this was written for
        found, then = (None, None), "nor is there Numba: rendering will be slow"
    else:
        then = "Numba has compiled them"
    LOG.warning("the kernels that ship cannot be used (%s): %s", reason, then)
    return found


def _shipped() -> tuple[Entry, Any]:
    """What ships, as machine code."""
    import llvmlite
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.get_process_triple()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    module = MODULE.read_bytes()
    about = f"{llvmlite.__version__} {triple} {cpu} {features}"
    folder = cache_folder()
    name = f"{hashlib.sha256(module + about.encode()).hexdigest()[:32]}.o"
    kept = Kept(folder and folder / name)
    code = kept.read()
    if code is None:
        code = emitted(module, triple, cpu, features)
        kept.keep(code)
    if kept.hint:
        LOG.warning("%s", kept.hint)
    return linked(code)


def emitted(module: bytes, triple: str, cpu: str, features: str) -> bytes:
    """Machine code of a module such as `MODULE` for a processor, in LLVM's words."""
    import llvmlite.binding as llvm

    machine = llvm.Target.from_triple(triple).create_target_machine(cpu, features, opt=3, jit=True)
    parsed = llvm.parse_assembly(zlib.decompress(module).decode("ascii"))
    parsed.triple, parsed.data_layout = triple, str(machine.target_data)
    parsed.verify()
    code: bytes = machine.emit_object(parsed)
    return code


def linked(code: bytes) -> tuple[Entry, Any]:
    """The entry of machine code for this machine, and what keeps it in memory."""
    import llvmlite.binding as llvm

    _provide_maths(llvm)
    triple = llvm.get_process_triple()
    machine = llvm.Target.from_triple(triple).create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(f'target triple = "{triple}"'), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(ENTRY)
    if not address:
        raise RuntimeError(f"no function {ENTRY} in it")
    return _Prototype(address), engine


def _provide_maths(llvm: Any) -> None:
    """Let the code find what it calls of the C library: textured brushes take powers, sines and the like."""
    library = ctypes.CDLL("ucrtbase") if sys.platform == "win32" else ctypes.CDLL(None)
    for name in ("expf", "powf", "sinf", "cosf"):
        if not llvm.address_of_symbol(name):
            llvm.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)


def _compiled() -> tuple[Entry, Any]:
    """The same by Numba."""
    from semantic_guidance.renderer.backends.cpu.kernels.machine_code import compiled

    library, name = compiled()
    return _Prototype(library.get_pointer_to_function(name)), library


def _forget_lock() -> None:
    """In a forked process, a thread that held the lock is not there."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)
