"""Palettes, brushes and paper: what the painter is given, and that it keeps to it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance import Guidance, Painter, Preset, load_image
from semantic_guidance.core.lengths import parse_length, parse_lengths, parse_place, parse_two_lengths
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.color import choose_colors, nearest_color, parse_color
from semantic_guidance.images.metrics import painting_errors
from semantic_guidance.painter.presets import DRAFTED, RefineConfig
from semantic_guidance.painting.medium import Medium, Sheet, Tools
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.painting.paper import PAPERS, WIDTHS, parse_paper
from tests.conftest import EXAMPLES

PALETTE = [parse_color(word) for word in ("#222", "#c04020", "#e0b080", "#f4f0e0", "#5060a0", "#708050")]


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """A sunlit ball before a sky, 96 x 64."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1.5, 96), indexing="ij")
    sky = torch.stack([0.3 + 0.4 * y, 0.4 + 0.35 * y, 0.8 - 0.3 * y])
    ball = torch.stack([0.9 - 0.6 * y, 0.5 - 0.4 * y, 0.2 - 0.15 * y + 0 * x])
    return torch.where((x - 0.7) ** 2 + (y - 0.5) ** 2 < 0.09, ball, sky).clamp(0, 1)


BRIEF = Preset(side=DRAFTED, refine=RefineConfig(steps=120))
"""The standard preset in a third of its steps."""


def painted(picture: torch.Tensor, medium: Medium | None, preset: str | Preset = BRIEF) -> Painting:
    mask = (picture[:1] > picture[2:]).float()
    painter = Painter("planner", preset, strokes=60, size=96, medium=medium)
    return painter.paint(picture, Guidance.from_mask(mask))


def error(painting: Painting, picture: torch.Tensor) -> float:
    return painting_errors(painting.canvas, picture, torch.zeros(1, 64, 96)).everywhere


@pytest.mark.parametrize("preset", ["draft", BRIEF], ids=["draft", "refined"])
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


@pytest.mark.parametrize("preset", ["draft", BRIEF], ids=["draft", "refined"])
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


@pytest.mark.parametrize(("paper", "wanted"), [((210, 297), (297, 210)), ((100, 100), (100, 100))])
def test_sheets(paper, wanted):
    sheet = Sheet.of(paper, 2, 3)
    assert (sheet.width, sheet.height) == wanted
    margin = 0.05 * min(paper)
    assert min(sheet.left, sheet.top) == pytest.approx(margin)
    assert sheet.left * 2 + sheet.unit == pytest.approx(sheet.width)
    assert sheet.top * 2 + sheet.unit * 2 / 3 == pytest.approx(sheet.height)
    upright = Sheet.of(paper, 3, 2)
    assert (upright.width, upright.height) == wanted[::-1]
    assert (upright.left, upright.top, upright.unit) == pytest.approx((sheet.top, sheet.left, sheet.unit))


@pytest.mark.parametrize("sides", [(2, 3), (3, 2), (1, 1)])
def test_a_margin_is_free_and_the_rest_is_filled(sides):
    for margin in (0.0, 12.7):
        sheet = Sheet.of((215.9, 279.4), *sides, margin)
        assert min(sheet.left, sheet.top) == pytest.approx(margin)
        assert max(sheet.width - 2 * sheet.left, sheet.height - 2 * sheet.top) == pytest.approx(sheet.unit)


def test_sizes_of_paper():
    """ISO 216: each is half of the one before, cut across; ANSI: letter and tabloid alike."""
    for larger, smaller in itertools.pairwise(f"a{n}" for n in range(7)):
        assert PAPERS[smaller] == (PAPERS[larger][1] // 2, PAPERS[larger][0])
    assert PAPERS["tabloid"] == (PAPERS["letter"][1], 2 * PAPERS["letter"][0])
    for word in (
        "letter",
        "Letter ",
        "8.5x11in",
        '8.5"x11"',
        "8.5in x 11 in",
        "215.9x279.4",
        "21.59\u00d727.94cm",
    ):
        assert parse_paper(word) == (215.9, 279.4)


@given(
    value=st.decimals(0, 4000, places=2, allow_nan=False),
    unit=st.sampled_from([("mm", 1), ("cm", 10), ("in", 25.4), ("", 1), ('"', 25.4), (" CM", 10)]),
)
def test_lengths(value, unit):
    assert parse_length(f"{value}{unit[0]}") == pytest.approx(float(value) * unit[1], abs=1e-6)
    with pytest.raises(ValueError, match="wanted a length"):
        parse_length(f"-1{value}{unit[0]}")


@given(word=st.text(alphabet='0123456789.,x-+einmcf" _\u0661\u2033', max_size=12))
def test_words_are_lengths_or_refused(word):
    for parse in (parse_length, parse_lengths, parse_two_lengths, parse_place, parse_paper):
        try:
            found = parse(word)
        except ValueError as error:
            complaint = str(error)
            assert complaint.startswith(f"got {word!r}, ")
        else:
            numbers = (found,) if isinstance(found, float) else found
            assert all(math.isfinite(number) and number >= 0 for number in numbers)


def packed(radii, color=(0.5, 0.5, 0.5), opacity=(0.3, 0.6)):
    """Strokes with radii at start and end."""
    return torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, *each, *opacity, *color] for each in radii])


