"""What networks say of a picture, worked out once for tests of what is then done with it.

Tests of commands show the same few pictures again and again. The first look at one is real; for a later
one at the same bits, in the same way, the answer is there. Tests of guides and of what they see use none
of it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from torch import Tensor

from semantic_guidance.apps.evaluate import measure
from semantic_guidance.guidance.guide import Guide

KEPT = 100  # answers of each function


def bits(value: Any) -> bytes:
    """All that a value says, of which equal values have the same."""
    if isinstance(value, Tensor):
        about = f"{value.dtype} {list(value.shape)} {value.device}".encode()
        return about + hashlib.sha256(value.detach().cpu().contiguous().numpy().tobytes()).digest()
    if is_dataclass(value):
        return repr(type(value)).encode() + bits([getattr(value, field.name) for field in fields(value)])
    if isinstance(value, list | tuple):
        return b"(" + b"".join(bits(each) + b"," for each in value) + b")"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value).encode()
    raise TypeError(f"got {type(value)}, wanted what can be told apart by its content")


def remembered(function: Callable[..., Any], known: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which answers at once what it has answered before.

    Args:
        function: whose answers depend on its arguments alone, and are not changed by whoever gets them.
        known: what stands for its first argument.
    """
    answers: dict[bytes, Any] = {}

    @functools.wraps(function)
    def ask(first: Any, *others: Any, **named: Any) -> Any:
        question = bits([known(first), others, sorted(named.items())])
        if question not in answers:
            if len(answers) >= KEPT:
                del answers[next(iter(answers))]
            answers[question] = function(first, *others, **named)
        return answers[question]

    return ask


def setting(guide: Guide) -> tuple[Any, ...]:
    """What a guide's answers depend on, beside what it is asked."""
    assert (guide._segmenter, guide._classifier, guide._clicks) == (None, None, None)
    return guide._focus, guide._faces


GUIDES = {name: remembered(getattr(Guide, name), setting) for name in ("__call__", "from_mask", "from_box")}
MEASURES = {
    name: remembered(getattr(measure, name), lambda picture: picture)
    for name in ("recognition", "perceptual_distance")
}


def look_once(put: Callable[[Any, str, Any], None]) -> None:
    """Have the guides that ship, and what measures paintings, look once at a picture.

    Args:
        put: sets a thing's attribute of that name, as `setattr` does.
    """
    for name, function in GUIDES.items():
        put(Guide, name, function)
    for name, function in MEASURES.items():
        put(measure, name, function)


@pytest.fixture
def looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a test, they do."""
    look_once(monkeypatch.setattr)
