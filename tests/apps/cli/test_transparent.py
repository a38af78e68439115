"""Pictures that are transparent themselves: what is painted of them is as transparent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.jobs import Job, run
from semantic_guidance.export.strokes_json import read_drawing
from semantic_guidance.painter.repaint import repaint

pytestmark = pytest.mark.usefixtures("looks_once")

SIZE = (60, 40)
BLUE = np.array([0x20, 0x40, 0x60]) / 255


def saved(path: Path, alpha: np.ndarray, color: np.ndarray | None = None, **options: int) -> Path:
    """A picture ``[40, 60]`` of some alpha: a colour gradient, or a colour, and garbage where it is 0."""
    x, y = np.meshgrid(np.linspace(0, 1, SIZE[0]), np.linspace(0, 1, SIZE[1]))
    colors = np.stack([0.2 + 0.6 * x, 0.7 - 0.4 * y, 0.3 * x * y], axis=2) if color is None else color
    alpha = np.broadcast_to(alpha, SIZE[::-1])[..., None]
    colors = np.where(alpha == 0, [1, 0, 1], colors)
    Image.fromarray((np.concatenate([colors, alpha], axis=2) * 255).round().astype(np.uint8)).save(
        path, **options
    )
    return path


def rgba(path: Path, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture ``[h, w, 4]`` in [0, 1], resized with its colours times alpha, which is how it stays."""
    with Image.open(path) as image:
        return (
            np.asarray(image.convert("RGBA").convert("RGBa").resize(size, Image.Resampling.BOX), float) / 255
        )


def over(picture: np.ndarray, shade: float) -> np.ndarray:
    return picture[..., :3] + shade * (1 - picture[..., 3:])


def paint(path: Path, out: Path, *flags: str, strokes: int = 10) -> int:
    """Quickly."""
    quick = ["--strokes", str(strokes), "--preset", "draft", "--size", "60", "--out", str(out)]
    return main(["paint", str(path), *quick, *flags])


PLANNED = ("--agent", "planner")
FADE = np.linspace(1, 0, SIZE[0])
DISC = np.hypot(*np.meshgrid(np.linspace(-1.5, 1.5, 60), np.linspace(-1, 1, 40)))
SHADOW = np.clip(1.2 - DISC, 0, 1) * 100 / 255


@pytest.mark.parametrize(("what", "flags"), [("painting", []), ("object", PLANNED)])
def test_what_fades_fades(tmp_path, what, flags):
    """Its alpha is the picture's, and it is as like it over black as over white."""
    fade = saved(tmp_path / "fade.png", FADE * (DISC < 0.8))
    argv = [*flags, f"--transparent={what}", "--formats", "png"]
    assert paint(fade, tmp_path, *argv, strokes=60) == 0
    got, wanted = rgba(tmp_path / "fade_painted.png"), rgba(fade)
    assert np.abs(got[..., 3] - wanted[..., 3]).mean() < 0.02
    for shade in (0, 1):
        assert ((over(got, shade) - over(wanted, shade)) ** 2).mean() < 0.003


def test_it_is_as_good_as_an_opaque_painting(tmp_path):
    """Of the same picture, laid over black and over white."""
    fade = saved(tmp_path / "fade.png", FADE * (DISC < 0.95))
    assert paint(fade, tmp_path, *PLANNED, "--transparent", "--formats", "png", strokes=60) == 0
    got = rgba(tmp_path / "fade_painted.png")
    for shade in (0, 1):
        flat = over(rgba(fade), shade)
        Image.fromarray((255 * flat).round().astype(np.uint8)).save(tmp_path / "flat.png")
        assert paint(tmp_path / "flat.png", tmp_path, *PLANNED, "--formats", "png", strokes=60) == 0
        opaque = rgba(tmp_path / "flat_painted.png")[..., :3]
        assert ((over(got, shade) - flat) ** 2).mean() < 1.3 * ((opaque - flat) ** 2).mean()


