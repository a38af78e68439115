import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semantic_guidance.agents.dense.strokes import (
    CELLS,
    GAIN,
    RAW,
    SCALES,
    Chosen,
    Level,
    choose,
    decode,
    level_of,
    local_means,
    whole,
)
from semantic_guidance.core.strokes import OPACITY, RADIUS

SIDE = 128


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mean_by_loops(picture: Tensor, where: Tensor, row: int, column: int, reach: int) -> list[float]:
    """Of what lies in the part within so many pixels of a place."""
    total, colours = 0.0, [0.0, 0.0, 0.0]
    for y in range(max(0, row - reach), min(picture.shape[1], row + reach + 1)):
        for x in range(max(0, column - reach), min(picture.shape[2], column + reach + 1)):
            total += float(where[0, y, x])
            for n in range(3):
                colours[n] += float(where[0, y, x] * picture[n, y, x])
    return [colour / total for colour in colours]


@pytest.mark.parametrize(("row", "column"), [(10, 20), (0, 0), (39, 31), (17, 3)])
def test_local_means_are_of_what_belongs_to_the_part(row: int, column: int) -> None:
    picture, where = torch.rand(3, 40, 32, generator=chance()), torch.ones(1, 40, 32)
    where[:, :, 16:] = 0.25
    means = local_means(picture[None], where[None], (3, 9))[0]
    for scale, reach in enumerate((1, 4)):
        wanted = mean_by_loops(picture, where, row, column, reach)
        # The widest mean counts a thousandth.
        assert means[3 * scale : 3 * scale + 3, row, column].tolist() == pytest.approx(wanted, abs=2e-3)


def test_where_a_box_holds_nothing_of_the_part_a_wider_one_tells() -> None:
    picture, where = torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    picture[:, 0, :, 32:], where[..., 32:] = 0.8, 1.0  # the part is red
    means = local_means(picture, where, (3,))[0]
    assert means[:, 20, 20].tolist() == pytest.approx([0.8, 0, 0], abs=2e-3)
    assert means[:, 20, 50].tolist() == pytest.approx([0.8, 0, 0], abs=1e-5)


def test_a_part_that_is_nowhere_takes_the_colours_of_everything() -> None:
    means = local_means(torch.full((1, 3, 64, 64), 0.3), torch.zeros(1, 1, 64, 64), SCALES[1])
    assert torch.allclose(means, torch.tensor(0.3), atol=1e-3)


def level(color: tuple[float, float, float], square: tuple[float, float, float]) -> Level:
    """A level of one painting whose means are the same everywhere."""
    x, y, side = square
    means = torch.tensor(color).repeat(3).view(1, 9, 1, 1).expand(1, 9, SIDE, SIDE).contiguous()
    return Level(None, torch.tensor([[x, y, side, side]]), means, torch.tensor(SCALES[0]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 255), st.floats(-0.2, 0.6), st.floats(0.1, 1.2))
