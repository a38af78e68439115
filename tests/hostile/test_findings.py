"""What attacks have found, each as a case with its right outcome."""

from __future__ import annotations

import csv
import json
import os
import resource
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from semantic_guidance import Strokes, render
from semantic_guidance.agents.window.files import save_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.apps.cli.main import main
from semantic_guidance.learning.data.cars196 import Cars196
from semantic_guidance.learning.data.cub200 import CUB200, FOCUS, MASKS
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from tests.conftest import random_strokes
from tests.hostile import corpus, folders
from tests.hostile.target import hidden
from tests.hostile.targets import STARTS

QUICK = ("--preset", "draft", "--agent", "planner", "--strokes", "2", "--size", "32", "--formats", "png")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty, beside a photograph that nothing may touch."""
    (tmp_path / "holiday.jpg").write_bytes(corpus.pictures()["JPEG-RGB"])
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "photo.png").write_bytes(corpus.pictures()["PNG-RGB"])
    return folder


@pytest.fixture
def refused(place: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must refuse its words in one line that has no control characters."""

    def run(*words: object) -> str:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 2
        said = capsys.readouterr().err
        assert said.startswith(STARTS)
        assert said.count("\n") == 1
        assert not hidden(said[:-1])
        return said

    return run


def paint(photo: object, *words: object) -> int:
    return main(["paint", str(photo), *map(str, words), *QUICK])


# 1: names in lists


def climbing_cub(folder: Path, name: str) -> None:
    """A CUB-200-2011 of one picture of that name, and a sound one."""
    root = folder / "cub200" / "CUB_200_2011"
    folders.put(root / "images" / "001.Bird" / "bird.jpg", folders.photo())
    folders.put(root / "images.txt", f"1 001.Bird/bird.jpg\n2 {name}\n")
    for each in ("images", MASKS, FOCUS):
        (root / each).mkdir(exist_ok=True)
        (root / each / "link").symlink_to(folder.parent)


@pytest.mark.parametrize("name", ["../", "../../", "../../../", "../../../../", "absolute", "link/"])
def test_a_list_cannot_have_a_photograph_overwritten(name: str, place: Path) -> None:
    photograph = place.parent / "holiday.jpg"
    if climbs := name.count("../"):  # as far above the folders of masks and focus maps
        folder = place / "cub200" / "CUB_200_2011" / "images"
        photograph = folder.parents[climbs - 1] / "holiday.jpg"
    folders.put(photograph, folders.photo())
    climbing_cub(place, str(photograph) if name == "absolute" else f"{name}holiday.jpg")
    main(["preprocess", "--data", str(place), "--workers", "1", "--overwrite"])
    assert photograph.read_bytes() == folders.photo()
    assert [path.name for path in photograph.parent.glob("*.jpg")] == ["holiday.jpg"]


def mat(place: Path, name: str) -> None:
    from scipy.io import savemat

    fields = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")
    records = np.zeros((1, 1), dtype=[(field, object) for field in fields])
    for field, value in zip(fields, (1, 1, 9, 9, 1, name), strict=True):
        records[0, 0][field] = value
    (place / "cars_train").mkdir()
    (place / "devkit").mkdir()
    savemat(place / "devkit" / "cars_train_annos.mat", {"annotations": records})
    savemat(place / "devkit" / "cars_meta.mat", {"class_names": np.array(["A"], dtype=object)[None]})


def test_annotations_cannot_name_a_file_elsewhere(place: Path) -> None:
    mat(place, "../../holiday.jpg")
    with pytest.raises(ValueError, match="holiday"):
        Cars196(place)[0]


def test_a_manifest_cannot_name_a_file_elsewhere(place: Path) -> None:
    Image.fromarray(np.full((9, 9, 4), 255, np.uint8)).save(place.parent / "cut.webp")
    (place / "manifest.csv").write_text("name,kind,category\n../cut.webp,cutout,birds\n")
    with pytest.raises(ValueError, match=r"cut\.webp"):
        CutoutPack.load(place)


def test_a_list_cannot_have_a_device_read(place: Path) -> None:
    climbing_cub(place, "/dev/zero")
    with pytest.raises(ValueError, match=r"images\.txt"):
        CUB200(place)[1]


