"""What is attacked: each target writes a damaged file, or a folder of files, and has the program read it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import torch

from semantic_guidance.agents.files import load_agent
from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.medium import read_colors
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.core.settings import read_settings
from semantic_guidance.export.strokes_json import read_drawing, read_strokes
from semantic_guidance.guidance.files import read_guidance
from semantic_guidance.images.files import load_array, load_grey, load_mask, load_picture
from semantic_guidance.learning.config import PARTS
from semantic_guidance.painter.styles import Style
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.pigments import read_tubes
from tests.hostile import corpus, folders
from tests.hostile.containers import damaged_exif, mutated_safetensors, mutated_zip
from tests.hostile.mutate import (
    encoded,
    mutated_bytes,
    mutated_json,
    mutated_text,
)
from tests.hostile.target import GIGABYTE, Target, WrongEndError, hidden

PICTURES = 2.5 * GIGABYTE
"""What a picture of 300 million pixels may take, and what may hold such a picture."""

STARTS = "semantic-guidance: error: "


def command(folder: Path, *words: object, fine: tuple[int, ...] = (0,)) -> None:
    """Run the command line on files of the case.

    Raises:
        ValueError: it refused them, in one line.
        WrongEndError: another status, or more than that line.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in words])
    told = [line for line in err.getvalue().splitlines() if line.startswith(("skipped: ", STARTS))]
    if any(hidden(line) for line in told):
        raise WrongEndError(f"control characters in {told}")
    if status in fine:
        return
    said = err.getvalue().removesuffix("\n").rsplit("\n", 1)[-1]
    if status != 2 or not said.startswith(STARTS):
        raise WrongEndError(f"status {status}: {said}")
    raise ValueError(said.removeprefix(STARTS))


def only(folder: Path) -> Path:
    """The case's one file."""
    return next(path for path in folder.iterdir() if path.name.startswith("hostile"))


def reading(read: Callable[[Path], object]) -> Callable[[Random, Path], None]:
    """A function that has the case's one file read."""

    def call(rng: Random, folder: Path) -> None:
        read(only(folder))

    return call


def picture_file(rng: Random, folder: Path) -> None:
    """Write a damaged picture of any format; now and then a sound one of an odd kind."""
    found = corpus.pictures()
    kind = rng.choice(list(found))
    data = found[kind]
    if rng.random() > 0.05:
        data = mutated_bytes(data, rng, (found[rng.choice(list(found))],))
    (folder / f"hostile.{kind.split('-')[0].lower()}").write_bytes(data)


def exif_file(rng: Random, folder: Path) -> None:
    """Write a sound picture that is turned, with a damaged EXIF block."""
    block = damaged_exif(rng, rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 8, 0, 9, 65535)))
    kind = rng.choice(("JPEG", "JPEG", "PNG", "WEBP", "AVIF"))
    (folder / f"hostile.{kind.lower()}").write_bytes(
        corpus.with_exif(kind, rng.choice(("RGB", "RGB", "L")), block)
    )


def text_file(text: str, suffix: str) -> Callable[[Random, Path], None]:
    """A function that writes the text, damaged."""

    def make(rng: Random, folder: Path) -> None:
        data = encoded(mutated_text(text, rng), rng)
        if rng.random() < 0.15:
            data = mutated_bytes(data, rng)
        (folder / f"hostile{suffix}").write_bytes(data)

    return make


def palette_file(rng: Random, folder: Path) -> None:
    if rng.random() < 0.4:
        suffix, data = rng.choice(corpus.SWATCHES)
        (folder / f"hostile{suffix}").write_bytes(mutated_bytes(data, rng))
        return
    text = rng.choice((corpus.COLORS, corpus.GIMP, corpus.JASC))
    text_file(text, rng.choice((".txt", ".gpl", ".hex", ".pal")))(rng, folder)


def strokes_file(rng: Random, folder: Path) -> None:
    data = rng.choice(corpus.strokes_files())
    if rng.random() < 0.75:
        data = encoded(mutated_json(json.loads(data), rng), rng)
    else:
        data = mutated_bytes(data, rng, corpus.strokes_files())
    (folder / "hostile.json").write_bytes(data)


def guidance_file(rng: Random, folder: Path) -> None:
    data = corpus.guidance_file()
    if rng.random() < 0.75:
        data = encoded(mutated_json(json.loads(data), rng), rng)
    else:
        data = mutated_bytes(data, rng)
    (folder / "hostile.json").write_bytes(data)


