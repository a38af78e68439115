"""Files for plotters: lines in mm, in an order that covers what the painting covers."""

from __future__ import annotations

import io
import itertools
import json
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from semantic_guidance import render
from semantic_guidance.core import bezier
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.export.passes import Line, covered, in_passes
from semantic_guidance.export.plotter import _shown, travel
from semantic_guidance.export.svg import hex_color
from semantic_guidance.images.color import parse_color
from semantic_guidance.painting.drawing import DrawnLayer
from semantic_guidance.painting.medium import Medium, Sheet
from semantic_guidance.painting.painting import Layer, Painting
from tests.conftest import random_strokes

SVG, INKSCAPE = "{http://www.w3.org/2000/svg}", "{http://www.inkscape.org/namespaces/inkscape}"
COLORS = ("#102030", "#aa2211", "#f0e0d0", "#2050c0")


def random_lines(count: int, seed: int) -> list[Line]:
    rng = np.random.default_rng(seed)
    starts = rng.uniform(0, 200, (count, 1, 2))
    points = starts + rng.normal(0, 25, (count, 3, 2))
    widths, colors = rng.choice([2.0, 5.0, 10.0], count), rng.choice(COLORS, count)
    return [Line(p, float(w), str(c)) for p, w, c in zip(points, widths, colors, strict=True)]


def picture(lines: list[Line]) -> torch.Tensor:
    """The lines, painted in the order given on white paper of 200 mm.

    Each is half a pixel thinner on either side: the pixels of its soft edge are inside it, and lines that
    do not touch have no pixel in common.
    """
    points = torch.tensor(np.stack([line.points for line in lines]) / 200, dtype=torch.float32)[None]
    radius = torch.tensor([[line.width / 400 - 0.5 / 256] * 2 for line in lines])[None]
    colors = torch.tensor([parse_color(line.color) for line in lines])[None]
    strokes = Strokes(points, radius, torch.ones(1, len(lines), 2), colors)
    return render(strokes, torch.ones(1, 3, 256, 256))[0]


