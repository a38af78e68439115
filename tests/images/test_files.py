"""Pictures of every kind become the same kind of tensor."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import MAX_SIDE, load_image, load_mask, load_picture, to_image
from tests.images.encoding import UNDO, gradient


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_rgb_png_is_read_exactly(tmp_path):
    image = load_image(saved(tmp_path / "a.png", Image.fromarray(gradient())))
    assert image.shape == (3, 12, 20)
    assert image.dtype == torch.float32
    assert image.is_contiguous()
    assert np.array_equal(to_bytes(image), gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", Image.fromarray(gradient()), exif=exif)
    picture = load_picture(path)
    assert np.array_equal(to_bytes(picture.image), UNDO[orientation](gradient()))
    assert picture.size == (picture.image.shape[2], picture.image.shape[1])


def test_broken_exif_is_no_obstacle(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.fromarray(gradient()), exif=b"Exif\0\0II*\0\xff\xff\xff\xff junk")
    assert load_image(path).shape == (3, 12, 20)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_modes_without_transparency(tmp_path, mode):
    grey = np.linspace(0, 255, 240).reshape(12, 20).round().astype(np.uint8)
    deep = grey.astype(np.uint16) * 257
    images = {
        "P": Image.fromarray(grey).convert("P"),
        "I;16": Image.fromarray(deep),
        "I": Image.fromarray(deep.astype(np.int32)),
        "F": Image.fromarray(grey.astype(np.float32) / 255),
    }
    image = images.get(mode) or Image.fromarray(grey).convert("RGB").convert(mode)
    assert image.mode == mode
    suffix = "jpg" if mode in ("CMYK", "YCbCr") else "tif" if mode in ("I", "F") else "png"
    options = {"quality": 100} if suffix == "jpg" else {}
    got = to_bytes(load_image(saved(tmp_path / f"a.{suffix}", image, **options)))
    tolerance = {"1": 255, "CMYK": 12, "YCbCr": 6}.get(mode, 0)
    assert np.abs(got.astype(int) - grey[..., None]).max() <= tolerance
    if mode == "1":
        assert set(np.unique(got)) == {0, 255}


def test_sixteen_bit_colour(tmp_path):
    rows = b"".join(b"\0" + struct.pack(">9H", *([65535, 0, 32768] * 3)) for _ in range(2))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2I5B", 3, 2, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    image = load_image(tmp_path / "a.png")
    assert image.shape == (3, 2, 3)
    assert torch.allclose(image[:, 0, 0], torch.tensor([1.0, 0.0, 0.5]), atol=0.01)


@pytest.mark.parametrize("whole", [1, 255])
def test_float_pictures_may_have_a_few_pixels_above_their_white(tmp_path, whole):
    values = np.linspace(0, 1, 240, dtype=np.float32).reshape(12, 20)
    values[5, 5:8] = (1.004, 1.3, 40)
    path = saved(tmp_path / "a.tif", Image.fromarray(values * np.float32(whole)))
    assert torch.allclose(load_image(path)[0], torch.from_numpy(values.clip(0, 1)), atol=1e-6)
    mask = np.zeros((12, 20), np.float32)
    mask[5, 5:8] = (1, 1.004, 1)
    path = saved(tmp_path / "m.tif", Image.fromarray(mask * np.float32(whole)))
    assert torch.allclose(load_mask(path, 12, 20)[0], torch.from_numpy(mask.clip(0, 1)), atol=0.01)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparency_is_laid_over_white(tmp_path, mode):
    rgba = np.zeros((4, 6, 4), np.uint8)
    rgba[:, 3:, 3] = 255  # right half black, left half fully transparent black
    image = Image.fromarray(rgba)
    if mode in ("P", "PA"):
        image = image.convert("L").convert("P")
        image = Image.fromarray(np.where(rgba[..., 3] > 0, 1, 0).astype(np.uint8), "L").convert("P")
        image.putpalette([9, 9, 9, 0, 0, 0])
        path = saved(tmp_path / "a.png", image, transparency=0)
    else:
        path = saved(tmp_path / "a.png", image.convert(mode))
    got = to_bytes(load_image(path))
    assert (got[:, :3] == 255).all()
    assert (got[:, 3:] == 0).all()


def test_half_transparency():
    pixel = np.array([[[200, 100, 0, 51]]], np.uint8)
    wanted = torch.tensor([200, 100, 0]) / 255 * 0.2 + 0.8
    assert torch.allclose(to_image(pixel)[:, 0, 0], wanted, atol=1e-6)
    assert torch.allclose(to_image(Image.fromarray(pixel))[:, 0, 0], wanted, atol=1 / 255)


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue", "lime")]
    for name in ("a.gif", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        assert to_bytes(load_image(tmp_path / name))[3, 4].tolist() == [255, 0, 0]


def test_colour_profile_is_converted(tmp_path):
    """One that takes what others call blue for red, and some that change nothing."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    red = Image.new("RGB", (8, 6), (200, 10, 10))
    got = load_image(saved(tmp_path / "red.png", red, icc_profile=swapped))
    assert np.abs(to_bytes(got).astype(int) - [10, 10, 200]).max() <= 3
    plain = load_image(saved(tmp_path / "a.png", Image.fromarray(gradient()), icc_profile=profile))
    assert np.abs(to_bytes(plain).astype(int) - gradient()).max() <= 1
    nonsense = load_image(saved(tmp_path / "b.png", Image.fromarray(gradient()), icc_profile=b"nonsense"))
    assert np.array_equal(to_bytes(nonsense), gradient())
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # does not fit RGB
    assert np.array_equal(
        to_bytes(load_image(saved(tmp_path / "c.png", Image.fromarray(gradient()), icc_profile=lab))),
        gradient(),
    )


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_gigantic_pictures_are_reduced(tmp_path, suffix):
    image = Image.new("RGB", (30_000, 2_000), (200, 30, 60))
    image.paste((0, 0, 0), (0, 0, 15_000, 2_000))
    path = saved(tmp_path / f"a.{suffix}", image)
    picture = load_picture(path)
    got = picture.image
    assert got.shape == (3, round(2_000 * MAX_SIDE / 30_000), MAX_SIDE)
    assert picture.size == (30_000, 2_000)
    assert torch.allclose(got[:, 100, -500], torch.tensor([200, 30, 60]) / 255, atol=0.01)
    assert got[:, 100, 500].max() < 0.01


