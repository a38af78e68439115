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
from semantic_guidance.export import save_painting
from semantic_guidance.export.loads import pieces
from semantic_guidance.export.options import PlotterOptions
from semantic_guidance.export.passes import Line, Pass, covered, in_passes
from semantic_guidance.export.plotter import _shown, travel
from semantic_guidance.export.svg import hex_color
from semantic_guidance.images.color import parse_color
from semantic_guidance.painting.drawing import DrawnLayer
from semantic_guidance.painting.medium import Medium
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


def kind(each: Pass) -> tuple[str, float | None]:
    return each.color, each.brush


@settings(max_examples=25, deadline=None)
@example(count=13, seed=2369)  # edges of two lines that share a pixel and do not touch
@example(count=40, seed=43)
@given(count=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_the_order_covers_what_the_painting_covers(count, seed):
    lines = random_lines(count, seed)
    passes = in_passes(lines)
    drawn = [line for each in passes for line in each.lines]
    assert sorted(line.width for line in drawn) == sorted(line.width for line in lines)
    assert all({(line.color, line.width) for line in each.lines} == {kind(each)} for each in passes)
    assert all(kind(one) != kind(two) for one, two in itertools.pairwise(passes))
    assert torch.allclose(picture(drawn), picture(lines), atol=1e-4)


def test_ways_are_short_and_passes_few():
    lines = random_lines(200, 1)
    passes = in_passes(lines, by_brush=False)
    changes = 1 + sum(one.color != two.color for one, two in itertools.pairwise(lines))
    assert len(passes) < 0.5 * changes
    passes = in_passes(lines)
    tools = [(line.color, line.width) for line in lines]
    changes = 1 + sum(one != two for one, two in itertools.pairwise(tools))
    assert len(passes) < 0.55 * changes
    assert travel([line for each in passes for line in each.lines]) < 0.85 * travel(lines)
    thin = [replace(line, width=0.5, points=0.2 * line.points + 0.8 * line.points[0]) for line in lines]
    assert travel([line for each in in_passes(thin) for line in each.lines]) < 0.3 * travel(thin)
    ordered = sorted(lines, key=lambda line: line.color)
    assert len(in_passes(ordered)) == 3 * len(COLORS)  # one for each brush
    assert len(in_passes(ordered, by_brush=False)) == len(COLORS)
    loose = [replace(line, width=2 + n / 100) for n, line in enumerate(ordered)]
    assert [each.brush for each in in_passes(loose)] == [None] * len(COLORS)  # of any width
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
    thin = replace(strokes, radius=0.02 * strokes.radius)
    layers = (Layer(thin, "foreground", mask=0),)
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
    labels = [f"{n} {each['color']} {each['brush']:g}mm" for n, each in enumerate(document["passes"], 1)]
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
    points = np.array(points, float).reshape(3, 2)
    painting = Painting((), (1.0, 1.0, 1.0), 96, 64)
    size = np.array([297.0, 210.0])
    frame = np.stack([0 * size, size])
    parts = list(_shown(DrawnLayer(np.empty((0, 13))), points, points, painting.drawing, frame))
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


def flat(*strokes, side=100.0):
    """A painting on 100 x 100 mm of paper of opaque lines, each (points in mm, width, colour)."""
    packed = [
        [*(n / side for n in points), width / 2 / side, width / 2 / side, 1, 1, *parse_color(color)]
        for points, width, color in strokes
    ]
    layer = Layer(Strokes.unpack(torch.tensor([packed], dtype=torch.float32)))
    return Painting((layer,), (1.0, 1.0, 1.0), 64, 64, paper=(side, side), margin=0.0)


def document_of(painting, folder, **options):
    """What its file of numbers says."""
    save_painting(painting, folder / "a.plotter.json", options=PlotterOptions(**options))
    return json.loads((folder / "a.plotter.json").read_text())


def labels_of(painting, folder, **options):
    save_painting(painting, folder / "a.plotter.svg", options=PlotterOptions(**options))
    root = ElementTree.parse(folder / "a.plotter.svg").getroot()
    return [layer.get(f"{INKSCAPE}label") for layer in root], root


def test_paint_in_the_colour_of_the_paper_is_left_out_where_there_is_nothing_beneath(tmp_path):
    black, over, beside = (10, 20, 50, 20, 90, 20), (50, 10, 50, 20, 50, 30), (10, 80, 50, 80, 90, 80)
    painting = flat(
        (beside, 5, "#ffffff"), (black, 5, "#000000"), (over, 5, "#ffffff"), (beside, 2, "#ffffff")
    )
    document = document_of(painting, tmp_path)
    assert [(each["color"], len(each["strokes"])) for each in document["passes"]] == [
        ("#000000", 1),
        ("#ffffff", 1),
    ]
    grey = replace(painting, background=(0.5, 0.5, 0.5))
    assert sum(len(each["strokes"]) for each in document_of(grey, tmp_path)["passes"]) == 4
    on_a_picture = replace(painting, start=torch.zeros(3, 8, 8))
    assert sum(len(each["strokes"]) for each in document_of(on_a_picture, tmp_path)["passes"]) == 4


@pytest.mark.parametrize("border", [False, True])
def test_no_line_is_shorter_than_its_brush_is_wide(tmp_path, border):
    """Whole strokes grow; what edges and masks leave of others, if it is shorter, is left out."""
    mask = torch.zeros(1, 50, 50)
    mask[:, 1::2, ::2] = 1  # squares of 2 mm
    dot, dash, out = (50, 50, 50, 50, 50, 50), (40, 10, 40.5, 10, 41, 10.5), (97, 50, 103, 50, 140, 50)
    corner = (99.9, 99.8, 99.9, 99.8, 99.9, 99.8)
    painting = flat(*((points, 4, "#000000") for points in (dot, dash, out, corner, (5, 5, 50, 50, 95, 80))))
    whole = [line for each in document_of(painting, tmp_path)["passes"] for line in each["strokes"]]
    assert len(whole) == 4  # `out` leaves 3 mm
    for margin in (0.0, 10.0):
        layers = (replace(painting.layers[0], mask=0), *painting.layers)
        both = replace(painting, layers=layers, masks=(mask,), margin=margin)
        document = document_of(both, tmp_path, border=border)
        left, top, width, height = document["picture"] if border else (0, 0, 100, 100)
        lines = [line for each in document["passes"] for line in each["strokes"]]
        assert len(lines) >= 4
        for line in lines:
            places = along(np.array(line["points"]))
            assert np.hypot(*np.diff(places, axis=0).T).sum() >= line["width"]
            assert (places >= np.array([left, top]) - 0.002).all()
            assert (places <= np.array([left + width, top + height]) + 0.002).all()


def test_brushes_that_run_dry(tmp_path):
    """Worked out by hand: lines of 80, 80 and 30 mm, 100 mm a load, none longer than 50 mm."""
    lines = [
        ((10, y, 10 + length / 2, y, 10 + length, y), 2, "#000000")
        for y, length in ((20, 80), (40, 80), (60, 30))
    ]
    painting = flat(*lines, ((10, 90, 20, 90, 30, 90), 2, "#ff0000"))
    document = document_of(painting, tmp_path, longest_stroke=50.0, reload=100.0, dip=(120.0, 10.0))
    black, red = document["passes"]
    lengths = [np.hypot(*np.subtract(s["points"][2], s["points"][0])) for s in black["strokes"]]
    assert lengths == pytest.approx([40, 40, 40, 40, 30], abs=0.01)
    assert (black["color"], black["brush"], black["loads"]) == ("#000000", 2, [2, 2, 1])
    assert (red["color"], red["loads"]) == ("#ff0000", [1])
    assert document["reload"] == {"after": 100, "dip": [120, 10]}
    assert document["drawn"] == pytest.approx(210, abs=0.1)
    # One piece begins where the one before it ends, so nothing is travelled within these two lines:
    # from the dip to the line's start, and from its end to the dip for the next load.
    way, pen = 0.0, None
    for each in (black, red):
        strokes = iter(each["strokes"])
        for count in each["loads"]:
            way += 0 if pen is None else float(np.hypot(*np.subtract((120, 10), pen)))
            pen = (120, 10)
            for stroke in itertools.islice(strokes, count):
                way += float(np.hypot(*np.subtract(stroke["points"][0], pen)))
                pen = stroke["points"][2]
    assert document["travel"] == pytest.approx(way, abs=0.1)
    labels, root = labels_of(painting, tmp_path, longest_stroke=50.0, reload=100.0, dip=(120.0, 10.0))
    assert labels == [
        "1 dip for #000000 2mm load 1",
        "2 #000000 2mm load 1",
        "3 dip for #000000 2mm load 2",
        "4 #000000 2mm load 2",
        "5 dip for #000000 2mm load 3",
        "6 #000000 2mm load 3",
        "!7 dip for #ff0000 2mm load 1",
        "8 #ff0000 2mm load 1",
    ]
    assert (root.get("width"), root.get("height")) == ("122mm", "100mm")  # the tray lies beside the paper
    labels, root = labels_of(painting, tmp_path, reload=100.0)
    assert labels == [
        "1 #000000 2mm load 1",
        "!2 #000000 2mm load 2",
        "!3 #000000 2mm load 3",
        "!4 #ff0000 2mm load 1",
    ]
    assert root.get("width") == "100mm"
    assert "loads" not in document_of(painting, tmp_path)["passes"][0]


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.floats(0, 100), min_size=6, max_size=6),
    longest=st.floats(1, 200),
    width=st.floats(0.1, 20),
)
def test_pieces_are_the_line(points, longest, width):
    line = Line(np.array(points).reshape(3, 2), width, "#000000")
    parts = pieces(line, longest)
    assert np.array_equal(parts[0].points[0], line.points[0])
    assert np.allclose(parts[-1].points[2], line.points[2])
    assert all(np.allclose(one.points[2], two.points[0]) for one, two in itertools.pairwise(parts))
    lengths = [np.hypot(*np.diff(along(part.points, 2000), axis=0).T).sum() for part in parts]
    whole = np.hypot(*np.diff(along(line.points, 4000), axis=0).T).sum()
    assert sum(lengths) == pytest.approx(whole, rel=1e-3, abs=1e-6)
    if len(parts) > 1:
        assert min(lengths) >= 0.99 * width
        assert max(lengths) == pytest.approx(min(lengths), rel=0.02, abs=0.02)
    assert max(lengths) <= 1.02 * longest + 0.02 or whole < (len(parts) + 1) * width * 1.01