def test_a_soft_shadow_stays_one(tmp_path):
    shadow = saved(tmp_path / "shadow.png", SHADOW, np.zeros(3))
    assert paint(shadow, tmp_path, *PLANNED, "--transparent", "--formats", "png") == 0
    got = rgba(tmp_path / "shadow_painted.png")
    assert np.abs(got[..., 3] - SHADOW).mean() < 0.01
    assert np.abs(over(got, 1) - (1 - SHADOW[..., None])).max() < 0.05


@pytest.mark.parametrize("name", ["a.webp", "grey.png", "palette.png", "even.png"])
def test_other_files_with_alpha(tmp_path, name):
    """Grey with alpha, palettes with it, WebP, and what is everywhere half transparent."""
    alpha = np.full(SIZE[::-1], 128 / 255) if name == "even.png" else FADE * (DISC < 0.95)
    path = saved(tmp_path / name, alpha, lossless=True) if name == "a.webp" else saved(tmp_path / name, alpha)
    with Image.open(path) as image:
        picture = image.copy()
    if name == "grey.png":
        picture.convert("LA").save(path)
    if name == "palette.png":
        picture.quantize(64).save(path)
    assert paint(path, tmp_path / "out", *PLANNED, "--transparent", "--formats", "png") == 0
    got = rgba(tmp_path / "out" / f"{path.stem}_painted.png")
    assert np.abs(got[..., 3] - rgba(path)[..., 3]).mean() < 0.02


def test_colours_that_are_not_seen_do_not_count(tmp_path):
    alpha = (DISC < 0.7).astype(float)
    for name, garbage in (("one", 0), ("two", 255)):
        saved(tmp_path / f"{name}.png", alpha)
        with Image.open(tmp_path / f"{name}.png") as image:
            pixels = np.array(image)
        pixels[pixels[..., 3] == 0, :3] = garbage
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        assert paint(tmp_path / f"{name}.png", tmp_path, *PLANNED, "--transparent", "--formats", "png") == 0
    one, two = (np.array(Image.open(tmp_path / f"{name}_painted.png")) for name in ("one", "two"))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("alpha", [np.clip(6 - 8 * DISC, 0, 1), np.ones(60)], ids=["cut", "opaque"])
def test_nobody_sees_a_canvas_that_was_to_be_covered(tmp_path, alpha):
    """Red, unlike which is cyan: in no format, nor in what is made of the strokes later, is any of it."""
    red = saved(tmp_path / "red.png", alpha, np.array([0.8, 0.1, 0.1]))
    formats = ["--formats", "png,jpg,gif,html,json", "--duration", "0.5"]
    assert paint(red, tmp_path, "--transparent", *formats) == 0
    strokes, again = tmp_path / "red_painted.json", ["--out", str(tmp_path / "again"), "--formats", "png,jpg"]
    assert main(["render", str(strokes), *again]) == 0
    page = json.loads(
        (tmp_path / "red_painted.html").read_text().split('"application/json">')[1].split("</script")[0]
    )
    for color in (read_drawing(strokes).background, page["background"], page["beyond"]):
        assert color[0] >= max(color[1:])
    with av.open(str(tmp_path / "red_painted.gif")) as film:
        shown = [frame.to_ndarray(format="rgb24") / 255 for frame in film.decode(video=0)]
    stills = (tmp_path / "red_painted.jpg", tmp_path / "again" / "red_painted.png")
    shown += [np.asarray(Image.open(path).convert("RGB")) / 255 for path in stills]
    pixels = np.asarray(Image.open(tmp_path / "red_painted.png")) / 255
    shown.append(pixels[pixels[..., 3] > 0.02][None])
    for picture in shown:  # over white, red is never less than the other two
        assert (picture[..., 0] - picture[..., 1:3].max(axis=2)).min() > -0.1


