"""HEIC, as phones write it: read through pillow-heif, or refused by a line that names it."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.decoding import decode_stream
from semantic_guidance.images.files import load_image, load_picture
from tests.images.encoding import UNDO, exif_block, gradient

LARGE = gradient(12, 20).repeat(4, 0).repeat(4, 1)


def ftyp(major: bytes, *compatible: bytes, size: int | None = None) -> bytes:
    """The first box, by ISO/IEC 14496-12."""
    rest = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(rest) + 4 if size is None else size) + rest


def heic(pixels: np.ndarray, **options: object) -> bytes:
    package, data = pytest.importorskip("pillow_heif"), io.BytesIO()
    package.from_pillow(Image.fromarray(pixels)).save(data, quality=-1, chroma=444, **options)
    return data.getvalue()


@pytest.mark.parametrize(
    "head",
    [
        ftyp(b"heic", b"mif1", b"heic"),
        ftyp(b"heix"),
        ftyp(b"mif1", b"mif1", b"heic", b"miaf"),
        ftyp(b"msf1", b"hevc"),
        ftyp(b"heim"),
        ftyp(b"heis"),
        ftyp(b"mif1"),
        ftyp(b"heic", size=0),
        ftyp(b"heic", size=2**32 - 1),
    ],
)
def test_without_the_package_the_message_names_it(tmp_path: Path, monkeypatch, head):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(head + bytes(100))
    with pytest.raises(InputError, match=r"IMG_0001\.HEIC.*pip install semantic-guidance\[heif\]") as caught:
        load_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("head", [ftyp(b"isom", b"mp42"), ftyp(b"heic")[:9], b"ftypheic", ftyp(b"qt  ")])
def test_what_is_none(tmp_path: Path, monkeypatch, head):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "film.mp4"
    path.write_bytes(head + bytes(100))
    with pytest.raises(InputError, match="not a picture that can be read"):
        load_image(path)


def test_avif_needs_no_package(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "a.avif"
    Image.fromarray(LARGE).save(path, quality=100, subsampling="4:4:4")
    assert load_image(path).shape == (3, 48, 80)


@pytest.mark.parametrize("orientation", UNDO)
def test_it_is_turned_once(tmp_path: Path, orientation):
    path = tmp_path / "a.heic"
    path.write_bytes(heic(LARGE, exif=exif_block(orientation)))
    wanted = UNDO[orientation](LARGE)
    picture = load_picture(path)
    assert picture.size == wanted.shape[1::-1]
    assert np.abs(picture.image.numpy().transpose(1, 2, 0) * 255 - wanted).max() <= 2


def test_transparency_and_ten_bits(tmp_path: Path):
    package = pytest.importorskip("pillow_heif")
    fading = np.broadcast_to(np.linspace(0, 255, 80).astype(np.uint8), (48, 80))
    path = tmp_path / "a.heic"
    path.write_bytes(heic(np.dstack([LARGE, fading])))
    found = load_picture(path).alpha
    assert found is not None
    assert np.abs(found[0].numpy() * 255 - fading).max() <= 1
    deep = package.from_bytes("RGB;16", (80, 48), (LARGE.astype(np.uint16) * 257).tobytes())
    deep.save(path, quality=-1, chroma=444)
    assert np.abs(load_image(path).numpy().transpose(1, 2, 0) * 255 - LARGE).max() <= 2


def test_a_thumbnail_within_it_is_not_taken_for_it(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("semantic_guidance.images.decoding.MAX_SIDE", 32)
    pixels = gradient(64, 64).repeat(4, 0).repeat(4, 1)
    pixels[::2] = 255 - pixels[::2]
    data = heic(pixels, thumbnails=[64])
    assert decode_stream(io.BytesIO(data), "a.heic", reduce=True).image.size == (256, 256)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
def test_a_cut_off_one_is_refused(tmp_path: Path, share):
    data = heic(LARGE)
    path = tmp_path / "cut.heic"
    path.write_bytes(data[: max(20, int(len(data) * share))])
    with pytest.raises(
        InputError, match=r"cut\.heic: the picture is broken .*, wanted an intact one"
    ) as caught:
        load_image(path)
    assert "\n" not in str(caught.value)


def test_pillow_stays_as_it_is(tmp_path: Path):
    path = tmp_path / "a.heic"
    path.write_bytes(heic(LARGE))
    before = dict(Image.OPEN)  # to which others may have added
    load_image(path)
    assert before == Image.OPEN
