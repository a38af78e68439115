"""Sound files of every kind that the program reads, small: what is damaged."""

from __future__ import annotations

import dataclasses
import functools
import io
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.agents.dense.files import save_dense_actor
from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.ltp.checkpoint import write_ltp_state
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.window.files import save_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.export import strokes_json
from semantic_guidance.guidance.files import write_guidance
from semantic_guidance.painting.brushes.brush import Brush, levels_of
from semantic_guidance.painting.drawing import Drawing, DrawnLayer

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "I;16B")
NOT_PICTURES = {"PDF", "EPS", "WMF", "BUFR", "GRIB", "HDF5", "PALM"}
"""Formats that Pillow writes and cannot read by itself."""

TUBE = """tubes = ["Titanium White", "Yellow Ochre"]

[surface]
outside = 0.03
"""

STYLE = """summary = "mine"
ground = "#c0ffee"
brush = "oil"
ends = "filbert"

[dials]
relief = 0.4

[hand]
smoothness = 0.8
flow = 0.6
lines = 0.3
shares = [0.08, 0.25, 0.40, 0.27]
radii = [0.05, 0.026, 0.015, 0.0085]
aspect = [2.5, 9.0]
colors = 16
load = [0.1, 0.6]
"""

COLORS = "sky #4080ff\nsand #c2b280 ; #fff\n"
GIMP = "GIMP Palette\nName: mine\nColumns: 2\n#\n255 0 0\tred\n  0 128 255 sky\n194 178 128\tsand\n"

JASC = "JASC-PAL\r\n0100\r\n3\r\n255 0 0\r\n0 128 255\r\n194 178 128\r\n"
SWATCHES = (
    (
        ".ase",  # a red named "r", in a group
        bytes.fromhex("41534546 00010000 00000003 c001 00000006 0002 00670000")
        + bytes.fromhex("0001 00000018 0002 00720000 52474220 3f800000 00000000 00000000 0002 c002 00000000"),
    ),
    (".aco", bytes.fromhex("0001 0002 0000 ffff 0000 8080 0000 0007 1388 f448 0bb8 0000")),
    (".pal", b"RIFF\x18\0\0\0PAL data\x0c\0\0\0\0\x03\x02\0" + bytes.fromhex("ff000000 0080ff00")),
)
"""Palettes that are no text, and the ends of their names."""


def gradient(height: int = 18, width: int = 24) -> NDArray[np.uint8]:
    """A bright disc before a gradient, ``[H, W, 3]``."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    pixels[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = 250
    return pixels


def disc(height: int = 18, width: int = 24) -> NDArray[np.uint8]:
    """The disc's mask, ``[H, W]``."""
    return (gradient(height, width).min(axis=-1) == 250).astype(np.uint8) * 255


def packed(image: Image.Image, kind: str, **options: object) -> bytes:
    """The file of a picture."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@functools.cache
def pictures() -> dict[str, bytes]:
    """A picture in each format and mode that Pillow writes, by names like ``PNG-RGBA``; and some more."""
    Image.init()
    colours = Image.fromarray(gradient())
    found: dict[str, bytes] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for mode in MODES:
            image = _in_mode(colours, mode)
            for kind in sorted(set(Image.SAVE) - NOT_PICTURES):
                try:
                    found[f"{kind}-{mode}"] = packed(image, kind)
                except Exception:  # not in this mode
                    continue
        found |= _more(colours)
    return found


def _in_mode(colours: Image.Image, mode: str) -> Image.Image:
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        made = ImageCms.profileToProfile(colours, *profiles, outputMode="LAB")
        assert made is not None
        return made
    if mode.startswith("I;16"):
        deep = np.asarray(colours.convert("L"), np.uint16) * 257
        return Image.fromarray(deep.astype(">u2" if mode.endswith("B") else "<u2"))
    if mode == "PA":
        return colours.convert("P").convert("PA")
    return colours.convert("L").convert(mode) if mode in ("I", "F") else colours.convert(mode)


def _more(colours: Image.Image) -> dict[str, bytes]:
    """Kinds of compression, transparency and animation."""
    clear = colours.convert("RGBA")
    clear.putalpha(Image.fromarray(disc()))
    index = colours.convert("P")
    more: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "JPEG-progressive": (colours, "JPEG", {"progressive": True, "exif": _exif(6)}),
        "JPEG-profile": (colours, "JPEG", {"icc_profile": _profile()}),
        "PNG-clear": (clear, "PNG", {"icc_profile": _profile()}),
        "PNG-index": (index, "PNG", {"transparency": 3}),
        "PNG-animated": (clear, "PNG", {"save_all": True, "append_images": [colours.convert("RGBA")]}),
        "WEBP-lossless": (clear, "WEBP", {"lossless": True, "exif": _exif(5)}),
        "WEBP-animated": (clear, "WEBP", {"save_all": True, "append_images": [colours.convert("RGBA")]}),
        "GIF-animated": (index, "GIF", {"save_all": True, "append_images": [index.rotate(180)]}),
        "TIFF-fax": (colours.convert("1"), "TIFF", {"compression": "group4"}),
        "DDS-dxt5": (clear, "DDS", {"pixel_format": "DXT5"}),
    }
    for how in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        more[f"TIFF-{how}"] = (colours, "TIFF", {"compression": how, "exif": _exif(8)})
    return {name: packed(image, kind, **options) for name, (image, kind, options) in more.items()}


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "camera"
    return exif.tobytes()


def with_exif(kind: str, mode: str, block: bytes) -> bytes:
    """A picture with this EXIF block as it is: Pillow writes another of its length."""
    block = block.ljust(200, b"\0")
    sound = _exif(1).ljust(len(block), b"\x01")
    data = _bare_exif(kind, mode, sound)
    if kind != "PNG":
        return data.replace(sound[6:], block[6:])
    start = data.index(b"eXIf")
    rest = data[start + 4 + len(sound) - 6 + 4 :]
    return data[:start] + b"eXIf" + block[6:] + zlib.crc32(b"eXIf" + block[6:]).to_bytes(4, "big") + rest


@functools.lru_cache(maxsize=64)
def _bare_exif(kind: str, mode: str, sound: bytes) -> bytes:
    return packed(Image.fromarray(gradient()).convert(mode), kind, exif=sound)


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def drawing() -> Drawing:
    """A painting with masks, a brush of one's own, a hand, loads, a start, paper and locked strokes."""
    rng = np.random.default_rng(0)

    def strokes(count: int) -> NDArray[np.float32]:
        vectors = rng.uniform(0.1, 0.9, (count, 13)).astype(np.float32)
        vectors[:, 6:8] = 0.02 + 0.05 * vectors[:, 6:8]
        return vectors

    mask = disc()[None].astype(np.float32) / np.float32(255)
    layers = (
        DrawnLayer(strokes(4)),
        DrawnLayer(strokes(3), "foreground", 0, 0, load=np.full(3, 0.5, np.float32), ends="filbert"),
        DrawnLayer(strokes(2), "foreground", 1, 1, locked=True),
        DrawnLayer(strokes(2), "background", 0, None, "seed"),
    )
    start = gradient().transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    hand = {
        "style": "alla-prima",
        "ends": "filbert",
        "marks": "strokes",
        "dials": {"flow": 0.6, "load": [0.1, 0.6]},
    }
    brush = Brush("picture", 3, levels_of(mask[0]), relief=0.3)
    return Drawing(layers, (0.2, 0.4, 0.6), 24, 18, masks=(mask, 1 - mask), paper=(210.0, 297.0), start=start,
                   hand=hand, brush=brush)  # fmt: skip


