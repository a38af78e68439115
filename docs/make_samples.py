"""Cuts the small pictures of styles on the studio's page out of ``pictures/hands.jpg``."""

from pathlib import Path

from PIL import Image

from semantic_guidance import Guidance, Painter
from semantic_guidance.core.plugins import STYLES
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import to_image

HERE = Path(__file__).parent
PAGE = HERE.parent / "semantic_guidance" / "apps" / "serve" / "page"
SIDE, LABEL, PHOTOS = 250, 22, 4
"""Of ``hands.jpg``, in pixels: see `make_pictures.hands`."""

CHELSEA = 1
PART = (25, 62, 225, 152)
"""What is shown of her."""

SIZE = (200, 90)
MOST = 3000
"""Bytes of a picture."""


def main() -> None:
    """Write ``style-NAME.webp`` of every style."""
    sheet = Image.open(HERE / "pictures" / "hands.jpg")
    names = [name for name in STYLES.shipped if name != "lines"]
    parts = {}
    for number, name in enumerate(names):
        left = (number % 2 * PHOTOS + CHELSEA) * SIDE
        top = number // 2 * (SIDE + LABEL) + LABEL
        tile = sheet.crop((left, top, left + SIDE, top + SIDE))
        parts[name] = tile.crop(PART).resize(SIZE, Image.Resampling.LANCZOS)
    # The style that repeats a line drawing is shown at one: that in ink.
    drawn = to_image(parts["ink"].resize((800, 360), Image.Resampling.LANCZOS))
    lines = Painter(style="lines", strokes=260, size=800).paint(drawn, Guidance.none(360, 800))
    parts["lines"] = Image.fromarray(to_bytes(lines.canvas)).resize(SIZE, Image.Resampling.LANCZOS)
    for name, part in parts.items():
        quality = 62
        while True:
            part.save(PAGE / f"style-{name}.webp", quality=quality, method=6)
            if (PAGE / f"style-{name}.webp").stat().st_size <= MOST:
                break
            quality -= 4


if __name__ == "__main__":
    main()
