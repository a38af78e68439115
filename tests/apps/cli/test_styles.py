"""Other colours and backgrounds, canvases that are not empty, and paintings without one."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance import Guidance, Painter
from semantic_guidance.apps.cli.main import main
from semantic_guidance.core.resample import resample
from semantic_guidance.export.strokes_json import read_strokes
from semantic_guidance.images.color import to_lab
from semantic_guidance.images.files import load_image, load_picture
from semantic_guidance.images.restyle import cover, replace_background, transfer_colors, unlike, without_white

pytestmark = pytest.mark.usefixtures("looks_once")

QUICK = ["--strokes", "12", "--preset", "draft", "--size", "48", "--agent", "planner"]


def random_picture(seed: int, scale: tuple[float, float, float] = (0.4, 0.3, 0.5)) -> torch.Tensor:
    noise = torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(seed))
    mixed = torch.tensor([[1.0, 0.4, 0.1], [0.1, 1.0, 0.3], [0.2, 0.0, 1.0]]) @ noise.flatten(1)
    return (0.25 + torch.tensor(scale)[:, None] * (mixed - 0.6)).clamp(0, 1).reshape(3, 40, 60)


def test_transferred_colors_have_the_moments_of_the_others():
    picture, reference = random_picture(0, (0.2, 0.2, 0.2)), random_picture(1, (0.25, 0.1, 0.15)) + 0.2
    moved = to_lab(transfer_colors(picture, reference).flatten(1).T.numpy())
    wanted = to_lab(reference.flatten(1).T.numpy())
    assert np.allclose(moved.mean(axis=0), wanted.mean(axis=0), atol=0.3)
    assert np.allclose(np.cov(moved.T), np.cov(wanted.T), atol=0.05 * np.cov(wanted.T).max())
    assert torch.allclose(transfer_colors(picture, picture), picture, atol=0.01)


def test_colors_of_a_grey_picture():
    grey = random_picture(0).mean(dim=0, keepdim=True).expand(3, -1, -1)
    moved = transfer_colors(random_picture(1), grey)
    assert (moved.amax(dim=0) - moved.amin(dim=0)).max() < 0.05
    assert transfer_colors(torch.full((3, 4, 4), 0.5), random_picture(1)).isfinite().all()


def test_backgrounds():
    picture, mask = random_picture(0), torch.zeros(1, 40, 60)
    mask[:, 10:20, 10:20] = 1
    mask[:, 20, 10:20] = 0.5
    flat = replace_background(picture, mask, (0.1, 0.2, 0.3))
    assert torch.equal(flat[:, 10:20, 10:20], picture[:, 10:20, 10:20])
    assert flat[:, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3])
    half = 0.5 * picture[:, 20, 12] + 0.5 * torch.tensor([0.1, 0.2, 0.3])
    assert torch.allclose(flat[:, 20, 12], half)
    behind = replace_background(picture, mask, random_picture(2).repeat(1, 2, 2))
    assert torch.allclose(behind[:, 30, 30], cover(random_picture(2).repeat(1, 2, 2), 40, 60)[:, 30, 30])


@pytest.mark.parametrize("shape", [(30, 90), (90, 30), (1, 1), (1, 500), (40, 60)])
def test_cover_fills_and_keeps_the_middle(shape):
    picture = torch.zeros(3, *shape)
    picture[:, shape[0] // 2, shape[1] // 2] = 1
    covered = cover(picture, 40, 60)
    assert covered.shape == (3, 40, 60)
    row, column = divmod(int(covered[0].argmax()), 60)
    if shape != (1, 1) and shape != (1, 500):
        assert abs(row - 20) <= 2
        assert abs(column - 30) <= 2


def test_start_canvas(tmp_path):
    start = random_picture(3)
    picture = start.clone()
    picture[:, 5:15, 5:25] = torch.tensor([0.9, 0.1, 0.1]).view(3, 1, 1)
    painting = Painter("planner", strokes=3, size=60, start=start).paint(picture, Guidance.none(40, 60))
    assert torch.allclose(painting.blank(), start, atol=0.003)
    assert ((painting.canvas - picture) ** 2).mean() < 0.1 * ((start - picture) ** 2).mean()
    painting.save(tmp_path / "a.json")
    again = read_strokes(tmp_path / "a.json")
    assert torch.equal(again.canvas, painting.canvas)
    again.save(tmp_path / "b.json")
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()
    painting.save(tmp_path / "a.svg")
    assert "<image " in (tmp_path / "a.svg").read_text()


def test_start_color():
    painter = Painter("planner", "draft", strokes=1, size=60, start=(0.0, 0.5, 1.0))
    painting = painter.paint(random_picture(0), Guidance.none(40, 60))
    assert painting.background == (0, 0.5, 1)
    assert painting.blank()[:, 0, 0].tolist() == [0, 0.5, 1]


def test_cut_out(painting, tmp_path):
    """The strokes over any canvas are what they are on it."""
    rgba = replace(painting, transparent="painting").cut_out()
    shade = torch.tensor([0.9, 0.3, 0.5]).view(3, 1, 1)
    over = rgba[:3] * rgba[3:] + shade * (1 - rgba[3:])
    on_it = replace(painting, background=(0.9, 0.3, 0.5)).canvas
    assert torch.allclose(over, on_it, atol=1e-3)
    alone = replace(painting, transparent="object").cut_out()
    assert torch.equal(alone[:3], painting.canvas.clamp(0, 1))
    assert alone[3, 30, 50] == 1
    assert alone[3, 2, 2] == 0
    for name in ("a.png", "a.webp"):
        replace(painting, transparent="object").save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.mode == "RGBA"
            assert np.asarray(image)[2, 2, 3] == 0
    replace(painting, transparent="object").save(tmp_path / "a.jpg")
    assert torch.equal(painting.blank(), replace(painting, transparent="painting").blank())
    replace(painting, transparent="object").save(tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert 'id="object"' in text


def test_unclipped_objects_are_where_their_strokes_are(painting):
    layers = (painting.layers[0], replace(painting.layers[1], mask=None))
    unknown = replace(painting, guidance=Guidance.none())
    alpha = replace(unknown, layers=layers, transparent="object").cut_out()[3]
    strokes = replace(unknown, layers=layers[1:], transparent="painting").cut_out()[3]
    assert torch.equal(alpha, strokes)
    known = replace(painting, layers=layers, transparent="object").cut_out()[3]
    assert torch.equal(known, torch.maximum(alpha, resample(painting.guidance.mask, 64, 96)[0]))


def test_objects_without_strokes_are_cut_out_too(painting):
    bare = replace(painting, layers=painting.layers[:1])
    alpha = replace(bare, transparent="object").cut_out()[3:]
    assert torch.equal(alpha, resample(painting.guidance.mask, 64, 96))
    with pytest.raises(ValueError, match="transparent: there is no object in the painting, wanted"):
        replace(bare, guidance=Guidance.none(), transparent="object")


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A red disc on nothing, 60 x 40."""
    y, x = np.mgrid[:40, :60]
    alpha = np.clip(11 - np.hypot(x - 30, y - 20), 0, 1)[..., None]
    pixels = np.concatenate([np.broadcast_to((200, 30, 30), (40, 60, 3)), 255 * alpha], axis=2)
    path = tmp_path / "cut.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def test_alpha_of_files(cut, photo, tmp_path):
    alpha = load_picture(cut).alpha
    assert alpha is not None
    assert alpha.shape == (1, 40, 60)
    assert (alpha[0, 20, 30], alpha[0, 0, 0]) == (1, 0)
    assert load_picture(photo).alpha is None
    Image.new("RGBA", (9, 9), (1, 2, 3, 255)).save(tmp_path / "solid.png")
    assert load_picture(tmp_path / "solid.png").alpha is None
    bare = without_white(load_image(cut), alpha)
    inside = alpha.expand(3, -1, -1) > 0.1
    assert torch.allclose(
        bare[inside], torch.tensor([200, 30, 30]).view(3, 1, 1).expand(3, 40, 60)[inside] / 255, atol=0.05
    )


