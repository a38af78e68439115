"""Paints the pictures of the README from the examples: ``make pictures``."""

from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from semantic_guidance import Guidance, Guide, Painter, load_image, save
from semantic_guidance.core.plugins import STYLES
from semantic_guidance.export.overlay import guidance_overlay
from semantic_guidance.images.arrays import resize_array, to_bytes
from semantic_guidance.images.files import load_mask
from semantic_guidance.images.restyle import replace_background, transfer_colors
from semantic_guidance.painter.presets import DEFAULT_STYLE
from semantic_guidance.painting.brushes import BRUSHES, Brush
from semantic_guidance.painting.medium import Medium

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
HEIGHT = 300
WIDTH = 360
FILM = (0.0, 0.06, 0.2, 0.4, 0.65, 1.0)
COUNTS = {"pointillist": 4000, "pencil": 2000, "colored-pencil": 2000, "ink": 1500}
"""Strokes of the styles that need more than others."""


def fit(picture: Tensor, height: int) -> Tensor:
    """`picture` ``[3, H, W]`` at another height."""
    width = round(picture.shape[2] * height / picture.shape[1])
    return torch.from_numpy(resize_array(picture.permute(1, 2, 0).numpy(), height, width)).permute(2, 0, 1)


def squared(picture: Tensor, side: int) -> Image.Image:
    """The middle of ``[3, H, W]`` on `side` x `side` pixels."""
    tile = Image.fromarray(to_bytes(picture))
    shorter = min(tile.size)
    over = [(length - shorter) // 2 for length in tile.size]
    square = tile.crop((*over, over[0] + shorter, over[1] + shorter))
    return square.resize((side, side), Image.Resampling.LANCZOS)


def brushes() -> None:
    """Write ``pictures/brushes.jpg``: one set of strokes with every brush."""
    photo = load_image(EXAMPLES / "coffee.jpg")
    mask = load_mask(EXAMPLES / "coffee_mask.png", *photo.shape[1:])
    painting = Painter(strokes=600, size=1400).paint(photo, Guidance.from_mask(mask))
    views = [fit(replace(painting, brush=Brush(name)).canvas, 300) for name in BRUSHES if name != "flat"]
    rows = [torch.cat(views[:3], dim=2), torch.cat(views[3:], dim=2)]
    Image.fromarray(to_bytes(torch.cat(rows, dim=1))).save(HERE / "pictures" / "brushes.jpg", quality=86)


def styles() -> Tensor:
    """Two pictures in few opaque colours and brushes, in other colours, before another background."""
    photos = {name: load_image(EXAMPLES / f"{name}.jpg") for name in ("chelsea", "coffee", "rocket")}
    rows = []
    for name in ("chelsea", "coffee"):
        photo = photos[name]
        guidance = Guidance.from_mask(load_mask(EXAMPLES / f"{name}_mask.png", *photo.shape[1:]))
        few = Painter(size=900, medium=Medium(palette=10, brushes=(3, 6, 12, 24), opaque=True))
        dusk = transfer_colors(photo, photos["rocket"])
        blue = (0.13, 0.25, 0.38)
        alone = Painter(size=900, start=blue, foreground_share=1.0)
        paintings = (
            few.paint(photo, guidance),
            Painter(size=900).paint(dusk, guidance),
            alone.paint(replace_background(photo, guidance.mask, blue), guidance),
        )
        tiles = [fit(painting.canvas, HEIGHT) for painting in paintings]
        rows.append(torch.cat(tiles, dim=2))
    width = min(row.shape[2] for row in rows)
    return torch.cat([row[:, :, :width] for row in rows], dim=1)


def hands() -> None:
    """Write ``pictures/hands.jpg``: every style, by its name, on four pictures."""
    photos = [load_image(EXAMPLES / f"{name}.jpg") for name in ("astronaut", "chelsea", "coffee", "rocket")]
    known = [Guide()(photo) for photo in photos]
    names = [name for name in STYLES.shipped if name != "lines"]
    side, label = 250, 22
    sheet = Image.new("RGB", (2 * len(photos) * side, (len(names) + 1) // 2 * (side + label)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, name in enumerate(names):
        left, top = number % 2 * len(photos) * side, number // 2 * (side + label)
        draw.text((left + 4, top + 5), name, fill="black")
        for place, (photo, guidance) in enumerate(zip(photos, known, strict=True)):
            painting = Painter(style=name, strokes=COUNTS.get(name, 1000), size=1000).paint(photo, guidance)
            sheet.paste(squared(painting.canvas, side), (left + place * side, top + label))
    sheet.save(HERE / "pictures" / "hands.jpg", quality=88)


def papers() -> None:
    """Write ``pictures/papers.jpg``: drafts by the agents of the papers' kind, by their names."""
    agents = ("paper-baseline", "paper-semantic", "paper-dense")
    side, label = 250, 22
    photos = [load_image(EXAMPLES / f"{name}.jpg") for name in ("astronaut", "chelsea", "coffee", "rocket")]
    sheet = Image.new("RGB", (len(photos) * side, (len(agents) + 1) * (side + label)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(("photograph", *agents)):
        draw.text((4, row * (side + label) + 5), name, fill="black")
        for column, photo in enumerate(photos):
            canvas = photo if row == 0 else Painter(name, "draft", size=side * 2).paint(photo).canvas
            sheet.paste(squared(canvas, side), (column * side, row * (side + label) + label))
    sheet.save(HERE / "pictures" / "papers.jpg", quality=88)


def guidance() -> Tensor:
    """What was found, and 200 strokes with and without knowing it."""
    rows = []
    for name in ("astronaut", "coffee"):
        photo = load_image(EXAMPLES / f"{name}.jpg")
        painting = Painter(strokes=200, size=900).paint(photo)
        plain = Painter("baseline", strokes=200, size=900).paint(photo, Guidance.none(*photo.shape[1:]))
        tiles = (guidance_overlay(photo, painting.guidance), painting.canvas, plain.canvas)
        height = round(WIDTH * photo.shape[1] / photo.shape[2])
        rows.append(torch.cat([fit(tile, height)[:, :, :WIDTH] for tile in tiles], dim=2))
    return torch.cat(rows, dim=1)


def main() -> None:
    """Write the pictures to ``pictures/``."""
    hands()
    papers()
    save(guidance(), HERE / "pictures" / "guidance.jpg")
    save(styles(), HERE / "pictures" / "styles.jpg")
    brushes()
    rows = []
    for name in ("chelsea", "coffee", "rocket"):
        photo = load_image(EXAMPLES / f"{name}.jpg")
        mask = load_mask(EXAMPLES / f"{name}_mask.png", *photo.shape[1:])
        painting = Painter(style=DEFAULT_STYLE, size=1200).paint(photo, Guidance.from_mask(mask))
        rows.append(torch.cat([fit(photo, HEIGHT), fit(painting.canvas, HEIGHT)], dim=2))
        if name == "rocket":
            marks = [round(share * len(painting.strokes)) for share in FILM]
            frames = [canvas for n, canvas in enumerate(painting.replay(480)) if n in marks]
            lines = [torch.cat(frames[:3], dim=2), torch.cat(frames[3:], dim=2)]
            save(torch.cat(lines, dim=1), HERE / "pictures" / "film.jpg")
    width = min(row.shape[2] for row in rows)
    gallery = torch.cat([row[:, :, :width] for row in rows], dim=1)
    save(gallery, HERE / "pictures" / "gallery.jpg")


if __name__ == "__main__":
    main()
