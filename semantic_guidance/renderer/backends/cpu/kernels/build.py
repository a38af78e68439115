"""Make the module that ships, of the kernels as they are now: ``python -m`` and this module's name.

Takes a quarter of a minute. Commit the two files that it writes along with the sources.
"""

from __future__ import annotations

import os
import re
import zlib

# Before Numba reads them: vectors of 256 bits, since a row of a stroke has about 38 pixels. A processor that
# has only narrower ones gets two instructions for one.
os.environ["NUMBA_CPU_NAME"], os.environ["NUMBA_CPU_FEATURES"] = "x86-64-v3", "+prefer-256-bit"

import llvmlite.binding as llvm  # noqa: E402

from semantic_guidance.core.files import replacing  # noqa: E402
from semantic_guidance.renderer.backends.cpu.kernels.machine_code import compiled, sources  # noqa: E402
from semantic_guidance.renderer.backends.cpu.native import ENTRY, MODULE  # noqa: E402

STAMP = MODULE.with_name("kernels.sha256")
MATHS = {"llvm.exp.f32", "llvm.pow.f32", "llvm.sin.f32", "llvm.cos.f32"}
ONE_MACHINE = r"^target (datalayout|triple) = .*\n"
"""Lines of a module that say for which machine it is."""


def module() -> str:
    """The kernels as LLVM's assembly, with one function that can be seen from outside."""
    library, name = compiled()
    made = llvm.parse_assembly(library.get_llvm_str())
    for function in made.functions:
        if not function.is_declaration:
            function.linkage = "internal"
            function.name = _short(function.name)
    entry = made.get_function(_short(name))
    entry.name, entry.linkage = ENTRY, "external"
    for variable in made.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    machine = llvm.Target.from_triple(made.triple).create_target_machine(opt=3)
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(made, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1)))
    text = re.sub(ONE_MACHINE, "", str(made), flags=re.MULTILINE)
    llvm.parse_assembly(text).verify()
    _check(text)
    return text


def _short(name: str) -> str:
    """``strokes.forward`` of a name that says the types of all arguments."""
    parts, rest = [], name.removeprefix("_ZN")
    while found := re.match(r"(\d+)", rest):
        length = int(found[1])
        rest = rest[found.end() :]
        parts.append(rest[:length])
        rest = rest[length:]
    return ".".join(parts[-2:]) or name


def _check(text: str) -> None:
    """Check that the module needs nothing but what every machine has.

    Raises:
        RuntimeError: it calls something else.
    """
    for declared in re.findall(r"^declare .*@\"?([\w.]+)\"?\(", text, re.MULTILINE):
        plain = re.fullmatch(r"llvm\.(?!x86|aarch64|arm)[\w.]+", declared)
        if not plain and declared not in MATHS:
            raise RuntimeError(f"the kernels call {declared}, wanted only what any machine has")


def main() -> None:
    """Write the module and its stamp."""
    packed = zlib.compress(module().encode("ascii"), 9)
    for path, data in ((MODULE, packed), (STAMP, f"{sources()}\n".encode("ascii"))):
        with replacing(path) as draft:
            draft.write_bytes(data)
        print(f"{path.name}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