def test_a_stroke_by_its_formula(seed: int, cell: int, corner: float, side: float) -> None:
    raw = 2 * torch.randn(1, 1, RAW, generator=chance(seed))
    home = torch.tensor([[[(cell % 16 + 0.5) / 16, (cell // 16 + 0.5) / 16]]])
    chosen = Chosen(raw, home, torch.tensor([[cell]]), 0.88 / 16)
    strokes = decode(chosen, level((0.4, 0.5, 0.6), (corner, 0.1, side)))
    r = raw[0, 0].tolist()
    for axis, origin in ((0, corner), (1, 0.1)):
        anchor = float(home[0, 0, axis]) + 0.055 * math.tanh(r[axis])
        half = 0.5 * math.tanh(r[2 + axis] / 2)
        bent = anchor + 0.25 * math.tanh(r[4 + axis])
        wanted = [origin + side * place for place in (anchor - half, bent, anchor + half)]
        assert strokes.points[0, 0, :, axis].tolist() == pytest.approx(wanted, abs=1e-5)
    for n in range(2):
        radius = side * (0.006 + 0.194 / (1 + math.exp(1 - r[6 + n])))
        assert float(strokes.radius[0, 0, n]) == pytest.approx(radius, rel=1e-4)
        assert float(strokes.opacity[0, 0, n]) == pytest.approx(1 / (1 + math.exp(-2 - r[8 + n])), rel=1e-4)
    for n, mean in enumerate((0.4, 0.5, 0.6)):
        wanted = min(max(mean + 0.5 * math.tanh(r[10 + n]), 0.0), 1.0)
        assert float(strokes.color[0, 0, n]) == pytest.approx(wanted, abs=1e-5)


def test_colours_are_of_the_strokes_own_place_and_part() -> None:
    """A red object on blue ground: both levels paint across the edge in their own colours."""
    target = torch.tensor([0.0, 0.1, 0.9]).view(1, 3, 1, 1).expand(1, 3, SIDE, SIDE).clone()
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 64:] = 1
    target = target * (1 - mask) + torch.tensor([0.9, 0.2, 0.0]).view(1, 3, 1, 1) * mask
    square = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    ground, thing = (level_of(target, show, square, SCALES[0]) for show in (1 - mask, mask))
    single = level_of(target, None, square, SCALES[0])
    raw = torch.zeros(1, 1, RAW)
    raw[..., 2] = 0.2  # from left to right, over the edge
    chosen = Chosen(raw, torch.tensor([[[0.5, 0.5]]]), torch.tensor([[0]]), 0.1)
    assert decode(chosen, ground).color[0, 0].tolist() == pytest.approx([0, 0.1, 0.9], abs=5e-3)
    assert decode(chosen, thing).color[0, 0].tolist() == pytest.approx([0.9, 0.2, 0], abs=5e-3)
    assert decode(chosen, single).color[0, 0].tolist() == pytest.approx([0.45, 0.15, 0.45], abs=0.03)


def test_thin_strokes_look_closer_than_wide_ones() -> None:
    target = torch.zeros(1, 3, SIDE, SIDE)
    target[..., 60:68] = 1  # a white line, 8 pixels wide, on black
    only = level_of(target, None, whole(target), SCALES[0])
    raw = torch.zeros(1, 2, RAW)
    raw[0, :, 3] = 0.2  # along it
    raw[0, :, RADIUS] = torch.tensor([[-2.5], [3.0]])
    chosen = Chosen(raw, torch.full((1, 2, 2), 0.5), torch.zeros(1, 2, dtype=torch.long), 0.1)
    thin, wide = decode(chosen, only).color[0, :, 0].tolist()
    assert thin > 0.95
    assert wide < 0.5


@pytest.mark.parametrize("cells", CELLS)
def test_cells_of_the_greatest_gain_are_chosen(cells: int) -> None:
    raw = torch.randn(2, cells**2, RAW, generator=chance(cells))
    chosen = choose(raw, cells, 7)
    for n in range(2):
        order = sorted(range(cells**2), key=lambda index: -float(raw[n, index, GAIN]))[:7]
        assert torch.equal(chosen.raw[n], raw[n, order])
        assert chosen.cell[n].tolist() == order
        places = [((cell % cells + 0.5) / cells, (cell // cells + 0.5) / cells) for cell in order]
        assert torch.allclose(chosen.home[n], torch.tensor(places))


def test_at_some_temperature_others_are_chosen_now_and_then_and_the_same_by_the_same_seed() -> None:
    raw = torch.zeros(1, 64, RAW)
    raw[0, :32, GAIN] = 1.0
    picks = [choose(raw, 8, 16, 0.5, chance(seed)).cell[0].tolist() for seed in range(20)]
    assert picks[3] == choose(raw, 8, 16, 0.5, chance(3)).cell[0].tolist()
    assert len({tuple(pick) for pick in picks}) == 20
    # Of Gumbel's trick: each place in turn is of those left with odds exp(1 / 0.5) = 7.39 to 1.
    share = sum(cell < 32 for pick in picks for cell in pick) / 320
    assert 0.75 < share < 0.95


def test_strokes_are_within_their_ranges() -> None:
    raw = 50 * torch.randn(1, 64, RAW, generator=chance())
    strokes = decode(choose(raw, 8, 64), level((0.1, 0.5, 0.9), (0.2, 0.3, 0.4)))
    packed = strokes.pack()
    assert bool(packed.isfinite().all())
    assert float(packed[..., RADIUS].min()) >= 0.4 * 0.006 - 1e-6
    assert float(packed[..., RADIUS].max()) <= 0.4 * 0.2 + 1e-6
    assert 0 <= float(packed[..., OPACITY].min()) <= float(packed[..., OPACITY].max()) <= 1
    assert 0 <= float(strokes.color.min()) <= float(strokes.color.max()) <= 1
