"""The heads of JPEG files, as Pillow writes and reads them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from semantic_guidance.images.jpeg import Head, read_head, with_comment


def jpeg(mode: str = "L", **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    made = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(made, "JPEG", **options)
    return made.getvalue()


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
@pytest.mark.parametrize("progressive", [False, True])
def test_size_and_channels(tmp_path: Path, mode: str, channels: int, progressive: bool) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(mode, progressive=progressive))
    found = read_head(tmp_path / "a.jpg")
    assert found is not None
    assert (found.height, found.width, found.channels, found.comments) == (30, 50, channels, ())
    assert found.noted == (mode == "CMYK")  # which needs Adobe's segment


def test_what_programs_note_down(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    for options in ({"exif": exif}, {"icc_profile": b"profile"}):
        (tmp_path / "a.jpg").write_bytes(jpeg(**options))
        assert read_head(tmp_path / "a.jpg") == Head(30, 50, 1, (), True)
    (tmp_path / "a.jpg").write_bytes(jpeg(comment=b"mine"))
    assert read_head(tmp_path / "a.jpg") == Head(30, 50, 1, (b"mine",), False)


def test_a_comment_is_read_by_others(tmp_path: Path) -> None:
    before = jpeg("RGB", dpi=(72, 72))
    after = with_comment(before, b"made by hand")
    (tmp_path / "a.jpg").write_bytes(after)
    assert read_head(tmp_path / "a.jpg") == Head(30, 50, 3, (b"made by hand",), False)
    with Image.open(io.BytesIO(before)) as plain, Image.open(io.BytesIO(after)) as image:
        assert image.info["comment"] == b"made by hand"
        assert image.info["dpi"] == (72, 72)
        assert np.array_equal(np.asarray(image), np.asarray(plain))


@given(st.binary(max_size=60), st.integers(0, 300))
def test_any_bytes_have_a_head_or_none(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, kept: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jpg"
    for data in (noise, b"\xff\xd8\xff" + noise, jpeg()[:kept] + noise):
        path.write_bytes(data)
        found = read_head(path)
        assert found is None or found.channels in range(256)