@pytest.mark.parametrize("size", [(8192, 5461), (5461, 8192), (8191, 3001)])
def test_a_reduced_picture_and_its_transparency_have_one_size(tmp_path, size):
    image = Image.new("RGBA", size, (200, 30, 60, 255))
    image.paste((0, 0, 0, 0), (0, 0, 1000, 1000))
    picture = load_picture(saved(tmp_path / "a.png", image, compress_level=1))
    assert picture.size == size
    assert picture.alpha is not None
    assert picture.alpha.shape == (1, *picture.image.shape[1:])


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (6000, 1)])
def test_thin_pictures(tmp_path, size):
    got = load_image(saved(tmp_path / "a.png", Image.new("L", size, 128)))
    assert got.shape == (3, size[1], min(size[0], MAX_SIDE))


def test_too_many_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr("semantic_guidance.images.decoding.MAX_PIXELS", 1000)
    path = saved(tmp_path / "a.png", Image.new("L", (100, 100)))
    with pytest.raises(InputError, match=r"a\.png: the picture has 100 x 100 pixels"):
        load_image(path)


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "half a png", "postscript", "nul"])
def test_what_is_no_picture(tmp_path, kind):
    good = saved(tmp_path / "good.jpg", Image.fromarray(gradient(200, 300))).read_bytes()
    png = saved(tmp_path / "good.png", Image.fromarray(gradient(200, 300))).read_bytes()
    data = {
        "text": b"just some words",
        "empty": b"",
        "truncated": good[: len(good) // 2],
        "half a png": png[: len(png) // 2],
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
        "nul": b"",
    }[kind]
    path = tmp_path / "bad.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"bad.*wanted") as caught:
        load_image("bad\0.jpg" if kind == "nul" else path)
    assert "\n" not in str(caught.value)


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.jpg: no such file, wanted a picture"):
        load_image(tmp_path / "none.jpg")
    with pytest.raises(IsADirectoryError, match="this is a directory, wanted a picture"):
        load_image(tmp_path)


def test_to_image_takes_what_holds_a_picture(tmp_path):
    pixels = gradient()
    path = saved(tmp_path / "a.png", Image.fromarray(pixels))
    wanted = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    opaque = np.dstack([pixels, np.full((12, 20), 255, np.uint8)])
    for source in (path, str(path), Image.fromarray(pixels), pixels, opaque, wanted, wanted.double()):
        assert torch.allclose(to_image(source), wanted, atol=1e-6)
    grey = pixels[..., 0]
    for source in (grey, grey[..., None]):
        assert torch.equal(to_image(source), to_image(np.repeat(grey[..., None], 3, axis=2)))


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (None, "is a NoneType"),
        (np.zeros((4, 4, 3)), "array of float64, wanted uint8"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \[4, 4, 2\], wanted"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \[0, 4, 3\], wanted"),
        (torch.zeros(4, 4, 3), r"shape \[4, 4, 3\], wanted \[3, H, W\]"),
        (torch.zeros(3, 0, 3), r"shape \[3, 0, 3\], wanted \[3, H, W\]"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), r"uint8, wanted floats"),
        (torch.full((3, 4, 4), 255.0), "values from 255 to 255, wanted 0 to 1"),
        (torch.full((3, 4, 4), float("nan")), "nan, wanted 0 to 1"),
        (Image.new("RGB", (0, 4)), "0 x 4, wanted at least one pixel"),
    ],
)
def test_to_image_complains(source, complaint):
    with pytest.raises(ValueError, match=complaint):
        to_image(source)


