"""Who looks on is shown the strokes as they are, and ends the painting; who does not changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PIL import Image

from semantic_guidance import Guidance, Job, Painter, load_image, repaint, run
from semantic_guidance.agents.watching import Easel, Sketch, Watch
from semantic_guidance.images.arrays import resize
from semantic_guidance.images.files import load_mask
from semantic_guidance.painter.presets import Preset, RefineConfig
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.medium import Medium
from semantic_guidance.painting.painting import Painting
from semantic_guidance.renderer import render
from tests.conftest import EXAMPLES

HEIGHT, WIDTH, STROKES = 32, 48, 40
SHORT = Preset(side=32, refine=RefineConfig(steps=16), hand_steps=8)
STYLES = ["likeness", "alla-prima", "watercolor", "ink"]


class Album(Watch):
    """Keeps every so manieth sketch that could be had, and stops after some.

    Args:
        every: of how many times that it is asked it wants a sketch; never if 0.
        stop: after how many sketches; never if None.
    """

    def __init__(self, every: int = 1, stop: int | None = None) -> None:
        self.every, self.stop, self.asked = every, stop, 0
        self.easels: list[Easel] = []
        self.sketches: list[Sketch] = []

    @property
    def stopped(self) -> bool:
        return self.stop is not None and len(self.sketches) >= self.stop

    def due(self) -> bool:
        self.asked += 1
        return self.every > 0 and self.asked % self.every == 0

    def begin(self, easel: Easel) -> None:
        self.easels.append(easel)

    def sketch(self, sketch: Sketch) -> None:
        assert self.easels
        assert sum(each.count for each in sketch.layers) == len(sketch.strokes)
        self.sketches.append(sketch)


@pytest.fixture(scope="module")
def cup() -> tuple[torch.Tensor, Guidance]:
    image = resize(load_image(EXAMPLES / "coffee.jpg"), HEIGHT, WIDTH)
    return image, Guidance.from_mask(load_mask(EXAMPLES / "coffee_mask.png", HEIGHT, WIDTH))


def painter_of(style: str, preset: str | Preset = SHORT, **options: object) -> Painter:
    return Painter(style=style, preset=preset, strokes=STROKES, size=WIDTH, **options)


def plain(sketch: Sketch, easel: Easel) -> torch.Tensor:
    """A sketch, drawn by the plain renderer, layer by layer."""
    canvas = torch.tensor(easel.background).view(1, 3, 1, 1).expand(1, 3, HEIGHT, WIDTH).contiguous()
    if easel.start is not None:
        canvas = resize(easel.start, HEIGHT, WIDTH)[None]
    first = 0
    for each in sketch.painted:
        mask = None if each.mask is None else resize(easel.masks[each.mask], HEIGHT, WIDTH)[None]
        canvas = render(each.strokes, canvas, mask, backend="reference", ends=each.ends)
        first += len(each.strokes)
    assert first == len(sketch.strokes)
    return canvas[0]


def error(canvas: torch.Tensor, image: torch.Tensor) -> float:
    return float((canvas - image).square().mean())


def same(a: Painting, b: Painting) -> bool:
    kinds = [[(each.level, each.instance, each.mask, each.ends) for each in p.layers] for p in (a, b)]
    return kinds[0] == kinds[1] and torch.equal(a.strokes.pack(), b.strokes.pack())


@pytest.mark.parametrize("style", ["likeness", "alla-prima"])
def test_nothing_changes_for_being_looked_on_and_the_last_sketch_is_the_painting(cup, style):
    painter, album = painter_of(style), Album(every=6)
    painting = painter.paint(*cup, watch=album)
    assert same(painting, painter.paint(*cup))
    assert torch.equal(album.sketches[-1].strokes, painting.strokes.pack()[0])
    shown = [
        (each.count, each.mask, each.level, each.instance, each.ends) for each in album.sketches[-1].layers
    ]
    assert shown == [
        (len(each.strokes), each.mask, each.level, each.instance, each.ends) for each in painting.layers
    ]
    (easel,) = album.easels
    assert (easel.width, easel.height, easel.background) == (
        painting.width,
        painting.height,
        painting.background,
    )
    assert len(easel.masks) == len(painting.masks)
    assert all(torch.equal(a, b) for a, b in zip(easel.masks, painting.masks, strict=True))


@pytest.mark.parametrize("style", ["likeness", "alla-prima"])
def test_sketches_come_closer_and_closer(cup, style):
    album = Album(every=2)
    painter_of(style).paint(*cup, watch=album)
    some = [album.sketches[n * (len(album.sketches) - 1) // 5] for n in range(6)]
    errors = [error(plain(each, album.easels[0]), cup[0]) for each in some]
    assert errors[0] < error(plain(Sketch(), album.easels[0]), cup[0])
    assert min(errors[:2]) > 1.05 * min(errors[2:4])
    assert min(errors[2:4]) > min(errors[4:])
    assert len(album.sketches[0].strokes) < STROKES / 2


@pytest.mark.usefixtures("long")
def test_a_drawing_is_shown_line_by_line(cup):
    album, painter = Album(every=5), painter_of("ink")
    painting = painter.paint(*cup, watch=album)
    assert same(painting, painter.paint(*cup))
    assert torch.equal(album.sketches[-1].strokes, painting.strokes.pack()[0])
    counts = [len(each.strokes) for each in album.sketches]
    assert counts[0] < STROKES / 2
    assert len(set(counts)) >= 6
    assert max(counts) <= STROKES


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("after", [1, 7])
def test_what_is_there_when_it_is_stopped_is_the_painting(cup, style, after):
    album = Album(stop=after)
    painting = painter_of(style).paint(*cup, watch=album)
    assert len(album.sketches) == after + 1  # and the finished painting
    assert len(painting.strokes) <= STROKES
    assert torch.equal(album.sketches[-1].strokes, painting.strokes.pack()[0])
    flat = replace(painting, brush=Brush())
    empty = replace(flat, layers=())
    if len(painting.strokes) > 4:
        assert error(flat.canvas, cup[0]) < error(empty.canvas, cup[0])
    else:
        assert (style, after) in (
            ("ink", 1),
            ("ink", 4),
            ("alla-prima", 1),
            ("watercolor", 1),
            ("likeness", 1),
        )


@pytest.mark.parametrize("agent", ["planner", "semantic", "paper-dense"])
def test_every_agent_ends_a_draft(cup, agent):
    painter = Painter(agent, preset="draft", strokes=STROKES, size=WIDTH)
    album = Album(every=0, stop=0)
    early, whole = painter.paint(*cup, watch=album), painter.paint(*cup)
    assert 0 < len(early.strokes) <= len(whole.strokes)
    assert not same(early, whole)
    assert len(album.sketches) == 1
    assert len(album.easels[-1].masks) == len(early.masks)


@pytest.mark.parametrize("medium", [Medium(palette=4), Medium(palette=4, opaque=True)])
@pytest.mark.parametrize("style", ["likeness", "alla-prima"])
def test_what_is_ended_early_can_be_painted(cup, style, medium):
    painting = painter_of(style, medium=medium).paint(*cup, watch=Album(stop=4))
    assert 0 < len(torch.unique(painting.strokes.color[0], dim=0)) <= 4
    assert len(painting.strokes) <= STROKES


def test_nobody_who_wants_nothing_is_shown_anything_but_the_end(cup):
    album = Album(every=0)
    painter_of("alla-prima").paint(*cup, watch=album)
    assert len(album.sketches) == 1
    assert album.asked > 10


def test_a_region_is_shown_within_the_whole_painting(cup):
    image, guidance = cup
    before = painter_of("likeness", "draft", agent="planner").paint(image, guidance)
    region = torch.zeros(1, HEIGHT, WIDTH)
    region[:, 8:28, 14:40] = 1
    options = {"preset": replace(SHORT, refine=RefineConfig(steps=6)), "guide": "none"}
    album = Album(every=2)
    after = repaint(before, image, region, 20, watch=album, **options)
    assert same(after, repaint(before, image, region, 20, **options))
    assert torch.equal(album.sketches[-1].strokes, after.strokes.pack()[0])
    assert [len(each.masks) for each in album.easels] == [len(after.masks)]
    for sketch in album.sketches:
        assert torch.equal(sketch.strokes[:STROKES], before.strokes.pack()[0])
    errors = [
        error(plain(each, album.easels[0]), image) for each in album.sketches[:: len(album.sketches) - 1]
    ]
    assert errors[-1] < min(errors[0], error(plain(Sketch.of(before.layers), album.easels[0]), image))
    stopped = repaint(before, image, region, 20, watch=Album(stop=1), **options)
    assert STROKES < len(stopped.strokes) < len(after.strokes)


def test_a_picture_on_the_canvas_is_told_of(cup):
    album = Album(every=0)
    painting = painter_of("likeness", "draft", agent="planner", start=cup[0].flip(2)).paint(*cup, watch=album)
    assert album.easels[0].start is not None
    assert painting.start is not None
    assert torch.equal(album.easels[0].start, painting.start)


def test_a_job_that_is_stopped_keeps_what_is_there(tmp_path, cup):
    pixels = (cup[0].permute(1, 2, 0) * 255).byte().numpy()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    job = Job(tmp_path / "a.png", strokes=STROKES, size=WIDTH, out=tmp_path, baseline=True)
    result = run(job, watch=Album(stop=2))
    assert 0 < len(result.painting.strokes) < STROKES
    assert result.outputs["png"].is_file()
