"""Palettes: read, and chosen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000

from semantic_guidance.images.color import (
    MAX_COLORS,
    choose_colors,
    from_oklab,
    nearest_color,
    parse_color,
    to_oklab,
)
from semantic_guidance.images.palettes import read_palette

PALETTE = [parse_color(word) for word in ("#222", "#c04020", "#e0b080", "#f4f0e0", "#5060a0", "#708050")]


def lab(colors: torch.Tensor) -> np.ndarray:
    """CIELAB ``[N, 3]``."""
    return cv2.cvtColor(colors.float().numpy()[None], cv2.COLOR_RGB2LAB)[0].astype(np.float64)


def test_chosen_colors_are_those_of_the_picture():
    colors = torch.tensor(PALETTE)[torch.randint(0, 6, (50_000,), generator=torch.Generator().manual_seed(0))]
    chosen = choose_colors(colors, torch.ones(50_000), 6)
    assert torch.cdist(chosen, torch.tensor(PALETTE)).min(dim=0).values.max() < 0.01
    assert len(choose_colors(colors, torch.ones(50_000), 20)) <= 20
    assert torch.equal(nearest_color(torch.tensor(PALETTE), torch.tensor(PALETTE)), torch.arange(6))
    # A colour that counts for nothing is not chosen.
    weights = (colors[:, 0] > 0.2).float()
    assert torch.cdist(choose_colors(colors, weights, 5), torch.tensor(PALETTE[:1])).min() > 0.2


@pytest.mark.parametrize(
    ("color", "wanted"),
    [("#fff", (1, 0, 0)), ("#f00", (0.628, 0.2249, 0.1258)), ("#00f", (0.452, -0.0325, -0.3115))],
)
def test_oklab(color, wanted):
    """The values that Ottosson's page and CSS Color 4 give."""
    point = to_oklab(np.array([parse_color(color)]))
    assert point[0] == pytest.approx(wanted, abs=2e-4)
    assert from_oklab(point)[0] == pytest.approx(parse_color(color), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_chosen_colors_are_means_of_what_is_nearest_to_them(seed):
    """What k-means ends in, and a first guess of colours far from each other does not; none is distinct."""
    colors = 0.3 + 0.2 * torch.rand(40, 3, generator=torch.Generator().manual_seed(seed))
    weights = torch.rand(40, generator=torch.Generator().manual_seed(seed + 100)) + 0.1
    chosen = choose_colors(colors, weights, 4)
    points, centers = to_oklab(colors.numpy()), to_oklab(chosen.numpy())
    nearest = ((points[:, None] - centers) ** 2 * [1, 4, 4]).sum(axis=2).argmin(axis=1)
    for k in range(4):
        mean = np.average(points[nearest == k], axis=0, weights=weights.numpy()[nearest == k])
        assert np.abs(mean - centers[k]).max() < 0.01
    assert (np.diff(centers[:, 0]) > 0).all()  # dark to light


def test_two_pairs_of_greys_give_the_greys_between():
    """By hand: of a grey, Oklab's lightness is the cube root of its light."""
    lights = np.array([0.2, 0.3, 0.8, 0.9])
    light = lights**3
    greys = np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    rgb = torch.from_numpy(np.repeat(greys[:, None], 3, axis=1))
    chosen = choose_colors(rgb, torch.tensor([3.0, 1, 2, 2]), 2)
    wanted = [(3 * 0.2 + 0.3) / 4, 0.85]
    assert to_oklab(chosen.numpy())[:, 0].tolist() == pytest.approx(wanted, abs=1e-3)


def test_first_guesses_are_far_from_each_other():
    """A small bright spot in a picture of nearly one colour gets a colour of its own."""
    colors = torch.full((1000, 3), 0.2) + 0.01 * torch.rand(
        1000, 3, generator=torch.Generator().manual_seed(0)
    )
    colors[:20] = torch.tensor([1.0, 0.8, 0.0])
    chosen = choose_colors(colors, torch.ones(1000), 2)
    assert (chosen - torch.tensor([1.0, 0.8, 0.0])).abs().max(dim=1).values.min() < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_small_yellow_eyes_keep_their_colour(seed):
    """Six colours for 99.5 % of greys and browns, and .5 % of yellow that does not count more than they."""
    generator = torch.Generator().manual_seed(seed)
    grey = torch.rand(10_000, 1, generator=generator).expand(-1, 3)
    brown = grey * torch.tensor([0.9, 0.6, 0.35])
    colors = torch.where(torch.rand(10_000, 1, generator=generator) < 0.5, grey, brown)
    colors = (colors + 0.03 * torch.randn(10_000, 3, generator=generator)).clamp(0, 1)
    yellow = torch.tensor([[0.95, 0.75, 0.1]])
    colors[::200] = yellow
    chosen = choose_colors(colors, torch.ones(10_000), 6)
    assert deltaE_ciede2000(lab(chosen), lab(yellow)).min() < 10


def test_all_pixels_of_large_pictures_are_looked_at():
    colors = torch.zeros(60_000, 3)
    colors[7] = 1
    chosen = choose_colors(colors, torch.ones(60_000), 2)
    assert chosen.flatten().tolist() == pytest.approx([0] * 3 + [1] * 3, abs=1e-3)


def test_the_nearest_colour_is_nearest_in_rgb():
    """To dark blue, black is nearer than a light blue; in CIELAB it is the other way round."""
    palette = torch.tensor([[0.0, 0.0, 0.0], [0.45, 0.45, 1.0]])
    assert nearest_color(torch.tensor([[0.0, 0.0, 0.6]]), palette).tolist() == [0]
    assert np.linalg.norm(lab(palette) - lab(torch.tensor([[0.0, 0.0, 0.6]])), axis=1).argmin() == 1


def test_colours_by_name():
    assert parse_color("#fff") == (1, 1, 1)
    assert parse_color(" #804020 ") == pytest.approx((128 / 255, 64 / 255, 32 / 255))
    assert parse_color("#842") == parse_color("#884422")
    for word in ("fff", "#ffff", "#ggg", "", "#"):
        with pytest.raises(ValueError, match="is not a colour, wanted one such as"):
            parse_color(word)


def test_too_many_colours_in_a_file(tmp_path):
    lines = [f"#{n:06x}" for n in range(MAX_COLORS + 1)]
    (tmp_path / "many.txt").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="there are 65 colours in it, wanted 1 to 64"):
        read_palette(tmp_path / "many.txt")
    (tmp_path / "most.txt").write_text("\n".join([*lines[:-1], lines[0]]))
    assert len(read_palette(tmp_path / "most.txt")) == MAX_COLORS


def test_palette_files(tmp_path):
    (tmp_path / "a.txt").write_text("# mine\n#FF0000 red\n#00f, and #f00 again\n")
    assert read_palette(tmp_path / "a.txt") == ((1, 0, 0), (0, 0, 1))
    (tmp_path / "a.gpl").write_text(
        "GIMP Palette\nName: x\nColumns: 3\n#\n255 0 0 red\n  0   0 255\tUntitled\n"
    )
    assert read_palette(tmp_path / "a.gpl") == ((1, 0, 0), (0, 0, 1))
    (tmp_path / "none.txt").write_bytes(b"\xff\x00 no colours")
    with pytest.raises(ValueError, match=r"none\.txt: there are 0 colours in it, wanted 1 to 64"):
        read_palette(tmp_path / "none.txt")
    with pytest.raises(IsADirectoryError, match="this is a directory"):
        read_palette(tmp_path)
    with pytest.raises(OSError, match=r"mem: cannot be read \(.*\), wanted a file of colours"):
        read_palette(Path("/proc/self/mem"))  # a file that even root may open, but not read from its start
    with pytest.raises(ValueError, match="not a colour"):
        parse_color("red")
