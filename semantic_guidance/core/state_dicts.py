"""The network that is wanted among what a checkpoint holds: by the names of its parameters.

People write a network alone, or in a dict with others and with numbers of the training, or in one of another
dict, and wrap it for several devices or for the compiler, which puts words before its parameters' names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

WRAPPERS = frozenset({"module", "_orig_mod"})
"""Parts of names that data parallelism and `torch.compile` add."""

FOLLOWERS = ("target", "slow", "ema", "old", "best")
"""Words in the names of networks that only follow the one that learned."""

MARKS = {
    "an actor": ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "fc.bias"),
    "the critic": ("conv1.weight_v", "layer1.0.conv1.weight_v", "fc.bias"),
    "a discriminator": ("conv0.weight_v", "conv4.weight_v"),
    "the renderer": ("fc1.weight", "fc4.weight", "conv1.weight", "conv6.weight"),
}
"""Names by which the networks of the papers' code are known."""

DEEPEST = 4
"""Dicts in each other that are looked into."""

LONGEST_NAME = 256
"""Letters of a key; those of a file are few, but many names may have the same one in them."""

Marks = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """A network's tensors.

    Attributes:
        state: by their names, without what was before them.
        place: what was before them.
        parallel: whether the names tell that it learned on several devices, as in the papers' code.
    """

    state: dict[str, Tensor]
    place: str
    parallel: bool


def find_state(content: Any, marks: Marks) -> Found | None:
    """The network with parameters of the given names, or None if there is none.

    Args:
        content: of a checkpoint: tensors by name, perhaps in dicts in dicts.
        marks: names that all such networks have.

    Raises:
        ValueError: there are several, and no name tells which is meant.
    """
    tensors, parallel = _flat(content)
    places = sorted({name[: -len(marks[0])] for name in tensors if _ends(name, marks[0])})
    fitting = [place for place in places if all(place + mark in tensors for mark in marks)]
    if "" in fitting:
        fitting = [""]
    leaders = [place for place in fitting if not any(word in place.lower() for word in FOLLOWERS)] or fitting
    actors = [place for place in leaders if "actor" in place.lower()]
    chosen = actors or leaders
    if not chosen:
        return None
    if len(chosen) > 1:
        several = ", ".join(repr(place.rstrip(".")[:40]) for place in chosen[:4])
        raise ValueError(f"holds several such networks ({several})")
    place = chosen[0]
    state = {name[len(place) :]: values for name, values in tensors.items() if name.startswith(place)}
    return Found(state, place, parallel)


def network_kind(content: Any) -> str | None:
    """Which network of the papers' code a checkpoint holds, or None."""
    for kind, marks in MARKS.items():
        try:
            if find_state(content, marks) is not None:
                return kind
        except ValueError:
            return kind
    return None


def unwrapped(name: str) -> str:
    """A parameter's name without `WRAPPERS`.

    >>> unwrapped("module._orig_mod.layer1.0.conv1.weight")
    'layer1.0.conv1.weight'
    """
    return ".".join(word for word in name.split(".") if word not in WRAPPERS)


def _ends(name: str, mark: str) -> bool:
    return name == mark or name.endswith(f".{mark}")


def _flat(content: Any) -> tuple[dict[str, Tensor], bool]:
    """All tensors by their names without `WRAPPERS`, and whether there was ``module``."""
    tensors: dict[str, Tensor] = {}
    parallel = False
    for parts, values in _tensors(content, (), set()):
        name = ".".join(parts)
        parallel |= "module" in name.split(".")
        tensors.setdefault(unwrapped(name), values)
    return tensors, parallel


def _tensors(
    content: Any, parts: tuple[str, ...], seen: set[int]
) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Tensors with the keys that lead to them; what stands in several places is looked at once."""
    if isinstance(content, Tensor):
        yield parts, content
    elif isinstance(content, dict) and len(parts) < DEEPEST and id(content) not in seen:
        seen.add(id(content))
        for key, value in content.items():
            if isinstance(key, str) and len(key) <= LONGEST_NAME:
                yield from _tensors(value, (*parts, key), seen)