TOOLS = Tools(None, None, 0.0, math.inf, False)


def test_the_nearest_brush_is_nearest_by_ratio():
    """0.024 is 0.014 above the one and 0.016 below the other, but 2.4 times the one and 0.6 of the other."""
    tools = replace(TOOLS, radii=torch.tensor([0.01, 0.04]))
    fitted = tools(packed([(0.024, 0.024), (0.019, 0.019), (0.014, 0.034), (0.0, 0.0), (0.5, 0.5)]))
    assert fitted[:, 6].tolist() == pytest.approx([0.04, 0.01, 0.04, 0.01, 0.04])
    assert torch.equal(fitted[:, 6], fitted[:, 7])
    assert torch.equal(fitted[:, :6], packed([(0, 0)] * 5)[:, :6])


def test_tools_by_hand():
    strokes = packed([(0.01, 0.05)], color=(0.9, 0.4, 0.4))
    assert torch.equal(TOOLS(strokes), strokes)
    assert replace(TOOLS, min_radius=0.02, max_radius=0.03)(strokes)[0, 6:8].tolist() == pytest.approx(
        [0.02, 0.03]
    )
    opaque = replace(TOOLS, opaque=True)(strokes)[0]
    assert opaque[6:].tolist() == pytest.approx([0.03, 0.03, 1, 1, 0.9, 0.4, 0.4])
    colors = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.5, 0.5], [0.4, 0.4, 0.4]])
    assert replace(TOOLS, colors=colors)(strokes)[0, 8:].tolist() == pytest.approx([0.3, 0.6, 1.0, 0.5, 0.5])
    loose = replace(TOOLS, colors=colors, radii=torch.tensor([0.04]), min_radius=0.02, opaque=True).loose
    assert loose(strokes)[0, 6:].tolist() == pytest.approx([0.035, 0.035, 1, 1, 0.9, 0.4, 0.4])


@pytest.mark.parametrize(("height", "width", "unit"), [(64, 96, 276), (96, 64, 276), (50, 50, 189)])
def test_tools_are_in_units_of_the_painting(height, width, unit):
    """Half of a width is a radius; a sheet of 210 x 297 mm has margins of 10.5."""
    picture, weight = torch.rand(3, height, width), torch.ones(height, width)
    tools = Medium(brushes=(20, 5), widths=(2, 50)).tools(picture, weight, height, width)
    assert tools.radii.tolist() == pytest.approx([2.5 / unit, 10 / unit])
    assert (tools.min_radius, tools.max_radius) == pytest.approx((1 / unit, 25 / unit))
    free = Medium(palette=[(0, 0, 0)]).tools(picture, weight, height, width)
    assert (free.min_radius, free.max_radius, free.radii) == (0, math.inf, None)
    pens = Medium(opaque=True).tools(picture, weight, height, width)
    assert (pens.min_radius, pens.max_radius) == pytest.approx((WIDTHS[0] / 2 / unit, WIDTHS[1] / 2 / unit))


def test_colours_are_chosen_by_what_counts():
    """Nine tenths of a picture are blue and green; what counts is red and white."""
    picture = torch.zeros(3, 20, 30)
    picture[2, :, :13], picture[1, :, 13:27] = 1, 1
    picture[0, :, 27:], picture[1:, :10, 27:] = 1, 1
    weight = torch.zeros(20, 30)
    weight[:, 27:] = 1
    tools = Medium(palette=2).tools(picture, weight, 20, 30)
    assert torch.allclose(tools.colors, torch.tensor([[1.0, 0, 0], [1, 1, 1]]), atol=0.01)


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