def test_unlike():
    picture = torch.tensor([0.9, 0.4, 0.1]).view(3, 1, 1).expand(3, 20, 20).clone()
    assert unlike(picture) == (0, 1, 1)
    picture[:, :10] = torch.tensor([0.0, 1.0, 1.0]).view(3, 1, 1)
    assert unlike(picture) not in ((0, 1, 1), (1, 0, 0))
    hidden = torch.ones(1, 20, 20)
    hidden[:, :10] = 0
    assert unlike(picture, hidden) == (0, 1, 1)


def test_a_transparent_picture_stays_so(cut, tmp_path, capsys):
    argv = ["paint", str(cut), *QUICK, "--preset", "standard", "--out", str(tmp_path), "--json"]
    argv += ["--formats", "png,json", "--transparent"]
    assert main(argv) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["foreground_strokes"] == summary["strokes"]
    assert summary["mse"] < 0.02
    with Image.open(tmp_path / "cut_painted.png") as image:
        pixels = np.asarray(image)
    assert pixels[0, 0, 3] == 0
    assert pixels[16, 24, 3] > 250
    argv = ["render", str(tmp_path / "cut_painted.json"), "--transparent", "--out", str(tmp_path / "again")]
    assert main(argv) == 0
    assert (tmp_path / "again" / "cut_painted.png").read_bytes() == (
        tmp_path / "cut_painted.png"
    ).read_bytes()


