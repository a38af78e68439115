"""What is done side by side comes in order, is what it would be alone, and ends when nobody wants it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.apps.film import outputs
from semantic_guidance.apps.film.abreast import one_behind, with_next
from semantic_guidance.apps.film.outputs import pixels_of
from semantic_guidance.painting.brushes.brush import Brush


@given(pictures=st.lists(st.one_of(st.none(), st.integers()), max_size=12), most=st.integers(1, 4))
def test_pictures_come_in_order_each_with_the_next_other_one(pictures, most):
    told = list(with_next(iter(pictures), most))
    assert [picture for picture, _ in told] == pictures
    for place, (picture, ahead) in enumerate(told):
        following = [other for other in pictures[place + 1 : place + 1 + most] if other is not None]
        wanted = following[0] if picture is not None and following else None
        assert ahead == wanted or (picture is None and ahead in (None, *following[:1]))


def test_no_more_is_read_ahead_than_is_said():
    read = []

    def source():
        for number in (0, None, None, None, None, 5):
            read.append(number)
            yield number

    told = with_next(source(), 3)
    assert next(told) == (0, None)
    assert len(read) == 4


def test_what_is_made_of_an_item_is_made_while_the_next_one_comes():
    log, came = [], threading.Event()

    def items():
        yield 1
        assert came.wait(10)  # 1 is being made
        yield 2

    def make(item, unwanted):
        came.set()
        log.append(threading.current_thread() is threading.main_thread())
        return 10 * item

    assert list(one_behind(items(), make)) == [(1, 10), (2, 20)]
    assert log == [False, False]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_end_does_not_wait_for_what_nobody_wants(error):
    began, ended = threading.Event(), threading.Event()

    def items():
        yield 1
        assert began.wait(10)
        raise error

    def make(item, unwanted):
        began.set()
        assert unwanted.wait(20)
        ended.set()

    started = time.monotonic()
    with pytest.raises(error):
        list(one_behind(items(), make))
    assert ended.is_set()
    assert time.monotonic() - started < 15


def test_what_making_raises_is_raised():
    def make(item, unwanted):
        raise ValueError(f"not {item}")

    with pytest.raises(ValueError, match="not 1"):
        list(one_behind([1, 2], make))


@pytest.mark.parametrize("style", ["flat", "oil"])
def test_a_frame_that_is_drawn_in_pieces_is_the_same(painting, style, monkeypatch):
    drawing = replace(painting, brush=Brush(style)).drawing
    whole = pixels_of(drawing, 96)
    monkeypatch.setattr(outputs, "PIECE", 5 * 96 * 64)
    assert np.array_equal(pixels_of(drawing, 96), whole)
    unwanted = threading.Event()
    unwanted.set()
    with pytest.raises(CancelledError):
        pixels_of(drawing, 96, unwanted)
