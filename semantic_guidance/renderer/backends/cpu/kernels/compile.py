"""How the kernels' parts are compiled by Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core.compiler import CompilerBase, DefaultPassBuilder

Function = TypeVar("Function", bound=Callable[..., Any])


class _NoAlias(CompilerBase):
    """Numba's compiler, told that arrays do not overlap: inner loops then vectorise without a check."""

    def define_pipelines(self) -> list[Any]:
        """The usual passes."""
        self.state.flags.noalias = True
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


# Fast-math stays off: it bought nothing measurable, and rounding would depend on the machine.
OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "boundscheck": False,
    "pipeline_class": _NoAlias,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}


def part(function: Function) -> Function:
    """A function that kernels call. It may neither allocate nor fail."""
    return cast(Function, numba.njit(**OPTIONS)(function))


def hot(function: Function) -> Function:
    """The same, put into its callers."""
    return cast(Function, numba.njit(forceinline=True, **OPTIONS)(function))