def test_a_picture_from_a_pipe(cut, tmp_path):
    """It can be read but once, and its size and its transparency are wanted, too."""
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(cut.read_bytes()), daemon=True).start()
    argv = ["paint", str(tmp_path / "pipe"), *QUICK, "--transparent=object", "--formats", "png"]
    assert main([*argv, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "pipe_painted.png").exists()


def test_flags(photo, photo_mask, tmp_path, capsys):
    Image.new("RGB", (30, 50), (20, 30, 200)).save(tmp_path / "blue.png")
    argv = ["paint", str(photo), *QUICK, "--mask", str(photo_mask), "--formats", "png", "--json"]

    def paint(*flags: str) -> tuple[dict, np.ndarray]:
        assert main([*argv, "--out", str(tmp_path / "out"), *flags]) == 0
        summary = json.loads(capsys.readouterr().out)
        return summary, np.asarray(Image.open(summary["outputs"]["png"]).convert("RGBA"))

    summary, pixels = paint("--background", "#102030")
    assert summary["foreground_strokes"] == summary["strokes"]
    assert pixels[0, 0].tolist() == [16, 32, 48, 255]
    summary, pixels = paint("--background", str(tmp_path / "blue.png"))
    assert summary["foreground_strokes"] < summary["strokes"]
    assert pixels[1, 1, 2] > 150 > pixels[1, 1, 0]
    _, pixels = paint("--palette-from", str(tmp_path / "blue.png"))
    assert pixels[..., 2].mean() > 1.5 * pixels[..., 0].mean()
    none = ("--foreground-share", "0")
    for flags in (("--start-canvas", "#fff"), none, ("--agent", "baseline"), ("--agent", "baseline", *none)):
        _, pixels = paint(*flags, "--transparent", "object")
        assert pixels[0, 0, 3] == 0
        assert pixels[16, 24, 3] == 255


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--palette-from", "none.png"], "none.png: no such file, wanted a picture"),
        (["--background", "none.png"], "--background: none.png: no such file, wanted a picture, or a colour"),
        (["--background", "#12"], "--background: '#12' is not a colour"),
        (["--background", "#fff", "--baseline"], "--background: --baseline knows no object"),
        (["--start-canvas", "#1234567"], "--start-canvas: '#1234567' is not a colour"),
        (["--start-canvas", "."], ".: this is a directory, wanted a picture"),
        (["--transparent=all"], "--transparent: invalid choice: 'all'"),
        (
            ["--transparent", "--formats", "jpg,mp4"],
            "wanted one of png, webp, webm, gif, anim.webp, apng, mov, mkv, frames, svg, exact.svg",
        ),
        (["--transparent", "object", "--baseline"], "--transparent: --baseline knows no object"),
    ],
)
def test_bad_flags(photo, capsys, tmp_path, monkeypatch, flags, complaint):
    monkeypatch.chdir(tmp_path)
    assert main(["paint", str(photo), *QUICK, *flags, "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.startswith("semantic-guidance: error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flags", [["--background", "#fff"], ["--transparent", "object"]])
def test_pictures_without_an_object(photo, capsys, tmp_path, monkeypatch, flags):
    monkeypatch.setattr(
        "semantic_guidance.guidance.Guide.__call__", lambda self, image: Guidance.none(40, 60)
    )
    assert main(["paint", str(photo), *QUICK, *flags, "--out", str(tmp_path / "out")]) == 2
    assert f"{flags[0]}: there is no object in the picture, wanted --mask" in capsys.readouterr().err
