"""Palettes as programs write them, each file made here by its description."""

from __future__ import annotations

import codecs
import contextlib
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.color import MAX_COLORS
from semantic_guidance.images.palettes import read_palette

Bytes = tuple[int, int, int]

SOME: list[Bytes] = [(8, 24, 32), (52, 104, 86), (136, 192, 112), (224, 248, 208)]
COLORS = st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=MAX_COLORS, unique=True)


def lospec(colors: list[Bytes]) -> bytes:
    return "".join(f"{r:02x}{g:02x}{b:02x}\n" for r, g, b in colors).encode()


def jasc(colors: list[Bytes]) -> bytes:
    rows = [f"{r} {g} {b}" for r, g, b in colors]
    return "\r\n".join(["JASC-PAL", "0100", str(len(rows)), *rows, ""]).encode()


def paint_net(colors: list[Bytes]) -> bytes:
    head = ";paint.net Palette File\n;Palette Name: Deck #123 of 9\n;Colors: 4\n"
    return (head + "".join(f"FF{r:02X}{g:02X}{b:02X}\n" for r, g, b in colors)).encode()


def gimp(colors: list[Bytes]) -> bytes:
    return ("GIMP Palette\n#\n" + "".join(f"{r:3d} {g:3d} {b:3d} x\n" for r, g, b in colors)).encode()


def block(kind: int, data: bytes) -> bytes:
    return struct.pack(">HI", kind, len(data)) + data


