"""Palettes, brushes and paper: what the painter is given, and that it keeps to it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from semantic_guidance import Guidance, Painter, load_image
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.color import choose_colors, nearest_color, parse_color, read_palette
from semantic_guidance.images.metrics import painting_errors
from semantic_guidance.painting.medium import Medium, Sheet
from semantic_guidance.painting.painting import Layer, Painting
from tests.conftest import EXAMPLES

PALETTE = [parse_color(word) for word in ("#222", "#c04020", "#e0b080", "#f4f0e0", "#5060a0", "#708050")]


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """A sunlit ball before a sky, 96 x 64."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1.5, 96), indexing="ij")
    sky = torch.stack([0.3 + 0.4 * y, 0.4 + 0.35 * y, 0.8 - 0.3 * y])
    ball = torch.stack([0.9 - 0.6 * y, 0.5 - 0.4 * y, 0.2 - 0.15 * y + 0 * x])
    return torch.where((x - 0.7) ** 2 + (y - 0.5) ** 2 < 0.09, ball, sky).clamp(0, 1)


def painted(picture: torch.Tensor, medium: Medium | None, preset: str = "standard") -> Painting:
    mask = (picture[:1] > picture[2:]).float()
    painter = Painter("planner", preset, strokes=60, size=96, medium=medium)
    return painter.paint(picture, Guidance.from_mask(mask))


def error(painting: Painting, picture: torch.Tensor) -> float:
    return painting_errors(painting.canvas, picture, torch.zeros(1, 64, 96)).everywhere


@pytest.mark.parametrize("preset", ["draft", "standard"])
def test_strokes_keep_to_the_medium(picture, preset):
    medium = Medium(palette=PALETTE, brushes=(6, 15, 40), opaque=True)
    painting = painted(picture, medium, preset)
    strokes = painting.strokes
    allowed = {tuple(np.float32(color).tolist()) for color in PALETTE}
    assert {tuple(color) for color in strokes.color[0].tolist()} <= allowed
    assert (strokes.opacity == 1).all()
    assert all(layer.mask is None for layer in painting.layers)
    assert painting.foreground_strokes > 0
    assert painting.background == (1, 1, 1)
    unit = Sheet.of(medium.paper, 64, 96).unit
    assert set((2 * unit * strokes.radius).round(decimals=3).flatten().tolist()) <= {6, 15, 40}


@pytest.mark.parametrize("preset", ["draft", "standard"])
def test_colors_come_once_in_each_level(picture, preset):
    painting = painted(picture, Medium(palette=PALETTE, opaque=True), preset)
    for level in ("background", "foreground"):
        colors = [
            tuple(color)
            for layer in painting.layers
            if layer.level == level
            for color in layer.strokes.color[0].tolist()
        ]
        changes = 1 + sum(one != two for one, two in itertools.pairwise(colors))
        assert changes == len(set(colors))


@pytest.mark.parametrize("options", [{}, {"opaque": True}, {"opaque": True, "brushes": (6, 15, 40)}])
def test_fitting_is_better_than_snapping(options):
    """Against the painting without palette and brushes, whose strokes get the nearest ones afterwards.

    With opaque paint each colour is to come once in a level, so there they are sorted by it, too.
    """
    photo = load_image(EXAMPLES / "chelsea.jpg")
    picture = torch.nn.functional.interpolate(photo[None], (64, 96), mode="area")[0]
    colors = choose_colors(picture.flatten(1).T, torch.ones(64 * 96), 8)
    medium = Medium(palette=[(r, g, b) for r, g, b in colors.tolist()], **options)
    fitted = error(painted(picture, medium), picture)
    loose = painted(picture, replace(medium, palette=None, brushes=()))
    tools = medium.tools(picture, torch.ones(64, 96), 64, 96)

    def snapped(layer: Layer) -> Layer:
        vectors = tools(layer.strokes.pack()[0])
        if medium.opaque:
            vectors = vectors[nearest_color(vectors[:, 10:], colors).argsort(stable=True)]
        return replace(layer, strokes=Strokes.unpack(vectors[None]))

    assert fitted < 0.9 * error(replace(loose, layers=tuple(map(snapped, loose.layers))), picture)


def test_widths_alone(picture):
    painting = painted(picture, Medium(widths=(10, 30)))
    widths = 2 * Sheet.of((210, 297), 64, 96).unit * painting.strokes.radius
    assert widths.min() >= 9.999
    assert widths.max() <= 30.001
    assert len(painting.strokes.color[0].unique(dim=0)) > 30


def test_chosen_colors_are_those_of_the_picture():
    colors = torch.tensor(PALETTE)[torch.randint(0, 6, (50_000,), generator=torch.Generator().manual_seed(0))]
    chosen = choose_colors(colors, torch.ones(50_000), 6)
    assert torch.cdist(chosen, torch.tensor(PALETTE)).min(dim=0).values.max() < 0.01
    assert len(choose_colors(colors, torch.ones(50_000), 20)) <= 20
    assert torch.equal(nearest_color(torch.tensor(PALETTE), torch.tensor(PALETTE)), torch.arange(6))
    # A colour that counts for nothing is not chosen.
    weights = (colors[:, 0] > 0.2).float()
    assert torch.cdist(choose_colors(colors, weights, 5), torch.tensor(PALETTE[:1])).min() > 0.2


@pytest.mark.parametrize(("paper", "wanted"), [((210, 297), (297, 210)), ((100, 100), (100, 100))])
def test_sheets(paper, wanted):
    sheet = Sheet.of(paper, 2, 3)
    assert (sheet.width, sheet.height) == wanted
    margin = 0.05 * min(paper)
    assert min(sheet.left, sheet.top) == pytest.approx(margin)
    assert sheet.left * 2 + sheet.unit == pytest.approx(sheet.width)
    assert sheet.top * 2 + sheet.unit * 2 / 3 == pytest.approx(sheet.height)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"palette": 0}, "palette has 0 colours, wanted 1 to 64"),
        ({"palette": []}, "palette has 0 colours"),
        ({"brushes": (5, 300)}, "brushes is .*up to the paper's 210"),
        ({"brushes": (0,)}, "brushes is"),
        ({"widths": (5, 2)}, "widths is"),
        ({"paper": (5, 300)}, "paper is"),
    ],
)
def test_bad_media(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        Medium(**options)


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
    with pytest.raises(ValueError, match="is not a colour"):
        parse_color("red")