def test_a_box_that_is_wrong_is_named_with_its_file(place: Path) -> None:
    root = place / "cub200" / "CUB_200_2011"
    climbing_cub(place, "001.Bird/bird.jpg")
    folders.put(root / "bounding_boxes.txt", "1 1e39 5 9 9\n2 1 1 3 3\n")
    with pytest.raises(ValueError, match=r"bird\.jpg|bounding_boxes"):
        CUB200(place, "box")[0]


# 2: odd pictures


def damaged(orientation: int, kind: int) -> bytes:
    """EXIF with an entry whose values lie beyond the end, or whose kind does not fit."""
    entries = [struct.pack("<HHII", 0x0112, 3, 1, orientation)]
    entries.append(
        struct.pack("<HHII", *((0x8769, 4, 1, 1 << 30), (0x011A, 5, 9, 60), (0x010F, 2, 1 << 28, 8))[kind])
    )
    entries.append(struct.pack("<HHII", 0x0132, 7, 3, 0x20))
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0"
    return b"Exif\0\0" + body


@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("orientation", [2, 3, 5, 6, 8])
def test_a_turned_photograph_with_a_damaged_exif_block(orientation: int, kind: int, place: Path) -> None:
    from semantic_guidance.images.files import load_picture

    for form in ("JPEG", "WEBP", "PNG"):
        path = place / f"turned.{form.lower()}"
        path.write_bytes(corpus.with_exif(form, "RGB", damaged(orientation, kind)))
        sides = (24, 18) if orientation >= 5 else (18, 24)
        assert load_picture(path).image.shape == (3, *sides)


def test_such_a_photograph_is_painted(place: Path) -> None:
    (place / "turned.jpg").write_bytes(corpus.with_exif("JPEG", "RGB", damaged(6, 0)))
    assert paint("turned.jpg", "--no-guidance") == 0
    with Image.open(place / "turned_painted.png") as painted:
        assert painted.height > painted.width


@pytest.mark.parametrize("mode", ["LAB", "PA", "I;16", "F"])
def test_masks_of_rare_modes(mode: str, place: Path) -> None:
    (place / "mask.tif").write_bytes(corpus.pictures()[f"TIFF-{mode}"])
    assert paint("photo.png", "--mask", "mask.tif") in (0, 2)


@pytest.mark.parametrize("kind", ["AVIF-RGB", "DDS-RGB", "TIFF-LAB", "PNG-RGB"])
def test_broken_masks_of_data_sets_are_named(kind: str, place: Path) -> None:
    climbing_cub(place, "001.Bird/bird.jpg")
    root = place / "cub200"
    folders.put(root / "CUB_200_2011" / "bounding_boxes.txt", "1 1 1 3 3\n2 1 1 3 3\n")
    data = corpus.pictures()[kind]
    folders.put(root / "segmentations" / "001.Bird" / "bird.png", data[: len(data) * 2 // 3])
    with pytest.raises(ValueError, match=r"bird\.png"):
        CUB200(place, "real")[0]


# 3 and 4: agents


def test_no_torch_is_taken_whose_reader_of_checkpoints_has_known_holes() -> None:
    import tomllib

    from tests.conftest import ROOT

    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    floor = next(each.split(">=")[1] for each in needed if each.startswith("torch>="))
    assert tuple(map(int, floor.split(",")[0].split("."))) >= (2, 10)


def rewritten(path: Path, kind: str, **values: Any) -> Path:
    """A small agent's file whose config says something else."""
    path.write_bytes(corpus.agents()[kind])
    with safe_open(str(path), framework="pt") as file:
        about = file.metadata()
    config = json.dumps(json.loads(about["config"]) | values)
    save_file(load_file(path), path, {**about, "config": config})
    return path


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("ltp", {"width": 3000}),
        ("ltp", {"canvas_size": 0}),
        ("ltp", {"canvas_size": -1}),
        ("ltp", {"canvas_size": 1e30}),
        ("ltp", {"canvas_size": float("inf")}),
        ("window", {"widths": []}),
        ("window", {"widths": [3000, 3000, 3000, 3000]}),
        ("window", {"channels": 10**9}),
        ("dense", {"widths": []}),
        ("dense", {"steps": 10**9}),
    ],
)
def test_what_an_agent_says_of_itself(kind: str, values: dict[str, Any], place: Path, refused: Any) -> None:
    path = rewritten(place / "agent.safetensors", kind, **values)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = refused("paint", "photo.png", "--preset", "draft", "--no-guidance", "--agent", path)
    assert "agent.safetensors" in said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes


