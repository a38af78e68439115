"""Lists of pictures: what they may hold, and what is said of a line that does not fit."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.names import plain_name
from semantic_guidance.learning.bank import open_banks
from semantic_guidance.learning.config import DataConfig
from semantic_guidance.learning.data.cub200 import CUB200
from semantic_guidance.learning.data.cutouts import rebuild_pack
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.data.folder import PictureFolder
from semantic_guidance.learning.data.lists import finite, read_csv, read_table
from semantic_guidance.learning.data.photographs import Photographs
from semantic_guidance.learning.data.virtual_kitti import VirtualKITTI
from tests.learning.data.test_cutouts import write_pack
from tests.learning.data.test_datasets import CUB_NAMES, bird, predict, save

LEADING_OUT = ["/etc/passwd", "../up.jpg", "a/../../up.jpg", "..", "C:/up.jpg", "a\\..\\b.jpg", "a\x07"]
PARTS = st.sampled_from(["..", ".", "", "a", "b.jpg", "C:", "é"])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join)


@pytest.fixture
def cub(tmp_path: Path) -> Path:
    root = tmp_path / "cub200" / "CUB_200_2011"
    for name in CUB_NAMES:
        save(root / "images" / name, bird()[0])
    (root / "images.txt").write_text("".join(f"{n} {name}\n" for n, name in enumerate(CUB_NAMES, 1)))
    return tmp_path


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_list_that_leads_out_is_refused_with_its_line(cub: Path, name: str) -> None:
    root = cub / "cub200" / "CUB_200_2011"
    (root / "images.txt").write_text(f"1 {CUB_NAMES[0]}\n\n2 {name}\n")
    with pytest.raises(InputError, match=r"images\.txt line 3: the name"):
        CUB200(cub)


@settings(deadline=None)
@given(st.lists(PARTS, max_size=5))
def test_a_list_is_taken_if_all_its_names_stay(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    root = tmp_path_factory.getbasetemp() / "a_list"
    root.mkdir(exist_ok=True)
    (root / "images.txt").write_text(
        "1 first.jpg\n" + "".join(f"{n} {name}\n" for n, name in enumerate(names))
    )
    try:
        data = CUB200(root)
    except InputError:
        return
    for index in range(len(data)):
        assert data.path(index).resolve().is_relative_to((root / "images").resolve())


def test_links_may_not_lead_out(cub: Path, tmp_path: Path) -> None:
    outside = save(tmp_path / "elsewhere" / "holiday.jpg", bird()[0])
    place = cub / "cub200" / "CUB_200_2011" / "images" / CUB_NAMES[1]
    place.unlink()
    place.symlink_to(outside)
    data = CUB200(cub)
    assert data[0].name == CUB_NAMES[0]
    with pytest.raises(InputError, match=r"images\.txt: the name .* through a link"):
        data[1]


def test_a_run_of_training_goes_on_without_links_that_lead_out(cub: Path, tmp_path: Path, capsys) -> None:
    outside = save(tmp_path / "elsewhere" / "holiday.jpg", bird()[0])
    place = cub / "cub200" / "CUB_200_2011" / "images" / CUB_NAMES[1]
    place.unlink()
    place.symlink_to(outside)
    train, held_out = open_banks(DataConfig("cub200", str(cub), canvas_size=8), EnvConfig())
    for bank in (train, held_out):
        with contextlib.suppress(InputError):  # two pictures: one half has the link alone
            bank.fill()
    assert int(train.loaded.sum() + held_out.loaded.sum()) == 1
    assert "through a link, wanted a file in" in capsys.readouterr().err


def test_a_folder_of_links_is_the_users_own(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere" / "holiday.jpg", bird()[0])
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "a.jpg").symlink_to(tmp_path / "elsewhere" / "holiday.jpg")
    assert PictureFolder(tmp_path / "chosen")[0].image.shape == (3, 40, 60)


def test_the_masks_of_a_list_may_not_lead_out(cub: Path, tmp_path: Path) -> None:
    root = predict(cub)
    place = root / "segmentations_pred" / CUB_NAMES[0]
    place.rename(tmp_path / "mask.jpg")
    place.symlink_to(tmp_path / "mask.jpg")
    with pytest.raises(InputError, match="through a link"):
        CUB200(cub, "predicted")[0]


def test_a_data_set_on_another_disk_may_be_linked(cub: Path, tmp_path: Path) -> None:
    root = cub / "cub200" / "CUB_200_2011"
    (root / "images").rename(tmp_path / "disk")
    (root / "images").symlink_to(tmp_path / "disk")
    (tmp_path / "link").symlink_to(root)
    assert CUB200(tmp_path / "link")[0].image.shape == (3, 40, 60)


def test_a_byte_order_mark_is_no_part_of_the_first_line(cub: Path) -> None:
    root = predict(cub, "\ufeff x y w h\r\n0 20 10 25 15\r\n1 20 10 25 15\r\n")
    path = root / "images.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert CUB200(cub, "predicted").names == list(CUB_NAMES)


@pytest.mark.parametrize("box", ["nan 10 25 15", "20 10 inf 15", "20 10 1e999 15", "20 10 25"])
def test_boxes_are_finite_numbers(cub: Path, box: str) -> None:
    root = cub / "cub200" / "CUB_200_2011"
    (root / "bounding_boxes.txt").write_text(f"1 20 10 25 15\n2 {box}\n")
    with pytest.raises(InputError, match=r"bounding_boxes\.txt line 2 is '2 "):
        CUB200(cub, "box")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_what_has_no_end_is_no_list(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zeros.txt").symlink_to("/dev/zero")
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    for name, reason in (("pipe", "no ordinary file"), ("zeros", "no ordinary file"), ("large", "64 MiB")):
        with pytest.raises(InputError, match=rf"{name}\.txt cannot be read \(.*{reason}\), wanted a table"):
            read_table(tmp_path / f"{name}.txt", (int,), "a table")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "table.txt"
    path.write_bytes(b"1 a.jpg 0.5\n" + data)
    try:
        rows = read_table(path, (int, str, finite), "a table", files=(1,))
    except InputError as error:
        assert str(error).startswith(str(path))  # noqa: PT017
        return
    assert all(isinstance(row[0], int) and plain_name(row[1], "") and np.isfinite(row[2]) for row in rows)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_csv_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "table.csv"
    path.write_bytes(b"name,kind\n" + data)
    try:
        rows = read_csv(path, ("name", "kind"), "a table", files=("name",))
    except InputError as error:
        assert str(error).startswith(str(path))  # noqa: PT017
        return
    assert all(plain_name(row["name"], "") and isinstance(row["kind"], str) for row in rows)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
def test_rows_are_those_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([("name", "kind"), *rows])
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
    assert [(row["name"], row["kind"]) for row in read_csv(path, ("name", "kind"), "rows")] == rows


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("name,kind,\na,thing,\n", ["thing"]),  # commas at the ends of lines
        ("name,kind\na,thing,\nb,scene,,\n", ["thing", "scene"]),
        ("name,kind,note,size\na,thing\nb,scene,sunny\n,,,\n\n", ["thing", "scene"]),  # as spreadsheets do
        ('name,kind,note\na,thing,"5" x\nb,scene,a "b" c\n', ["thing", "scene"]),
        ('name,kind,note\na,thing,"two\nlines"\nb,scene,\n', ["thing", "scene"]),
        ("note,name,kind\nx,a,thing\n", ["thing"]),
    ],
)
def test_only_the_wanted_columns_are_looked_at(tmp_path: Path, text: str, kinds: list[str]) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    rows = read_csv(path, ("name", "kind"), "a list", files=("name",))
    assert [row["kind"] for row in rows] == kinds
    assert [row["name"] for row in rows] == ["a", "b"][: len(kinds)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("b", "line 5 has no kind"),
        ('"b\nc",thing', "line 5: the cell of name goes on over lines"),
        ('"b,thing\nc,thing', "line 5: the cell of name goes on over lines"),
        (f"b,{'x' * 200_000}", "line 5 is malformed"),  # beyond the limit of Python's reader
    ],
)
def test_the_line_that_does_not_fit_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f'name,kind,note\na,thing,"two\nlines"\n\n{line}\nc,thing,\n')
    with pytest.raises(InputError, match=rf"list\.csv {reason}"):
        read_csv(path, ("name", "kind"), "a list")


def respell(pack: Path, old: str, new: str) -> None:
    manifest = pack / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(old, new, 1))


def test_a_manifest_that_leads_out_is_refused_with_its_line(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack", cutouts=3)
    manifest = tmp_path / "pack" / "manifest.csv"
    head, first, second, *rest = manifest.read_text().splitlines()
    manifest.write_text("\n".join([head, first, f"../{second}", *rest]) + "\n")
    with pytest.raises(InputError, match=r"manifest\.csv line 3: the name '\.\./.*climbs"):
        CutoutPack.load(tmp_path / "pack")
    manifest.write_text("\n".join([head, first, "lonely", *rest]) + "\n")
    with pytest.raises(InputError, match=r"manifest\.csv line 3 has no kind"):
        CutoutPack.load(tmp_path / "pack")
    manifest.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        CutoutPack.load(tmp_path / "pack")


def test_photographs_may_not_be_links_to_elsewhere(tmp_path: Path) -> None:
    image, mask = bird()
    folder = tmp_path / "photographs"
    save(folder / "0.jpg", image)
    save(tmp_path / "mask.png", mask)
    (folder / "0_mask.png").symlink_to(tmp_path / "mask.png")
    (folder / "photographs.csv").write_text("name,kind\n0,thing\n")
    with pytest.raises(InputError, match="through a link"):
        Photographs.load(folder)


def test_frames_and_masks_of_virtual_kitti_may_not_be_links_to_elsewhere(tmp_path: Path) -> None:
    frames = tmp_path / "data" / "Scene01" / "clone" / "frames"
    save(frames / "rgb" / "Camera_0" / "rgb_00000.jpg", bird()[0])
    place = frames / "instanceSegmentation" / "Camera_0" / "instancegt_00000.png"
    place.parent.mkdir(parents=True)
    place.symlink_to(save(tmp_path / "elsewhere.png", bird()[1]))
    with pytest.raises(InputError, match="through a link"):
        VirtualKITTI(tmp_path / "data")[0]


MANIFEST = "name,kind,category,source_package,source_path\n"


def test_a_pack_is_rebuilt_in_its_own_folder_alone(tmp_path: Path) -> None:
    save(tmp_path / "unpacked" / "usr" / "a.png", np.full((300, 300, 4), 255, np.uint8))
    holiday = save(tmp_path / "out" / "holiday.jpg", bird()[0])
    before = holiday.read_bytes()
    manifest = tmp_path / "theirs.csv"
    manifest.write_text(f"{MANIFEST}../out/holiday.jpg,background,x,p,usr/a.png\n")
    with pytest.raises(InputError, match=r"theirs\.csv line 2: the name .* climbs"):
        rebuild_pack.rebuild(tmp_path / "pack", tmp_path / "unpacked", manifest)
    manifest.write_text(f"{MANIFEST}holiday.jpg,background,x,p,usr/a.png\n")
    with pytest.raises(InputError, match=r"holiday\.jpg is there"):
        rebuild_pack.rebuild(tmp_path / "out", tmp_path / "unpacked", manifest)
    assert holiday.read_bytes() == before
    for _ in range(2):
        assert rebuild_pack.rebuild(tmp_path / "pack", tmp_path / "unpacked", manifest) == 1


def test_no_flag_is_taken_for_a_package(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'-oAPT::Update::Pre-Invoke=touch x' is no package"):
        rebuild_pack.fetch(["-oAPT::Update::Pre-Invoke=touch x"], tmp_path)