def read_guidance_file(rng: Random, folder: Path) -> None:
    guidance = read_guidance(folder / "hostile.json", rng.choice((None, (18, 24), (36, 48)))).guidance
    for plane in (guidance.mask, guidance.focus, *(each.mask for each in guidance.instances)):
        assert plane.shape == guidance.mask.shape
        assert 0 <= float(plane.min()) <= float(plane.max()) <= 1
    for each in guidance.instances:
        assert 0 <= min(each.confidence, each.salience) <= max(each.confidence, each.salience) <= 1
        assert bool((each.mask <= guidance.mask).all())


def tensors_file(rng: Random, folder: Path) -> None:
    files = corpus.agents()
    kind = rng.choice(("window", "dense", "ltp", "int8"))
    data = mutated_safetensors(files[kind], rng, tuple(files.values()))
    (folder / "hostile.safetensors").write_bytes(data)


def torch_file(rng: Random, folder: Path) -> None:
    files = corpus.agents()
    data = mutated_zip(files[rng.choice(("torch", "torch", "sparse"))], rng, tuple(files.values()))
    (folder / "hostile.pkl").write_bytes(data)


def any_agent(rng: Random, folder: Path) -> None:
    rng.choice((tensors_file, tensors_file, torch_file))(rng, folder)


def with_photo(make: Callable[[Random, Path], object]) -> Callable[[Random, Path], None]:
    """A function that also writes a sound photograph."""

    def both(rng: Random, folder: Path) -> None:
        make(rng, folder)
        (folder / "photo.png").write_bytes(corpus.pictures()["PNG-RGB"])

    return both


def read_picture(rng: Random, folder: Path) -> None:
    path = only(folder)
    picture = load_picture(path)
    assert bool(torch.isfinite(picture.image).all())
    assert 0 <= float(picture.image.min()) <= float(picture.image.max()) <= 1
    load_array(path)


def read_mask(rng: Random, folder: Path) -> None:
    path = only(folder)
    assert 0 <= float(load_grey(path).min()) <= 1
    assert 0 <= float(load_mask(path, *rng.choice(((18, 24), (24, 18)))).min()) <= 1


SHAPES = ("svg", "exact.svg", "html", "plotter.json", "plotter.svg", "recipes.json")
FORMATS = ("json", "png", "height.png", *SHAPES)


def read_strokes_file(rng: Random, folder: Path) -> None:
    """Read, and write in another format, small."""
    drawing = read_drawing(folder / "hostile.json")
    small = dataclasses.replace(drawing, width=24, height=18)
    fits = abs(drawing.width * 18 - drawing.height * 24) <= 0.05 * drawing.width * 18
    name = rng.choice(FORMATS)
    painting = small if fits and rng.random() < 0.8 else None
    if painting is None:
        read_strokes(folder / "hostile.json")
        return
    (folder / "out").mkdir()
    exporter = EXPORTERS.get(name)
    exporter.write(painting, folder / "out" / f"hostile.{name}", None, lambda share: None)


def render_strokes(rng: Random, folder: Path) -> None:
    path, out = folder / "hostile.json", folder / "out"
    formats = ",".join(rng.sample([*FORMATS, "gif"], 2))
    words = rng.choice(((), ("--palette", "3"), ("--brush", "watercolor"), ("--background", "#204060")))
    command(folder, "render", path, "--out", out, "--size", 24, "--formats", formats, *words)


def repaint_strokes(rng: Random, folder: Path) -> None:
    words = ("--mask", folder / "photo.png", "--strokes", 2, "--preset", "draft", "--no-guidance")
    command(folder, "repaint", folder / "hostile.json", folder / "photo.png", *words, "--out", folder / "out")


def paint_hostile(rng: Random, folder: Path) -> None:
    """The damaged picture as photograph, mask, colours, canvas, background or brush."""
    bad, good = only(folder), folder / "photo.png"
    photo, words = rng.choice(
        (
            (bad, ()),
            (good, ("--mask", bad)),
            (good, ("--palette-from", bad)),
            (good, ("--start-canvas", bad)),
            (good, ("--background", bad, "--mask", good)),
            (good, ("--brush", bad)),
        )
    )
    words = words if "--mask" in words else (*words, "--no-guidance")
    common = ("--preset", "draft", "--agent", "planner", "--strokes", 3, "--size", 24, "--formats", "png")
    command(folder, "paint", photo, *words, *common, "--out", folder / "out")


