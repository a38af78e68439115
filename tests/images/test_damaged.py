"""Damaged, huge and odd picture files: read rightly, or refused by an error that names them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.decoding import decode
from semantic_guidance.images.files import (
    load_grey,
    load_image,
    load_labels,
    load_mask_array,
    load_picture,
    load_pixels,
    to_image,
)
from tests.images.encoding import UNDO, encoded, gradient, png, tiff, write

PACKAGE = Path(__file__).parents[2] / "semantic_guidance"

FORMATS = {
    "PNG": {},
    "JPEG": {},
    "WEBP": {},
    "TIFF": {},
    "GIF": {},
    "BMP": {},
    "JPEG2000": {},
    "PPM": {},
    "TGA": {},
}


@pytest.mark.parametrize("trusting", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_cut_off_is_refused(tmp_path, monkeypatch, format, trusting):
    """Whatever others in the process have told Pillow."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", trusting)
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = encoded(format, noise)
    for share in (0.3, 0.6, 0.95):
        (tmp_path / "cut.bin").write_bytes(data[: int(len(data) * share)])
        for read in (load_picture, load_grey, load_labels, lambda path: load_pixels(path, "L")):
            with pytest.raises(InputError, match=r"cut\.bin: .*, wanted") as caught:
                read(tmp_path / "cut.bin")
            assert "\n" not in str(caught.value)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is trusting


@pytest.mark.parametrize("suffix", ["tiff_adobe_deflate", "packbits", "tiff_lzw"])
def test_compressed_tiff_that_is_cut_off(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = encoded("TIFF", noise, compression=suffix)
    (tmp_path / "cut.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cut\.tif: .*, wanted"):
        load_image(tmp_path / "cut.tif")


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "BMP"])
def test_no_limit_but_ours(tmp_path, monkeypatch, format):
    """Pillow's own, which TIFF and WebP are held to once more as they load, is of no account here."""
    path = write(tmp_path / "a", encoded(format, lossless=True) if format == "WEBP" else encoded(format))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # an error from 200 pixels on
    assert np.array_equal(to_bytes(load_image(path)), gradient())
    assert Image.MAX_IMAGE_PIXELS == 100
    monkeypatch.setattr("semantic_guidance.images.decoding.MAX_PIXELS", 239)
    for read in (load_image, load_grey, load_labels, lambda path: load_pixels(path, "L")):
        with pytest.raises(InputError, match=r"a: the picture has 20 x 12 pixels, wanted at most 239"):
            read(path)


def test_a_picture_of_three_sides_is_broken(tmp_path):
    """An IM file: lines of text, and from byte 512 the pixels."""
    for size in ("2*1", "2*1*1"):
        head = f"Image type: Greyscale image\r\nImage size (x*y): {size}\r\nFile size (no of images): 1\r\n"
        path = write(tmp_path / "a.im", head.encode().ljust(511, b"\0") + b"\x1a\x05\x09")
        if size == "2*1":
            assert to_bytes(load_image(path))[..., 0].tolist() == [[5, 9]]
            continue
        with pytest.raises(InputError, match=r"a\.im: the picture is broken"):
            load_image(path)