@pytest.mark.parametrize(("flag", "ground"), [("--background", BLUE), ("--start-canvas", BLUE), (None, 1)])
def test_it_lies_on_what_is_asked_for(tmp_path, flag, ground):
    shadow = saved(tmp_path / "shadow.png", SHADOW, np.zeros(3))
    flags = [] if flag is None else [flag, "#204060"]
    clear = [] if flag else ["--transparent"]
    assert paint(shadow, tmp_path, *PLANNED, *flags, *clear, "--formats", "png,jpg") == 0
    shown = np.asarray(Image.open(tmp_path / "shadow_painted.jpg"), float) / 255
    assert np.abs(shown - ground * (1 - SHADOW[..., None])).max() < 0.06


def test_what_cannot_be_seen_is_said(tmp_path, capsys):
    white = saved(tmp_path / "white.png", (DISC < 0.5).astype(float), np.ones(3))
    said = "semantic-guidance: note: {} is transparent, and can hardly be told from the {} it is laid over"
    quick = (white, tmp_path, *PLANNED, "--formats", "png")
    for flags, seen in ((["--json"], "white"), (["--start-canvas", "#fdfdfd"], "canvas")):
        assert paint(*quick, *flags, strokes=2) == 0
        error = capsys.readouterr().err
        assert said.format(white, seen) in error
        assert "--transparent keeps it transparent, --background or --start-canvas" in error
    for flags in (["--transparent"], ["--background", "#204060"]):
        assert paint(*quick, *flags, strokes=2) == 0
        assert "note" not in capsys.readouterr().err


def test_what_is_not_there(tmp_path, capsys):
    empty = saved(tmp_path / "empty.png", np.zeros(60))
    assert paint(empty, tmp_path, *PLANNED, "--formats", "png", strokes=2) == 0
    assert "empty.png is wholly transparent: there is nothing" in capsys.readouterr().err
    for what in ("painting", "object"):
        assert paint(empty, tmp_path / "out", f"--transparent={what}", "--formats", "png") == 2
        error = capsys.readouterr().err
        assert "--transparent: " in error
        assert "empty.png is wholly transparent, wanted a picture that shows something" in error
    assert not (tmp_path / "out").exists()


def test_repainted_parts_are_no_fainter(tmp_path):
    fade = saved(tmp_path / "fade.png", np.full(60, 0.5))
    job = Job(
        fade, strokes=30, size=60, preset="draft", agent="planner", transparent="painting", out=tmp_path
    )
    result = run(replace(job, formats=("png",)))
    region = result.painting.canvas.new_zeros(1, 40, 60)
    region[:, 10:30, 15:45] = 1
    again = repaint(result.painting, fade, region, 20, preset="draft", guide="none")
    assert again.cover is not None
    wanted = over(rgba(fade), 1)[10:30, 15:45]
    shown = again.canvas.permute(1, 2, 0).numpy()[10:30, 15:45]
    assert ((shown - wanted) ** 2).mean() < 0.004


def test_repainted_of_the_opaque_photograph_it_is_no_darker(tmp_path):
    """What was cut out of a photograph may be painted over of that: its colours are those of the cut-out."""
    faint = saved(tmp_path / "faint.png", np.full(60, 0.4))
    Image.open(faint).convert("RGB").save(tmp_path / "whole.png")
    Image.new("L", SIZE, 255).save(tmp_path / "all.png")
    assert paint(faint, tmp_path, "--transparent", "--formats", "png,json", *PLANNED) == 0
    words = ["--mask", tmp_path / "all.png", "--strokes", "30", "--preset", "draft", "--style", "likeness"]
    argv = ["repaint", tmp_path / "faint_painted.json", tmp_path / "whole.png", *words, "--no-guidance"]
    assert main([*map(str, argv), "--out", str(tmp_path / "again.json")]) == 0
    shown = read_drawing(tmp_path / "again.json").canvas.transpose(1, 2, 0)
    assert ((shown - over(rgba(faint), 1)) ** 2).mean() < 0.002