def album(make: Callable[[Random, Path], None]) -> Callable[[Random, Path], None]:
    """Writes a folder of a sound picture and a damaged one."""

    def write(rng: Random, folder: Path) -> None:
        pictures = folder / "pictures"
        made_in = pictures / "damaged"
        made_in.mkdir(parents=True)
        make(rng, made_in)
        made = only(made_in)
        made.rename(pictures / f"damaged{rng.choice((made.suffix, '.jpg', '.png'))}")
        made_in.rmdir()
        (pictures / "sound.png").write_bytes(corpus.pictures()["PNG-RGB"])

    return write


def evaluate_album(rng: Random, folder: Path) -> None:
    words = ("--strokes", 2, "--methods", "planner+draft+unguided", "--out", folder / "out")
    command(folder, "evaluate", folder / "pictures", *words, fine=(0, 1))


def paint_with_agent(rng: Random, folder: Path) -> None:
    words = ("--no-guidance", "--preset", "draft", "--strokes", 4, "--size", 24, "--formats", "png")
    command(folder, "paint", folder / "photo.png", "--agent", only(folder), *words, "--out", folder / "out")


def export_agent(rng: Random, folder: Path) -> None:
    to = rng.choice(("seed", "int8"))
    command(folder, "export-agent", only(folder), "--to", to, "--out", folder / "out")


def finite_brush(rng: Random, folder: Path) -> None:
    levels = Brush.of(only(folder)).levels
    assert levels is not None
    assert bool(np.isfinite(levels).all())


SETTINGS = """seed = 1

[learn]
batch_size = 4
discount = 0.95

[data]
canvas_size = 64
dataset = "cub200"
"""

PICTURE_TARGETS: dict[str, Target] = {
    "picture": Target(picture_file, read_picture, 120, 3, PICTURES),
    "mask": Target(picture_file, read_mask, 80, 2, PICTURES),
    "exif": Target(exif_file, read_picture, 80),
    "exif mask": Target(exif_file, read_mask, 40, 0.5),
    "brush": Target(picture_file, finite_brush, 60, 0.5, PICTURES),
    "palette": Target(palette_file, reading(lambda path: read_colors(str(path))), 100, 0.5),
    "style": Target(text_file(corpus.STYLE, ".toml"), reading(Style.of), 100, 0.5),
    "tubes": Target(text_file(corpus.TUBE, ".toml"), reading(read_tubes), 100, 0.5),
    "settings": Target(
        text_file(SETTINGS, ".toml"), reading(lambda path: read_settings(path, PARTS)), 100, 0.5
    ),
    "paint": Target(with_photo(picture_file), paint_hostile, 8, 2, PICTURES),
    "evaluate": Target(album(picture_file), evaluate_album, 1, 0.5, PICTURES),
    "evaluate exif": Target(album(exif_file), evaluate_album, 1, 0.5, PICTURES),
}

FILE_TARGETS: dict[str, Target] = {
    "strokes": Target(strokes_file, read_strokes_file, 60, 3),
    "render": Target(strokes_file, render_strokes, 20, 2),
    "repaint": Target(with_photo(strokes_file), repaint_strokes, 3),
    "guidance": Target(guidance_file, read_guidance_file, 60, 1),
    "agent": Target(tensors_file, reading(load_agent), 70, 2),
    "checkpoint": Target(torch_file, reading(load_agent), 30, 2),
    "paint with agent": Target(with_photo(any_agent), paint_with_agent, 6, 2),
    "export-agent": Target(any_agent, export_agent, 10),
    "cars196": Target(folders.cars, folders.read_cars, 40, 2),
    "cub200": Target(folders.cub, folders.read_cub, 40, 2),
    "vkitti": Target(folders.kitti, folders.read_kitti, 25),
    "folder": Target(folders.plain, folders.read_plain, 25, 0.5),
    "cutouts": Target(folders.cutouts, folders.read_cutouts, 25),
    "photographs": Target(folders.photographs, folders.read_photographs, 25, 0.5),
    "preprocess": Target(
        folders.cub_astray,
        lambda rng, folder: command(folder, *folders.preprocessing(folder), fine=(0, 1)),
        2,
    ),
}

TARGETS = PICTURE_TARGETS | FILE_TARGETS