def swatch(model: bytes, *values: float, name: str = "Grün 🎨") -> bytes:
    letters = (name + "\0").encode("utf-16-be")
    data = struct.pack(">H", len(letters) // 2) + letters + model + struct.pack(f">{len(values)}f", *values)
    return block(1, data + struct.pack(">H", 2))


def ase(*blocks: bytes) -> bytes:
    group = block(0xC001, struct.pack(">H", 2) + "g\0".encode("utf-16-be"))
    whole = [group, *blocks, block(0xC002, b"")]
    return b"ASEF" + struct.pack(">2HI", 1, 0, len(whole)) + b"".join(whole)


def adobe(colors: list[Bytes]) -> bytes:
    return ase(*(swatch(b"RGB ", *(value / 255 for value in color)) for color in colors))


def photoshop(colors: list[Bytes]) -> bytes:
    entries = [struct.pack(">5H", 0, *(value * 257 for value in color), 0) for color in colors]
    names = [entry + struct.pack(">I", 2) + "n\0".encode("utf-16-be") for entry in entries]
    count = len(colors)
    return struct.pack(">2H", 1, count) + b"".join(entries) + struct.pack(">2H", 2, count) + b"".join(names)


def windows(colors: list[Bytes]) -> bytes:
    data = struct.pack("<2H", 0x300, len(colors)) + b"".join(bytes([*color, 0]) for color in colors)
    return b"RIFF" + struct.pack("<I", len(data) + 12) + b"PAL data" + struct.pack("<I", len(data)) + data


KINDS = {
    "a.hex": lospec,
    "a.pal": jasc,
    "a.txt": paint_net,
    "a.gpl": gimp,
    "a.ase": adobe,
    "a.aco": photoshop,
    "w.pal": windows,
}


def read(folder: Path, name: str, data: bytes) -> list[list[int]]:
    (folder / name).write_bytes(data)
    return np.rint(np.array(read_palette(folder / name)) * 255).astype(int).tolist()


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_its_colours(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("palettes")

    @settings(max_examples=10, deadline=None)
    @given(COLORS)
    def check(colors: list[Bytes]) -> None:
        assert read(folder, name, KINDS[name](colors)) == [list(color) for color in colors]

    check()


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_told_by_its_content(tmp_path, name):
    for other in ("a", "a.aco", "a.ase", "a.txt", "a.png"):
        assert read(tmp_path, other, KINDS[name](SOME)) == [list(color) for color in SOME]


def test_hex_colours_without_a_sign_may_share_a_line_and_have_notes(tmp_path):
    for text in (b"010203,0aFF0b,000000", b"010203 0aff0b\n# note\n;ff00ff\n// note\n#\n0x000000"):
        assert read(tmp_path, "a.txt", text) == [[1, 2, 3], [10, 255, 11], [0, 0, 0]]
    with pytest.raises(InputError, match="0 colours"):
        read(tmp_path, "a.txt", b"010203, 0aff0b, 12")


@pytest.mark.parametrize("name", ["a.hex", "a.pal", "a.txt", "a.gpl"])
def test_texts_come_in_all_forms(tmp_path, name):
    text = KINDS[name](SOME).decode()
    wanted = [list(color) for color in SOME]
    for form in (text.replace("\n", "\r\n"), "\n" + text.replace("\n", "\n\n"), text.rstrip()):
        assert read(tmp_path, name, form.encode()) == wanted
        assert read(tmp_path, name, codecs.BOM_UTF8 + form.encode()) == wanted
        assert read(tmp_path, name, form.encode("utf-16")) == wanted


def test_a_colour_that_comes_twice_counts_once_and_a_transparent_one_does_not(tmp_path):
    assert read(tmp_path, "a.hex", b"ff0000\n0000FF\nFF0000\n") == [[255, 0, 0], [0, 0, 255]]
    assert read(tmp_path, "a.txt", b";x\nFF010203\n00FFFFFF\n") == [[1, 2, 3]]
    assert read(tmp_path, "a.pal", b"JASC-PAL\n0100\n2\n1 2 3 255\n4 5 6 0\n") == [[1, 2, 3]]


def test_adobes_other_models(tmp_path):
    data = ase(
        swatch(b"CMYK", 0, 1, 1, 0),
        swatch(b"CMYK", 0.5, 0, 0, 0.5),
        swatch(b"Gray", 0.2),
        swatch(b"RGB ", 2, -1, 0),
    )
    assert read(tmp_path, "a.ase", data) == [[255, 0, 0], [64, 128, 128], [51, 51, 51]]
    entries = [
        (8, 2000, 0, 0, 0),
        (2, 65535, 0, 0, 65535),
        (9, 5000, 0, 0, 5000),
        (1, 21845, 65535, 65535, 0),
    ]
    data = struct.pack(">2H", 1, 4) + b"".join(struct.pack(">5H", *entry) for entry in entries)
    assert read(tmp_path, "a.aco", data) == [[51, 51, 51], [255, 0, 0], [64, 128, 128], [0, 255, 0]]


@pytest.mark.parametrize(
    "lab", [(50, 0, 0), (80, 20, 40), (30, 10, -40), (60, -30, 30), (5, 0, 3), (100, 0, 0)]
)
def test_lab_is_as_littlecms_converts_it(tmp_path, lab):
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB", 5000), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
    lightness, a, b = lab
    pixel = Image.frombytes("LAB", (1, 1), bytes([round(lightness * 2.55), a % 256, b % 256]))
    wanted = np.array(ImageCms.applyTransform(pixel, transform)).reshape(3)
    found = read(tmp_path, "a.ase", ase(swatch(b"LAB ", lightness / 100, a, b)))[0]
    numbers = struct.pack(">2H5h", 1, 1, 7, lightness * 100, a * 100, b * 100, 0)
    assert np.abs(np.subtract(found, wanted)).max() <= 3
    assert found == read(tmp_path, "a.aco", numbers)[0]


def test_a_picture_gives_its_colours(tmp_path):
    strip = np.array([SOME], np.uint8)
    Image.fromarray(strip).save(tmp_path / "a.png")
    assert read(tmp_path, "a.png", (tmp_path / "a.png").read_bytes()) == [list(color) for color in SOME]
    clear = np.dstack([np.repeat(strip, 8, axis=0).repeat(8, axis=1), np.full((8, 32, 1), 255, np.uint8)])
    clear[:, :8, 3] = 0
    Image.fromarray(clear).save(tmp_path / "a.webp", lossless=True)
    found = np.rint(np.array(read_palette(tmp_path / "a.webp")) * 255)
    assert found.tolist() == [list(color) for color in SOME[1:]]


def test_of_a_photograph_some_colours_are_chosen(tmp_path, caplog):
    y, x = np.mgrid[:64, :64]
    Image.fromarray(np.stack([4 * x, 4 * y, x + y], axis=-1).astype(np.uint8)).save(tmp_path / "a.png")
    with caplog.at_level(logging.WARNING, "semantic_guidance"):
        found = read_palette(tmp_path / "a.png")
    assert 1 < len(found) <= MAX_COLORS
    assert "4096 colours" in caplog.text


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("a.ase", adobe(SOME)[:-30], "broken"),
        ("a.ase", adobe(SOME)[:40], "broken"),
        ("a.ase", b"ASEF", "broken"),
        ("a.ase", ase(swatch(b"HSB ", 0, 0, 0)), r"of the kind 'HSB '"),
        ("a.ase", ase(swatch(b"Gray", float("nan"))), "no number"),
        ("a.ase", b"ASEF" + struct.pack(">2HI", 1, 0, 2**32 - 1), "broken"),
        ("a.ase", ase(), "there are 0 colours"),
        ("a.aco", photoshop(SOME)[:20], "broken"),
        ("a.aco", b"\0\7\0\1" + bytes(10), "version is 7"),
        ("a.aco", struct.pack(">7H", 1, 1, 5, 0, 0, 0, 0), "of the kind 5"),
        ("a.pal", jasc(SOME)[:-8], "says that it has 4 colours, and has 3|no colour"),
        ("a.pal", b"JASC-PAL\n0100\n1\n1 2 999\n", "no colour"),
        ("a.pal", b"JASC-PAL\n0100\n", "how many"),
        ("a.pal", windows(SOME)[:-3], "broken"),
        ("a.hex", b"ff0000\nnot a colour\n", r"0 colours.*\.gpl.*Lospec.*JASC.*paint\.net.*\.ase.*picture"),
        ("a.bin", bytes(range(256)), r"0 colours.*wanted 1 to 64"),
        ("a.txt", b"#ffffff " * 200_000, "more than"),
    ],
)
def test_what_is_broken_or_unknown_is_refused_in_a_line(tmp_path, name, data, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        read(tmp_path, name, data)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.ase", "a.aco", "w.pal"])
def test_damage_is_a_palette_or_a_line(tmp_path_factory, name):
    folder, whole = tmp_path_factory.mktemp("damaged"), KINDS[name](SOME)

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, len(whole) - 1), st.integers(0, 255), st.integers(0, len(whole)))
    def check(place: int, value: int, end: int) -> None:
        data = bytearray(whole)
        data[place] = value
        (folder / name).write_bytes(data[: end if place % 2 else None])
        with contextlib.suppress(InputError):
            assert np.isfinite(read_palette(folder / name)).all()

    check()