def test_svg_of_few_opaque_colours_is_in_mm_with_a_layer_for_each(tmp_path):
    """Another program's picture of it is our canvas; what is not so few or so opaque stays in pixels."""
    resvg = pytest.importorskip("resvg_py", reason="resvg-py, of the extra dev, rasterises the file")
    rng = np.random.default_rng(4)
    lines = [
        (rng.uniform(0, 100, 6), float(rng.choice([4, 9, 17])), str(rng.choice(COLORS))) for _ in range(40)
    ]
    painting = replace(flat(*lines), margin=10.0, background=parse_color("#c0ffee"))
    painting.save(tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("100mm", "100mm", "0 0 100 100")
    canvas, *layers = [layer for layer in root if layer.get(f"{INKSCAPE}groupmode") == "layer"]
    assert canvas.get("id") == "canvas"
    assert [layer.get(f"{INKSCAPE}label") for layer in layers] == [
        f"{n} {layer.get('fill')}" for n, layer in enumerate(layers, 1)
    ]
    assert set(COLORS) == {layer.get("fill") for layer in layers}
    assert len(layers) < sum(one[2] != two[2] for one, two in itertools.pairwise(lines))
    assert sum(len(list(layer.iter(f"{SVG}path"))) for layer in layers) == 40
    png = resvg.svg_to_bytes(svg_path=str(tmp_path / "a.svg"), background="white", dpi=25.4, zoom=5)
    with Image.open(io.BytesIO(bytes(png))) as image:
        theirs = np.asarray(image.convert("RGB")) / 255
    assert (theirs[:45] == 1).all()
    ours = painting.render(400).permute(1, 2, 0).numpy()
    assert -10 * np.log10(((theirs[50:450, 50:450] - ours) ** 2).mean()) > 27
    replace(painting, transparent="painting").save(tmp_path / "b.svg")
    assert 'id="canvas"' not in (tmp_path / "b.svg").read_text()
    clear = replace(painting.layers[0].strokes, opacity=torch.full((1, 40, 2), 0.5))
    for other in (replace(painting, paper=None), replace(painting, layers=(Layer(clear),))):
        other.save(tmp_path / "c.svg")
        assert ElementTree.parse(tmp_path / "c.svg").getroot().get("width") == "64"
