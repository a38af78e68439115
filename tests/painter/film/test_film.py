"""Films: strokes that stay the same ones, where they are or where what they show has moved."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from semantic_guidance.core.strokes import POINTS
from semantic_guidance.painter.film import film as film_module
from semantic_guidance.painter.film.flow import find_ways
from semantic_guidance.painter.painter import Painter
from tests.painter.film.scenery import QUICK, SIZE, film, none, strokes, window


def test_the_first_frame_is_the_painting_of_its_picture():
    frame = film().next(window(20, 20), none())
    painting = Painter("planner", QUICK, strokes=40, size=SIZE).paint(window(20, 20), none())
    assert frame.fresh
    assert frame.number == 0
    assert torch.equal(frame.painting.strokes.pack(), painting.strokes.pack())
    assert torch.equal(frame.painting.canvas, painting.canvas)


def test_strokes_move_with_a_picture_that_moves():
    own = film()
    before = strokes(own.next(window(20, 20), none()))
    after = strokes(own.next(window(17, 18), none()))  # what is seen moves by (3, 2)
    moves = np.array([after[n] - before[n] for n in before.keys() & after.keys()])[:, POINTS] * SIZE
    assert np.abs(np.median(moves.reshape(-1, 3, 2), axis=(0, 1)) - [3, 2]).max() < 0.3


def test_a_film_of_one_picture_keeps_all_bits():
    own = film()
    first, *others = (own.next(window(20, 20), none()) for _ in range(3))
    for frame in others:
        assert not frame.fresh
        assert np.array_equal(frame.ids, first.ids)
        assert torch.equal(frame.painting.strokes.pack(), first.painting.strokes.pack())


def test_a_film_goes_on_from_its_state_with_the_same_bits():
    own, other = film(), film()
    for place in (20, 22):
        own.next(window(place, 20), none())
    file = io.BytesIO()
    state = own.state()
    np.savez(file, **{name: each for name, each in state.items() if isinstance(each, np.ndarray)})
    rest = json.dumps({name: each for name, each in state.items() if not isinstance(each, np.ndarray)})
    file.seek(0)
    other.restore({**np.load(file), **json.loads(rest)})
    one, two = own.next(window(23, 21)), other.next(window(23, 21))
    assert one.number == two.number == 2
    assert np.array_equal(one.ids, two.ids)
    assert torch.equal(one.painting.strokes.pack(), two.painting.strokes.pack())
    assert torch.equal(one.painting.canvas, two.painting.canvas)


def test_what_has_changed_at_once_is_painted_on_and_then_rests():
    """A square that leaps under a fixed camera is no cut, and more than one frame's strokes can follow."""
    before, after = (torch.full((3, SIZE, SIZE), 0.8, dtype=torch.float32) for _ in range(2))
    before[:, 24:48, 6:30] = torch.tensor([0.1, 0.2, 0.6], dtype=torch.float32)[:, None, None]
    after[:, 24:48, 42:66] = torch.tensor([0.1, 0.2, 0.6], dtype=torch.float32)[:, None, None]
    own = film()
    own.next(before, none())
    frames = [own.next(after, none()) for _ in range(16)]
    errors = [float(((frame.painting.canvas - after) ** 2).mean()) for frame in frames]
    assert not any(frame.fresh for frame in frames)
    assert errors[8] < 0.7 * errors[0]
    assert torch.equal(frames[-1].painting.strokes.pack(), frames[-2].painting.strokes.pack())


def test_a_frame_of_another_size_is_refused():
    own = film()
    own.next(window(20, 20), none())
    with pytest.raises(ValueError, match="frame 1 is 60 x 72, wanted 72 x 72"):
        own.next(window(20, 20)[:, :, :60])


def test_a_look_ahead_in_another_thread_changes_no_bit(monkeypatch):
    looked = []

    def noted(*frames):
        looked.append(threading.current_thread() is threading.main_thread())
        return find_ways(*frames)

    monkeypatch.setattr(film_module, "find_ways", noted)
    other = window(48, 48).flip(2).flip(0).contiguous()  # after a cut
    pictures = [window(20, 20), window(20, 20).clone(), window(22, 21), other, other * 0.9, window(20, 20)]
    one, two = film(), film()
    for picture, ahead in zip(pictures, [*pictures[1:], None], strict=True):
        plain, early = one.next(picture, none()), two.next(picture, none(), ahead)
        assert plain.fresh == early.fresh
        assert np.array_equal(plain.ids, early.ids)
        assert torch.equal(plain.painting.strokes.pack(), early.painting.strokes.pack())
    assert [frame.number for frame in (plain, early)] == [5, 5]
    assert sorted(looked) == [False] * 5 + [True] * 5


def test_a_look_ahead_at_another_picture_is_forgotten():
    one, two = film(), film()
    for own, ahead in ((one, None), (two, window(40, 40))):
        own.next(window(20, 20), none(), ahead)
    plain, misled = (own.next(window(22, 21), none()) for own in (one, two))
    assert torch.equal(plain.painting.strokes.pack(), misled.painting.strokes.pack())


@pytest.mark.parametrize("why", ["refused", "left"])
def test_a_look_ahead_from_a_frame_that_was_not_painted_is_forgotten(why):
    one, two = film(), film()
    for own in (one, two):
        own.next(window(20, 20), none())
    third, state = window(22, 21), two.state()
    if why == "refused":
        with pytest.raises(ValueError, match="guidance"):
            two.next(window(30, 20), replace(none(), focus=torch.full((SIZE, SIZE), 2.0)), third)
    else:
        two.next(window(30, 20), none(), third)
        two.restore(state)
    plain, misled = (own.next(third, none()) for own in (one, two))
    assert torch.equal(plain.painting.strokes.pack(), misled.painting.strokes.pack())
