"""Things that hold tensors are equal to themselves alone: comparing tensors gives no yes or no."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import semantic_guidance
from semantic_guidance import Guidance, Job, Painting, Strokes
from semantic_guidance.core.guidance import Instance
from semantic_guidance.painter.styles import Style

OPTIONAL = (
    "semantic_guidance.learning.gym",
    "semantic_guidance.agents.window.hub",
)  # import what extras bring


def dataclasses_of_the_package() -> list[type]:
    found = {}
    for info in pkgutil.walk_packages(semantic_guidance.__path__, "semantic_guidance."):
        if info.name in (*OPTIONAL, "semantic_guidance.__main__"):
            continue
        for thing in vars(importlib.import_module(info.name)).values():
            if inspect.isclass(thing) and dataclasses.is_dataclass(thing) and thing.__module__ == info.name:
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return list(found.values())


def holds_tensors(annotation: Any) -> bool:
    """Whether such a value is a tensor or an array, or a container of some."""
    kind = typing.get_origin(annotation) or annotation
    if kind is Callable:
        return False
    if kind in (torch.Tensor, np.ndarray):
        return True
    return any(holds_tensors(inner) for inner in typing.get_args(annotation))


@pytest.mark.parametrize("kind", dataclasses_of_the_package(), ids=lambda kind: kind.__qualname__)
def test_what_holds_tensors_has_no_equality_of_fields(kind):
    if kind.__dataclass_params__.eq:
        types = {"Painting": Painting, "Style": Style, "Job": Job}  # imported for types alone
        hints = typing.get_type_hints(kind, localns=types)
        assert not [field.name for field in dataclasses.fields(kind) if holds_tensors(hints[field.name])]


def test_comparing_and_hashing_works():
    mask = torch.ones(1, 2, 2)
    for make in (
        lambda: Strokes.unpack(torch.ones(1, 2, 13)),
        lambda: Guidance.from_mask(mask),
        lambda: Instance(mask, (0, 0, 2, 2)),
    ):
        one, other = make(), make()
        assert one == one
        assert one != other
        assert len({one, other, one}) == 2
