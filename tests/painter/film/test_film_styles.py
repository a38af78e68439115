"""Films in every style: strokes stay what the style makes, frame after frame."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.packed import COLOR, END, OPACITY, POINTS, RADIUS, START
from semantic_guidance.painter.film.film import Film
from semantic_guidance.painter.film.frame import FilmFrame
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.presets import Preset
from semantic_guidance.painter.styles import Style

SIZE, STROKES = 64, 30
QUICK = Preset(side=85, refine=None, hand_steps=4)


def window(step: int) -> torch.Tensor:
    """A frame ``[3, SIZE, SIZE]`` of what moves by (-3, -1): dark forms on light ground."""
    rng = np.random.default_rng(7)
    large = cv2.resize(rng.random((9, 9, 3), np.float32), (110, 110), interpolation=cv2.INTER_CUBIC)
    large = (0.6 * large + 0.2).clip(0, 1)
    for n in range(6):
        cv2.circle(large, (12 + 17 * n, 20 + 13 * n), 9, (0.1, 0.1 * n / 3, 0.2), -1, cv2.LINE_AA)
    fine = cv2.resize(rng.random((30, 30, 3), np.float32), (110, 110), interpolation=cv2.INTER_CUBIC)
    large = (large + 0.3 * (fine - 0.5)).clip(0, 1)  # so that it is seen everywhere how it moves
    frame = large[10 + step : 10 + step + SIZE, 10 + 3 * step : 10 + 3 * step + SIZE]
    return torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))


@cache
def frames(style: str) -> list[FilmFrame]:
    film = Film(Painter(None, QUICK, strokes=STROKES, size=SIZE, style=style))
    return [film.next(window(step), Guidance.none(SIZE, SIZE)) for step in range(3)]


def known(frame: FilmFrame) -> dict[int, np.ndarray]:
    return dict(zip(frame.ids.tolist(), frame.painting.strokes.pack()[0].numpy(), strict=True))


def lengths(vectors: np.ndarray) -> np.ndarray:
    """``[N]`` chords against widths."""
    chord = np.sqrt(((vectors[:, END] - vectors[:, START]) ** 2).sum(axis=1))
    return np.asarray(chord / (2 * vectors[:, RADIUS].max(axis=1)))


@pytest.mark.parametrize("style", ["impressionist", "watercolor"])
def test_strokes_stay_within_the_limits_of_their_hand(style):
    hand = Style.of(style).hand
    assert hand is not None
    radii, (low, high) = hand.radii_for(STROKES), hand.spread
    opacities = np.array(hand.between("opacity"), np.float32)
    for number, frame in enumerate(frames(style)):
        vectors = frame.painting.strokes.pack()[0].numpy()
        assert frame.fresh == (number == 0)
        assert lengths(vectors).min() >= hand.bounds[0] * 0.99
        assert lengths(vectors).max() <= hand.bounds[1] * 1.01
        assert vectors[:, RADIUS].max() <= high * radii[0] * 1.001
        assert vectors[:, RADIUS].min() >= low * radii[-1] * (1 - hand.taper) * 0.999
        assert (vectors[:, OPACITY] <= opacities.max() + 1e-6).all()
        assert all(layer.ends == Style.of(style).ends for layer in frame.painting.layers)
        assert all(layer.load is not None for layer in frame.painting.layers)


@pytest.mark.parametrize("style", ["impressionist", "ink"])
def test_strokes_move_with_what_they_show(style):
    first, _, last = map(known, frames(style))
    both = first.keys() & last.keys()
    moves = np.array([last[n] - first[n] for n in both])[:, POINTS].reshape(-1, 3, 2) * SIZE
    assert len(both) > 0.5 * len(first)
    assert np.abs(np.median(moves, axis=(0, 1)) - [-6, -2]).max() < 1


def test_a_pen_keeps_its_width_and_ink():
    first, *others = map(known, frames("ink"))
    for later in others:
        for number in first.keys() & later.keys():
            np.testing.assert_allclose(first[number][RADIUS], later[number][RADIUS], rtol=1e-3)
            np.testing.assert_array_equal(first[number][COLOR], later[number][COLOR])


@pytest.mark.parametrize("style", ["impressionist", "ink"])
def test_what_goes_loses_strokes_and_what_comes_gets_some(style):
    """Of a disk that was on the left and is on the right, in light that flickers: nothing is still."""
    film = Film(Painter(None, QUICK, strokes=STROKES, size=SIZE, style=style))
    seen = []
    for number, x in enumerate((16, *[48] * 7)):
        picture = np.full((SIZE, SIZE, 3), 0.85 + 0.02 * (number % 2), np.float32)
        cv2.circle(picture, (x, 32), 8, (0.1, 0.1, 0.3), -1, cv2.LINE_AA)
        frame = torch.from_numpy(picture.transpose(2, 0, 1).copy())
        painted = film.next(frame, Guidance.none(SIZE, SIZE))
        assert painted.fresh == (number == 0)
        seen.append(known(painted))

    def around(strokes: dict[int, np.ndarray], x: int) -> set[int]:
        middles = {n: each[POINTS].reshape(3, 2).mean(axis=0) * SIZE for n, each in strokes.items()}
        return {n for n, middle in middles.items() if np.hypot(*(middle - [x, 32])) < 12}

    assert around(seen[-1], 48) - seen[0].keys()
    assert around(seen[0], 16) - seen[-1].keys()


def test_few_colours_stay_few():
    painter = Painter(None, QUICK, strokes=STROKES, size=SIZE, style=Style("own", hand=Hand(colors=4)))
    film = Film(painter)
    colors = [
        film.next(window(step), Guidance.none(SIZE, SIZE)).painting.strokes.color[0] for step in range(3)
    ]
    tubes = {tuple(each) for each in colors[0].tolist()}
    assert len(tubes) <= 4
    for later in colors[1:]:
        assert {tuple(each) for each in later.tolist()} <= tubes


def test_textures_have_the_numbers_of_their_strokes():
    for frame in frames("impressionist"):
        keys = [layer.keys for layer in frame.painting.layers]
        assert np.array_equal(torch.cat([each for each in keys if each is not None]).numpy(), frame.ids)


def test_a_hand_goes_on_from_a_state_with_the_same_bits():
    painter = Painter(None, QUICK, strokes=STROKES, size=SIZE, style="expressionist")
    film, other = Film(painter), Film(painter)
    for step in range(2):
        film.next(window(step), Guidance.none(SIZE, SIZE))
    other.restore(film.state())
    one, two = (each.next(window(2), Guidance.none(SIZE, SIZE)) for each in (film, other))
    assert np.array_equal(one.ids, two.ids)
    assert torch.equal(one.painting.strokes.pack(), two.painting.strokes.pack())