def test_mask_of_grey(tmp_path):
    values = np.zeros((12, 20), np.uint8)
    values[3:9, 4:10] = 255
    values[3, :] = 77
    mask = load_mask(saved(tmp_path / "m.png", Image.fromarray(values)), 12, 20)
    assert mask.shape == (1, 12, 20)
    assert torch.equal(mask[0], torch.from_numpy(values).float() / 255)


def test_mask_of_transparency_of_bits_and_of_ones(tmp_path):
    inside = np.zeros((12, 20), bool)
    inside[3:9, 4:10] = True
    alpha = np.dstack([np.full((12, 20, 3), 255, np.uint8), inside.astype(np.uint8) * 255])
    pictures = [
        Image.fromarray(alpha),
        Image.fromarray(inside),
        Image.fromarray(inside.astype(np.uint8)),
        Image.fromarray(np.repeat(inside[..., None] * np.uint8(255), 3, axis=2)),
        Image.fromarray(np.dstack([alpha[..., 3]] * 3 + [np.full((12, 20), 255, np.uint8)])),
        Image.fromarray(inside.astype(np.uint16) * 65535),
        Image.fromarray(inside.astype(np.uint16)),
    ]
    for n, picture in enumerate(pictures):
        mask = load_mask(saved(tmp_path / f"{n}.png", picture), 12, 20)
        assert torch.equal(mask[0] > 0.5, torch.from_numpy(inside)), n
    path = saved(tmp_path / "m.tif", Image.fromarray(inside.astype(np.int32)))
    assert torch.equal(load_mask(path, 12, 20)[0], torch.from_numpy(inside).float())


def test_mask_of_labels(tmp_path):
    """Of a palette as that of PASCAL VOC; other palettes are but a way to store brightness."""
    labels = np.zeros((12, 20), np.uint8)
    labels[3:9, 4:10] = 1
    labels[5, 5] = 7
    picture = Image.fromarray(labels, "L").convert("P")
    picture.putpalette(
        [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128, 128, 0, 128, 0, 128, 128] + [128] * 3
    )
    mask = load_mask(saved(tmp_path / "m.png", picture), 12, 20)
    assert torch.equal(mask[0], torch.from_numpy(labels > 0).float())
    grey = np.full((12, 20), 51, np.uint8)
    grey[3:9, 4:10] = 204
    wanted = torch.from_numpy(grey).float() / 255
    for n, mode in enumerate(("L", "RGB")):  # for RGB, Pillow's palette has colours, too
        path = saved(tmp_path / f"{n}.png", Image.fromarray(grey).convert(mode).convert("P"))
        assert torch.equal(load_mask(path, 12, 20)[0], wanted)


def test_mask_of_another_size(tmp_path):
    values = np.zeros((50, 75), np.uint8)
    values[10:40, 15:60] = 255
    path = saved(tmp_path / "m.png", Image.fromarray(values))
    for height, width in ((20, 30), (400, 600), (21, 30)):
        mask = load_mask(path, height, width)
        assert mask.shape == (1, height, width)
        assert float(mask.mean()) == pytest.approx(values.mean() / 255, abs=0.02)
    with pytest.raises(InputError, match=r"m\.png: the mask is 75 x 50, wanted the picture's 40 x 60"):
        load_mask(path, 60, 40)


def test_empty_mask(tmp_path):
    path = saved(tmp_path / "m.png", Image.new("L", (20, 12), 90))
    with pytest.raises(InputError, match=r"m\.png: the mask is empty, wanted"):
        load_mask(path, 12, 20)


def test_files_are_closed(tmp_path):
    """A ResourceWarning would be an error."""
    (tmp_path / "bad.png").write_bytes(io.BytesIO(b"\x89PNG\r\n\x1a\n").getvalue())
    with pytest.raises(InputError):
        load_image(tmp_path / "bad.png")