def test_running_out_of_memory_is_not_the_pictures_fault(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", encoded("PNG"))

    def exhausted(self: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", exhausted)
    with pytest.raises(MemoryError):
        load_image(path)


def test_a_header_that_lies_about_its_length_is_the_pictures_fault(tmp_path):
    """The first box of a JPEG 2000 file says that it has 4 GiB, for which there is no room."""
    data = bytearray(encoded("JPEG2000"))
    data[12:16] = b"\xff\xff\x00\x00"
    path = write(tmp_path / "a.jp2", bytes(data))
    code = (
        "import resource, sys; from semantic_guidance.images.files import load_array\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))\n"
        "try: load_array(sys.argv[1])\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: the picture is broken")


def test_a_disk_that_fails_is_not_the_pictures_fault(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", encoded("PNG"))

    def failing(self: Image.Image) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ImageFile.ImageFile, "load", failing)
    with pytest.raises(OSError, match=r"a\.png: cannot be read \(Input/output error\)"):
        load_image(path)


PEAK = """
import resource, sys
from semantic_guidance.images.files import load_array, load_mask_array, load_grey
load_grey(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_array(sys.argv[1])
load_mask_array(sys.argv[1], 1200, 250)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.parametrize("kind", ["RGBA", "16 bits"])
def test_memory_for_large_pictures(tmp_path, kind):
    """Pillow needs 4 bytes for a pixel in colour and 2 for one of 16 bits; no second copy of it is made."""
    width, height = 2_500, 12_000
    depth, colour, pixel = {"RGBA": (8, 6, 4), "16 bits": (16, 0, 2)}[kind]
    row = b"\0" + bytes(range(200, 200 + pixel)) * width
    path = write(tmp_path / "large.png", png((width, height, depth, colour, 0, 0, 0), row * height))
    small = write(tmp_path / "small.png", encoded("PNG"))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(small)], capture_output=True, text=True, check=True
    )
    held = width * height * (2 if kind == "16 bits" else 4)
    assert int(done.stdout) < held + 100_000_000  # and what is left: 853 x 4,096 pixels, as floats


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    "mode",
    [
        "1",
        "L",
        "LA",
        "La",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBX",
        "RGBa",
        "CMYK",
        "YCbCr",
        "HSV",
        "LAB",
        "I;16",
        "I",
        "F",
    ],
)
def test_every_mode_is_photograph_and_mask(tmp_path, mode, large):
    """A white square on black; the sizes above `MAX_SIDE` go another way."""
    side = 5000 if large else 50
    values = np.zeros((40, side), np.uint8)
    values[10:30, side // 5 : side // 2] = 255
    image = in_mode(Image.fromarray(values), mode)
    got = to_bytes(to_image(image))[..., 0]
    scale = got.shape[1] / side
    inside = got[int(15 * scale) : int(25 * scale), int(0.25 * got.shape[1]) : int(0.45 * got.shape[1])]
    assert inside.min() >= 250
    assert got[int(34 * scale) :].max() <= 5
    for suffix in ("png", "tif", "jp2"):
        path = tmp_path / f"m.{suffix}"
        try:
            image.save(path)
        except (OSError, KeyError, ValueError):
            continue  # the format has no such mode
        mask = load_mask_array(path, 40, side)[0]
        assert np.abs(mask * 255 - values).mean() < 3
        assert load_grey(path).shape == got.shape
        assert load_image(path).shape == (3, *got.shape)


def in_mode(grey: Image.Image, mode: str) -> Image.Image:
    """The picture in that mode of Pillow's."""
    if mode in ("La", "RGBa"):
        return grey.convert(mode[:-1] + "A").convert(mode)
    if mode == "PA":
        return grey.convert("P").convert("PA")
    if mode == "I;16":
        return Image.fromarray(np.asarray(grey, np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(np.asarray(grey, np.int32))
    if mode == "LAB":  # lightness in a byte, a and b from -128
        none = Image.new("L", grey.size, 128)
        return Image.merge("LAB", (grey, none, none))
    return (grey if mode in ("1", "L", "LA", "P", "F") else grey.convert("RGB")).convert(mode)


def test_labels_and_pixels(tmp_path):
    numbers = (np.arange(240).reshape(12, 20) % 7).astype(np.uint8)
    palette = Image.fromarray(numbers).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9, 8, 8, 8, 7, 7, 7])
    palette.save(tmp_path / "p.png")
    Image.fromarray(numbers).save(tmp_path / "l.png")
    Image.fromarray(numbers.astype(np.uint16) * 9000).save(tmp_path / "deep.png")
    assert np.array_equal(load_labels(tmp_path / "p.png"), numbers)
    assert np.array_equal(load_labels(tmp_path / "l.png"), numbers)
    assert np.array_equal(load_labels(tmp_path / "deep.png"), numbers.astype(int) * 9000)
    assert load_pixels(tmp_path / "p.png", "RGB")[0, 1].tolist() == [255, 0, 0]
    rgba = np.dstack([gradient(), np.full((12, 20), 60, np.uint8)])
    write(tmp_path / "c.png", encoded("PNG", rgba))
    assert np.array_equal(load_pixels(tmp_path / "c.png", "RGBA"), rgba)
    assert np.array_equal(load_pixels(tmp_path / "c.png", "RGB"), gradient())
    with pytest.raises(InputError, match=r"c\.png: the picture is RGBA, wanted labels"):
        load_labels(tmp_path / "c.png")
    with pytest.raises(InputError, match=r"none\.png: no such file"):
        load_labels(tmp_path / "none.png")


def test_what_is_decoded_knows_nothing_of_its_file(tmp_path):
    path = write(tmp_path / "a.tif", tiff(gradient(), 6))
    decoded = decode(path)
    path.unlink()
    assert decoded.size == (12, 20)
    assert np.array_equal(np.asarray(decoded.upright(decoded.image)), UNDO[6](gradient()))


def test_there_is_one_reader():
    """Nothing else opens picture files; `photometry` decodes what it has encoded."""
    readers = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if any(
            name in path.read_text() for name in ("Image.open(", "imread(", "imdecode(", "exif_transpose(")
        )
    ]
    assert readers == ["images/decoding.py", "learning/data/cutouts/photometry.py"]