@settings(max_examples=25, deadline=None)
@example(count=13, seed=2369)  # edges of two lines that share a pixel and do not touch
@example(count=40, seed=43)
@given(count=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_the_order_covers_what_the_painting_covers(count, seed):
    lines = random_lines(count, seed)
    passes = in_passes(lines)
    drawn = [line for each in passes for line in each.lines]
    assert sorted(line.width for line in drawn) == sorted(line.width for line in lines)
    assert all({line.color for line in each.lines} == {each.color} for each in passes)
    assert all(one.color != two.color for one, two in itertools.pairwise(passes))
    assert torch.allclose(picture(drawn), picture(lines), atol=1e-4)


def test_ways_are_short_and_passes_few():
    lines = random_lines(200, 1)
    passes = in_passes(lines)
    changes = 1 + sum(one.color != two.color for one, two in itertools.pairwise(lines))
    assert len(passes) < 0.5 * changes
    assert travel([line for each in passes for line in each.lines]) < 0.85 * travel(lines)
    thin = [replace(line, width=0.5, points=0.2 * line.points + 0.8 * line.points[0]) for line in lines]
    assert travel([line for each in in_passes(thin) for line in each.lines]) < 0.3 * travel(thin)
    ordered = sorted(lines, key=lambda line: line.color)
    assert len(in_passes(ordered)) == len(COLORS)
    assert in_passes([]) == []


@settings(max_examples=12, deadline=None)
@given(count=st.integers(2, 25), seed=st.integers(0, 10_000), shrink=st.sampled_from([0.05, 0.3, 1.0]))
def test_lines_wait_for_all_that_they_cover(count, seed, shrink):
    """Each pair whose brushes meet, at 100 places of either line."""
    lines = random_lines(count, seed)
    lines = [replace(line, points=shrink * line.points + (1 - shrink) * line.points[0]) for line in lines]
    weights = np.stack(bezier.weights(np.linspace(0, 1, 100)), axis=1)
    dense = [weights @ line.points for line in lines]
    before: list[set[int]] = []
    for n, named in enumerate(covered(lines)):
        assert all(m < n and lines[m].color != lines[n].color for m in named)
        before.append(set(named).union(*(before[m] for m in named)))
        for m in range(n):
            gap = np.hypot(*(dense[m][:, None] - dense[n]).transpose(2, 0, 1)).min()
            meet = lines[m].color != lines[n].color and gap < (lines[m].width + lines[n].width) / 2
            assert m in before[n] or not meet


@pytest.mark.parametrize("apart", [0.0, 1.0])
def test_lines_on_one_another_take_no_longer_than_others(apart):
    """Each pair of them: 1,000 lines took 5 s."""
    rng = np.random.default_rng(0)
    base, side = np.array([[0.0, 0.0], [100.0, 100.0], [200.0, 200.0]]), np.array([60.0, -60.0])
    points = [base + apart * (n % 2) * side + rng.normal(size=(3, 2)) for n in range(1000)]
    lines = [Line(line, 1.0, COLORS[n % 2]) for n, line in enumerate(points)]
    started = time.process_time()
    before = covered(lines)
    assert time.process_time() - started < 3
    assert sum(map(len, before)) <= 64 * len(lines)


def test_what_would_take_hours_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("semantic_guidance.export.passes.MAX_PAIRS", 100)
    strokes = random_strokes(60, 2)
    painting = Painting((Layer(strokes),), (1.0, 1.0, 1.0), 64, 64)
    with pytest.raises(InputError, match=r"a\.plotter\.svg: the \d+ strokes lie on one another too often"):
        painting.save(tmp_path / "a.plotter.svg")
    stripes = torch.arange(128).view(1, 1, -1).expand(1, 128, 128) // 2 % 2
    layers = (Layer(random_strokes(60, 2), "foreground", mask=0),)
    monkeypatch.setattr("semantic_guidance.export.plotter.MAX_LINES", 70)
    with pytest.raises(
        InputError, match=r"a\.plotter\.json: masks .* cut the strokes into more than 70 lines"
    ):
        Painting(layers, (1.0, 1.0, 1.0), 64, 64, masks=(stripes.float(),)).save(tmp_path / "a.plotter.json")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def plotted(tmp_path):
    """A painting of two objects' worth of flat strokes, 96 x 64, for A4; its SVG root and its JSON."""
    medium = Medium(palette=[parse_color(color) for color in COLORS], brushes=(12, 30), opaque=True)
    strokes = random_strokes(40, 3)
    tools = medium.tools(torch.zeros(3, 2, 2), torch.ones(2, 2), 64, 96)
    strokes = Strokes.unpack(tools(strokes.pack()[0])[None])
    strokes = replace(strokes, points=strokes.points * torch.tensor([1.0, 64 / 96]))
    layers = (Layer(strokes[:25]), Layer(strokes[25:], "foreground", 1))
    painting = Painting(layers, (1.0, 1.0, 1.0), 960, 640, paper=(210.0, 297.0))
    painting.save(tmp_path / "a.plotter.svg")
    painting.save(tmp_path / "a.plotter.json")
    root = ElementTree.parse(tmp_path / "a.plotter.svg").getroot()
    return painting, root, json.loads((tmp_path / "a.plotter.json").read_text())


def test_svg_is_as_plotters_expect(plotted):
    _, root, document = plotted
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("297mm", "210mm", "0 0 297 210")
    layers = list(root)
    assert [layer.get(f"{INKSCAPE}groupmode") for layer in layers] == ["layer"] * len(document["passes"])
    labels = [f"{n} {each['color']}" for n, each in enumerate(document["passes"], 1)]
    assert [layer.get(f"{INKSCAPE}label") for layer in layers] == labels
    for layer, each in zip(layers, document["passes"], strict=True):
        assert layer.get("fill") == "none"
        assert layer.get("stroke") == each["color"]
        widths = [float(path.get("stroke-width")) for path in layer.iter(f"{SVG}path")]
        assert widths == [stroke["width"] for stroke in each["strokes"]]
        assert widths == sorted(widths, reverse=True)


def test_json_says_everything(plotted):
    painting, _, document = plotted
    assert document["format"] == "semantic-guidance/plotter"
    assert document["paper"] == [297, 210]
    assert document["palette"] == sorted({hex_color(c.numpy()) for c in painting.strokes.color[0]})
    assert document["brushes"] == [12, 30]
    strokes = [stroke for each in document["passes"] for stroke in each["strokes"]]
    assert len(strokes) == 40
    assert sum(stroke["level"] == "foreground" for stroke in strokes) == 15
    assert {stroke["opacity"] for stroke in strokes} == {1.0}


def test_drawn_lines_are_the_painting(plotted, tmp_path):
    """Another program's picture of the plotter's file, cut to the painting, is our canvas."""
    resvg = pytest.importorskip("resvg_py", reason="resvg-py, of the extra dev, rasterises the file")
    painting, _, _ = plotted
    png = resvg.svg_to_bytes(svg_path=str(tmp_path / "a.plotter.svg"), background="white", dpi=25.4, zoom=4)
    with Image.open(io.BytesIO(bytes(png))) as image:
        theirs = np.asarray(image.convert("RGB")) / 255
    # A4 with 10.5 mm of margin: 276 mm across would be too high, so the painting is 276 x 184 mm.
    assert theirs.shape == (840, 1188, 3)
    cut = theirs[52 : 52 + 736, 42 : 42 + 1104]
    ours = painting.render(1104).permute(1, 2, 0).numpy()
    assert -10 * np.log10(((cut - ours) ** 2).mean()) > 27


def test_masks_and_paper_clip_lines(painting, tmp_path):
    """`painting` has transparent strokes and a mask; its colours are of no palette."""
    layers = (replace(painting.layers[0], strokes=random_strokes(60, 9)), *painting.layers[1:])
    painting = replace(painting, layers=layers)
    painting.save(tmp_path / "a.plotter.json")
    document = json.loads((tmp_path / "a.plotter.json").read_text())
    assert 10 <= len(document["palette"]) <= 12
    for each in document["passes"]:
        for stroke in each["strokes"]:
            curve = along(np.array(stroke["points"]), 30)
            assert (curve > -0.002).all()
            assert (curve < np.array(document["paper"]) + 0.002).all()
            if stroke["level"] == "foreground":  # shows in x 10..40 of 48 and y 8..24 of 32; 276 x 184 mm
                x, y = (curve - (10.5, 13)).T
                assert ((x > 276 * 10 / 48 - 3) & (x < 276 * 40 / 48 + 3)).all()
                assert ((y > 184 * 8 / 32 - 3) & (y < 184 * 24 / 32 + 3)).all()


def along(points, count=200):
    """``[count, 2]`` places on a quadratic Bezier curve."""
    t = np.linspace(0, 1, count)[:, None]
    return (1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2]


@settings(max_examples=100, deadline=None)
@example(points=[-20, 20, 100, 20, 120, 20])  # straight, at an even pace nearly
@example(points=[-20, 105, 440, 105, -20, 105])  # off the right edge and back, on one line
@example(points=[50, 50, 50, 50, 50, 50])
@example(points=[0, -30, 0, 100, 0, 300])  # on the edge
@example(points=[0.0, -2.2250738585072014e-308, 0.0, 0.0, 0.0, 0.0])  # next to nothing
@given(points=st.lists(st.floats(-150, 450), min_size=6, max_size=6))
def test_lines_end_at_the_edge_of_the_paper(points):
    """What is drawn lies on the paper, and all of the line that lies there is drawn."""
    sheet = Sheet.of((210, 297), 64, 96)
    points = np.array(points, float).reshape(3, 2)
    painting = Painting((), (1.0, 1.0, 1.0), 96, 64)
    parts = list(_shown(DrawnLayer(np.empty((0, 13))), points, points, painting.drawing, sheet))
    size = np.array([sheet.width, sheet.height])
    drawn = np.concatenate([np.empty((0, 2)), *(along(part) for part in parts)])
    assert (drawn >= -1e-9).all()
    assert (drawn <= size + 1e-9).all()
    whole = along(points)
    there = whole[((whole > 1e-6) & (whole < size - 1e-6)).all(axis=1)]
    step = np.hypot(*np.diff(whole, axis=0).T).max()
    for place in there:
        assert np.hypot(*(drawn - place).T).min() <= step + 1e-6


def test_too_many_strokes(painting, tmp_path, monkeypatch):
    monkeypatch.setattr("semantic_guidance.export.plotter.MAX_STROKES", 36)
    with pytest.raises(InputError, match=r"a\.plotter\.svg: there are 37 strokes, wanted at most 36"):
        painting.save(tmp_path / "a.plotter.svg")
