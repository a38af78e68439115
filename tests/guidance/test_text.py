"""Lines of text where they were written, and none in what only repeats."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from semantic_guidance.guidance import Guide
from semantic_guidance.guidance.text import TextLine, find_text, text_focus


def tensor(picture: Image.Image | np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255


def written(words: str, size: int, dark: bool = True, width: int = 640, turn: float = 0.0):
    """A sheet with words on it, and their box (left, top, right, bottom)."""
    sheet = Image.new("RGB", (width, 240), (236, 230, 214) if dark else (24, 40, 66))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size)
    pen.text((40, 90), words, (20, 20, 30) if dark else (250, 248, 240), font)
    box = pen.textbbox((40, 90), words, font)
    return sheet.rotate(turn, resample=Image.Resampling.BICUBIC, fillcolor=sheet.getpixel((0, 0))), box


def overlap(line: TextLine, box: tuple[float, float, float, float]) -> float:
    """Intersection over union of the line's box and (left, top, right, bottom)."""
    x, y, w, h = line.box
    wide = min(x + w, box[2]) - max(x, box[0])
    high = min(y + h, box[3]) - max(y, box[1])
    both = max(0.0, wide) * max(0.0, high)
    return both / (w * h + (box[2] - box[0]) * (box[3] - box[1]) - both)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("size", [16, 26, 60, 90])
def test_a_line_is_found_where_it_was_written(size, dark):
    sheet, box = written("Harbour Street" if size < 80 else "Harbour", size, dark)
    lines = find_text(tensor(sheet))
    assert len(lines) == 1
    assert overlap(lines[0], box) > 0.7


def test_a_rising_line_is_found_along_its_slope():
    sheet, _ = written("Open every day", 34, turn=8)
    (line,) = find_text(tensor(sheet))
    (x0, y0), (x1, y1) = line.start, line.end
    assert math.degrees(math.atan2(y0 - y1, x1 - x0)) == pytest.approx(8, abs=2)
    # Turned about the middle of the sheet, (320, 120): the words began at (40, 110) or so.
    angle = math.radians(8)
    want = (320 - 280 * math.cos(angle), 120 + 280 * math.sin(angle) - 10)
    assert math.dist(line.start, want) < 20


def stripes(across: int) -> np.ndarray:
    return np.broadcast_to((np.arange(400) // across % 2 * 180 + 40)[None, :, None], (300, 400, 3))


def windows() -> np.ndarray:
    wall = np.full((300, 400, 3), 180, np.uint8)
    for top in range(20, 280, 40):
        for left in range(20, 380, 24):
            wall[top : top + 18, left : left + 12] = 50
    return wall


def leaves() -> np.ndarray:
    """Thousands of ellipses of all directions and tones, one over another."""
    rng = np.random.default_rng(0)
    sheet = Image.new("RGB", (400, 300), (40, 60, 30))
    pen = ImageDraw.Draw(sheet)
    for x, y, angle, tone in zip(*(rng.random((4, 3000)) * [[400], [300], [math.pi], [150]]), strict=True):
        along, across = (
            np.array([math.cos(angle), math.sin(angle)]),
            np.array([-math.sin(angle), math.cos(angle)]),
        )
        points = [(x, y) + 9 * along, (x, y) + 3 * across, (x, y) - 9 * along, (x, y) - 3 * across]
        pen.polygon([tuple(point) for point in points], (int(tone) // 2, 40 + int(tone), int(tone) // 3))
    return np.array(sheet)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, 400, 3))


def board() -> np.ndarray:
    rows, columns = np.mgrid[:300, :400] // 16
    return np.repeat(((rows + columns) % 2 * 200 + 30)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    "picture", [noise(), stripes(5), stripes(12), board(), windows(), leaves()],
    ids=["noise", "fine stripes", "stripes", "board", "windows", "leaves"],
)  # fmt: skip
def test_what_only_repeats_is_no_text(picture):
    assert find_text(tensor(picture.astype(np.uint8))) == []


@pytest.mark.parametrize("name", ["brick", "grass", "gravel", "coins", "chelsea"])
def test_photographs_without_text_have_none(name):
    data = pytest.importorskip("skimage.data", reason="needs scikit-image's sample photographs")
    pixels = getattr(data, name)()
    assert find_text(tensor(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2))) == []


def test_a_page_is_read_line_by_line():
    data = pytest.importorskip("skimage.data", reason="needs scikit-image's sample photographs")
    lines = find_text(tensor(np.repeat(data.page()[..., None], 3, 2)))
    # Of its eight lines of print at least five, the heading among them.
    assert len({round(line.box[1] / 12) for line in lines}) >= 5
    assert any(overlap(line, (6, 10, 292, 32)) > 0.6 for line in lines)


def test_focus_is_one_on_the_line_and_fades():
    line = TextLine((20.0, 30.0), (80.0, 30.0), 10.0, 6)
    focus = text_focus([line], 60, 100)
    assert line.box == (20, 25, 60, 10)
    assert bool((focus[0, 25:35, 20:80] == 1).all())
    assert float(focus[0, 37, 50]) == pytest.approx(0.5)  # two and a half pixels below, of five
    assert float(focus[0, 41:].max()) == float(focus[0, :, :14].max()) == 0


def test_text_is_in_the_focus_where_there_is_no_object():
    sheet, (left, top, right, bottom) = written("Harbour Street", 40)
    image = tensor(sheet)
    inside = Guide(faces=False)(image).focus[0, top:bottom, left:right]
    assert float((inside > 0.9).float().mean()) > 0.8
    assert float(Guide(focus=False, faces=False)(image).focus.max()) == 0


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 140), seed=st.integers(0, 99), words=st.booleans())
def test_any_size_has_lines_within_it(height, width, seed, words):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    sheet = Image.fromarray(pixels)
    if words:
        sheet.paste((255, 255, 255), (0, 0, width, height))
        ImageDraw.Draw(sheet).text((2, 2), "Harbour Street", (0, 0, 0), ImageFont.load_default(8 + seed % 30))
    lines = find_text(tensor(sheet))
    for line in lines:
        x, y, w, h = line.box
        assert -h < x <= x + w < width + h
        assert -h < y <= y + h < height + h
    focus = text_focus(lines, height, width)
    assert focus.shape == (1, height, width)
    assert 0 <= float(focus.min()) <= float(focus.max()) <= 1


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="image has shape"):
        find_text(torch.zeros(1, 20, 20))