def _written(write: Callable[[Path], object], suffix: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        write(path)
        return path.read_bytes()


@functools.cache
def strokes_files() -> tuple[bytes, ...]:
    """Files of strokes of versions 2 and 1, with and without brush and masks."""
    whole = drawing()
    plain = dataclasses.replace(
        whole, layers=whole.layers[:1], masks=(), brush=Brush(), hand=None, start=None
    )
    oil = dataclasses.replace(plain, brush=Brush("oil", 1))
    texts = [
        _written(
            lambda path, each=each: strokes_json.strokes.write(each, path, None, lambda share: None), ".json"
        )
        for each in (whole, plain, oil)
    ]
    return (*texts, texts[1].replace(b'"version": 2', b'"version": 1'))


@functools.cache
def guidance_file() -> bytes:
    """A file of guidance: two objects, a face, and what matters besides."""
    mask = torch.from_numpy(disc().astype(np.float32) / np.float32(255))[None]
    instances = (
        Instance.from_mask(mask, confidence=0.8),
        Instance.from_mask(1 - mask, salience=0.3),
        Instance.from_mask(mask, "face", 0.6),
    )
    guidance = Guidance(mask, mask * 0.5 + 0.2, instances)
    return _written(lambda path: write_guidance(guidance, path, "a.jpg 01234567", (0.2, 0.3, 0.1)), ".json")


@functools.cache
def agents() -> dict[str, bytes]:
    """The file of a small agent of each kind."""
    torch.manual_seed(0)
    semantic, plain = (
        EnvConfig(use_bilevel=True, use_gbp=True, bundle_size=2, max_eps_len=2),
        EnvConfig(bundle_size=5),
    )
    return {
        "window": _written(
            lambda path: save_window_actor(WindowActor(10, (8, 8, 8, 8)), True, {"steps": 1}, path),
            ".safetensors",
        ),
        "dense": _written(
            lambda path: save_dense_actor(DenseActor(False, 5, (4, 4, 4, 4)), {}, path), ".safetensors"
        ),
        "ltp": _written(
            lambda path: save_actor(Actor(semantic.channels, semantic.action_size, 4), semantic, 32, path),
            ".safetensors",
        ),
        "int8": _written(
            lambda path: save_actor(Actor(plain.channels, plain.action_size, 4), plain, 32, path, int8=True),
            ".safetensors",
        ),
        "torch": _written(lambda path: write_ltp_state(Actor(9, 65, 4).state_dict(), path), ".pkl"),
        "sparse": _written(lambda path: torch.save(_tricks(), path), ".pkl"),
    }


def _tricks() -> dict[str, torch.Tensor]:
    """An actor's tensors, one expanded from a single number, one sparse, one without memory."""
    state = dict(Actor(9, 65, 4).state_dict())
    state["fc.weight"] = torch.zeros(1).expand(65, 32)
    state["fc.bias"] = torch.zeros(65).to_sparse()
    state["bn1.weight"] = torch.empty(4, device="meta")
    return state
