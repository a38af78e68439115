"""Data sets whose pictures, masks or maps are damaged: a ValueError that names the file, so a run goes on."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.learning.bank import PictureBank
from semantic_guidance.learning.data import preprocess, seen
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.data.cutouts.rebuild_pack import convert
from semantic_guidance.learning.data.folder import PictureFolder, read_plane
from semantic_guidance.learning.data.photographs import Photographs
from semantic_guidance.learning.data.virtual_kitti import VirtualKITTI


def png(mode: str = "RGB") -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(data, "PNG")
    return data.getvalue()


def flipped(mode: str) -> bytes:
    data = bytearray(png(mode))
    data[len(data) // 2] ^= 8
    return bytes(data)


def bomb(mode: str) -> bytes:
    """A PNG that says it has 1,600 million pixels."""
    header = b"IHDR" + struct.pack(">2I5B", 40_000, 40_000, 8, 0, 0, 0, 0)
    return (
        png(mode)[:8]
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + png(mode)[33:]
    )


DAMAGES: dict[str, Callable[[str], bytes]] = {
    "cut off": lambda mode: png(mode)[:400],
    "flipped": flipped,
    "bomb": bomb,
    "AVIF without pixels": lambda mode: b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf\0\0\0\x08meta",
    "DDS without pixels": lambda mode: (
        b"DDS " + struct.pack("<7I", 124, 0x1007, 9, 9, 0, 0, 0) + b"\xff" * 100
    ),
    "words": lambda mode: b"no picture",
    "nothing": lambda mode: b"",
}


@pytest.fixture(params=DAMAGES)
def damaged(request) -> Callable[[Path, str], Path]:
    """Writes a damaged picture of a mode to a path."""

    def write(path: Path, mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DAMAGES[request.param](mode))
        return path

    return write


def whole(path: Path, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(mode))
    return path


def test_planes(tmp_path, damaged):
    path = damaged(tmp_path / "mask.png", "L")
    with pytest.raises(ValueError, match=r"mask\.png: .*wanted"):
        read_plane(path, 40, 60, "a mask")


def test_virtual_kitti_2(tmp_path, damaged):
    frames = tmp_path / "Scene01" / "clone" / "frames"
    whole(frames / "rgb" / "Camera_0" / "rgb_00000.jpg")
    damaged(frames / "instanceSegmentation" / "Camera_0" / "instancegt_00000.png", "P")
    with pytest.raises(ValueError, match=r"instancegt_00000\.png: .*wanted"):
        VirtualKITTI(tmp_path)[0]


def test_virtual_kitti_2_in_colours(tmp_path):
    frames = tmp_path / "Scene01" / "clone" / "frames"
    whole(frames / "rgb" / "Camera_0" / "rgb_00000.jpg")
    whole(frames / "instanceSegmentation" / "Camera_0" / "instancegt_00000.png")
    with pytest.raises(ValueError, match=r"instancegt_00000\.png: the picture is RGB, wanted labels"):
        VirtualKITTI(tmp_path)[0]


def test_virtual_kitti_1(tmp_path, damaged):
    whole(tmp_path / "vkitti_1.3.1_rgb" / "0001" / "clone" / "00000.png")
    damaged(tmp_path / "vkitti_1.3.1_scenegt" / "0001" / "clone" / "00000.png")
    table = tmp_path / "vkitti_1.3.1_scenegt" / "0001_clone_scenegt_rgb_encoding.txt"
    table.write_text("Category(:id) r g b\nCar:3 200 10 30\n")
    with pytest.raises(ValueError, match=r"scenegt/0001/clone/00000\.png: .*wanted"):
        VirtualKITTI(tmp_path)[0]


@pytest.mark.parametrize("broken", ["0.jpg", "0_mask.png"])
def test_photographs(tmp_path, damaged, broken):
    for name in ("0.jpg", "0_mask.png"):
        whole(tmp_path / name)
    damaged(tmp_path / broken)
    (tmp_path / "photographs.csv").write_text("name,kind\n0,thing\n")
    with pytest.raises(ValueError, match=rf"{broken}: .*wanted"):
        Photographs.load(tmp_path)


@pytest.mark.parametrize("kind", ["cutout", "photograph"])
def test_packs(tmp_path, damaged, kind):
    path = damaged(tmp_path / "x.webp", "RGBA")
    (tmp_path / "manifest.csv").write_text(f"name,kind,category\nx.webp,{kind},birds\n")
    with pytest.raises(ValueError, match=r"x\.webp: .*wanted"):
        CutoutPack.load(tmp_path)
    with pytest.raises(ValueError, match=r"x\.webp: .*wanted"):
        convert(path, tmp_path / "out.webp", kind)


def test_a_run_goes_on_without_the_picture(tmp_path, damaged, capsys):
    damaged(tmp_path / "a.png")
    whole(tmp_path / "b.png")
    folder = PictureFolder(tmp_path)

    def fetch(number: int) -> tuple[torch.Tensor, Guidance]:
        image = folder[number].image
        return image, Guidance.none(*image.shape[1:])

    PictureBank(fetch, torch.arange(2), 16).start(torch.tensor([0, 2]), torch.device("cpu"))
    assert capsys.readouterr().err.count("a.png") == 1


def test_preprocess_skips_it_and_takes_pictures_with_a_damaged_exif_block(tmp_path, damaged, monkeypatch):
    """Orientation 6, and a pointer to GPS data beyond the end, which Pillow alone falls over."""
    root = tmp_path / "cub200" / "CUB_200_2011"
    names = ["1.A/a.jpg", "1.A/b.jpg"]
    damaged(root / "images" / names[0])
    entries = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHII", 0x8825, 4, 1, 0xFFFFFFF0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries
    Image.new("RGB", (60, 40), "red").save(root / "images" / names[1], exif=exif)
    (root / "images.txt").write_text("".join(f"{n} {name}\n" for n, name in enumerate(names, 1)))
    monkeypatch.setattr(seen, "_guide", lambda: lambda image: Guidance.none(*image.shape[1:]))
    assert preprocess.preprocess(tmp_path) == (2, 1)
    rows = (root / "bounding_boxes_pred.txt").read_text().splitlines()
    assert rows[1:] == ["0 0 0 0 0", "1 0 0 40 60"]