def test_tensors_without_numbers_of_their_own(place: Path, refused: Any) -> None:
    (place / "tricks.pkl").write_bytes(corpus.agents()["sparse"])
    assert "tricks.pkl" in refused("paint", "photo.png", "--preset", "draft", "--agent", "tricks.pkl")


def test_a_small_archive_of_many_zeros(place: Path, refused: Any) -> None:
    path = place / "zeros.pkl"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(name, bytes(300 << 20) if name.endswith("/data/0") else data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "zeros.pkl" in refused("paint", "photo.png", "--preset", "draft", "--agent", path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize("kind", ["window", "dense", "ltp"])
def test_an_agent_that_paints_what_is_no_number_is_named(
    kind: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place / "agent.safetensors"
    path.write_bytes(corpus.agents()[kind])
    with safe_open(str(path), framework="pt") as file:
        about = file.metadata()
    huge = {
        name: torch.full_like(values, 6e4) if values.is_floating_point() and "running" not in name else values
        for name, values in load_file(path).items()
    }
    save_file(huge, path, about)
    status = main(["paint", "photo.png", "--no-guidance", *QUICK, "--agent", str(path)])
    assert status == 0 or "agent.safetensors" in capsys.readouterr().err


def test_an_agent_that_sees_other_channels(place: Path, refused: Any) -> None:
    save_window_actor(WindowActor(8, (8, 8, 8, 8)), True, {}, place / "agent.safetensors")
    said = refused("paint", "photo.png", "--agent", "agent.safetensors", "--preset", "draft", "--no-guidance")
    assert "agent.safetensors" in said


# 6: outputs that are no files


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_stays_a_pipe(linked: bool, place: Path) -> None:
    folders.put(place / "painting.json", corpus.strokes_files()[1])
    pipe = place / ("pipe" if linked else "painting.png")
    os.mkfifo(pipe)
    if linked:
        (place / "painting.png").symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = main(["render", "painting.json", "--size", "16"])
        assert stat.S_ISFIFO(os.stat(pipe).st_mode)
        assert (place / "painting.png").is_symlink() == linked
        assert status == 2 or os.read(reader, 8) == b"\x89PNG\r\n\x1a\n"
    finally:
        os.close(reader)


# 9: terminals and tables


@pytest.mark.parametrize("name", ["\x1b[31mred.jpg", "\u202egpj.exe", "a\rb.jpg", "\u2028.jpg"])
def test_a_name_in_a_message_is_text(name: str, place: Path, refused: Any) -> None:
    refused("paint", name)
    (place / name).write_bytes(b"no picture")
    refused("paint", name)
    refused("render", name)


def test_a_name_in_what_was_written_is_text(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "\x1b[31mred\u202e.png").write_bytes(corpus.pictures()["PNG-RGB"])
    assert paint("\x1b[31mred\u202e.png", "--no-guidance") == 0
    assert not any(hidden(line) for line in capsys.readouterr().out.splitlines())


@pytest.mark.usefixtures("looks_once")
def test_no_cell_of_a_table_is_a_formula(place: Path) -> None:
    folders.put(place / "pictures" / "=1+1;@SUM(A1).png", corpus.pictures()["PNG-RGB"])
    words = ["evaluate", "pictures", "--strokes", "2", "--methods", "planner+draft+unguided", "--out", "out"]
    assert main(words) == 0
    for delimiter in ",;\t":
        with (place / "out" / "results.csv").open(newline="") as file:
            cells = [cell for row in csv.reader(file, delimiter=delimiter) for cell in row]
        assert [cell for cell in cells if "1+1" in cell]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


# 10: the renderer


def test_a_mask_alone_needs_a_gradient() -> None:
    mask = torch.full((1, 1, 16, 16), 0.5, requires_grad=True)
    render(random_strokes(3), torch.full((1, 3, 16, 16), 0.5), mask).sum().backward()
    assert mask.grad is not None
    assert bool(torch.isfinite(mask.grad).all())


def test_a_mask_that_was_changed_meanwhile() -> None:
    vectors = random_strokes(3).pack().requires_grad_()
    mask = torch.full((1, 1, 16, 16), 0.5)
    painted = render(Strokes.unpack(vectors), torch.full((1, 3, 16, 16), 0.5), mask)
    mask.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        painted.sum().backward()
