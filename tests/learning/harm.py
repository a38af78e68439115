"""Checkpoints of runs, harmed: one value of what they hold is another."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

VALUES: tuple[Any, ...] = (None, -1, 0, 2**40, 1e300, math.nan, math.inf, "text", [], {}, [1], {"a": 1}, True)


def harmed(content: Any, rng: random.Random) -> Any:
    """A copy of dicts, lists and tensors in which one is another, or missing."""
    place = rng.choice([place for place in _places(content) if place])
    return _changed(content, place, rng)


def _places(content: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _places(value, (*place, key))
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from _places(value, (*place, index))


def _changed(content: Any, place: tuple[Any, ...], rng: random.Random) -> Any:
    if not place:
        return _tensor(content, rng) if isinstance(content, Tensor) else rng.choice(VALUES)
    if isinstance(content, dict):
        changed = dict(content)
        if len(place) == 1 and rng.random() < 0.2:
            del changed[place[0]]
        else:
            changed[place[0]] = _changed(content[place[0]], place[1:], rng)
        return changed
    items = list(content)
    items[place[0]] = _changed(items[place[0]], place[1:], rng)
    return type(content)(items)


def _tensor(values: Tensor, rng: random.Random) -> Any:
    float_values = values.double() if values.is_floating_point() else values
    match rng.randrange(8):
        case 0:
            return values.new_zeros(*values.shape, 2)
        case 1:
            return values.flatten()[:1].clone()
        case 2:
            return values.new_zeros(0)
        case 3:
            return torch.full_like(float_values, 1e300 if values.is_floating_point() else 100)
        case 4 if values.is_floating_point():
            return torch.full_like(values, math.nan)
        case 5:
            return torch.full_like(values, -1) if values.dtype != torch.bool else values
        case 6:
            return values.to(torch.int16 if values.is_floating_point() else torch.float16)
        case _:
            return rng.choice(VALUES)
