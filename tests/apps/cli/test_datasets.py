"""``datasets``: what it says of folders is what the data sets' own readers find there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.learning.data.folder import DataRequest
from semantic_guidance.learning.data.sources import CUB200, SOURCES, find_root, look
from tests.contracts.test_datasets import make_cars, make_cub, make_vkitti

MAKERS: dict[str, Callable[[Path], None]] = {"cub200": make_cub, "cars196": make_cars, "vkitti": make_vkitti}


def said(capsys, *words: object, status: int = 0) -> str:
    assert cli.main(["datasets", *map(str, words)]) == status
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_without_a_folder_it_tells_where_each_is(capsys):
    out = said(capsys)
    for source in SOURCES:
        assert source.name in DATASETS
        assert source.title in out
        assert all(address.startswith("https://") and address in out for _, address in source.addresses)
    assert said(capsys, "cub200") == out.partition("\n\n")[0] + "\n"


@pytest.mark.parametrize("name", MAKERS)
def test_a_data_set_that_its_reader_opens_is_there(name: str, tmp_path: Path, capsys):
    MAKERS[name](tmp_path)
    count = len(DATASETS.get(name)(tmp_path, DataRequest(guided=True)))
    out = said(capsys, name, "--data", tmp_path)
    assert (
        f"  next: semantic-guidance train --dataset {name} --data {tmp_path} --use_bilevel --use_gbp" in out
    )
    assert f" {count} of " in out or f" {count}  " in out


def test_what_is_missing_of_birds(tmp_path: Path, capsys):
    make_cub(tmp_path)
    root = tmp_path / "cub200" / "CUB_200_2011"
    pictures = len(list(root.glob("images/*/*.jpg")))
    next(root.glob("gbp_global/*/*.jpg")).unlink()
    out = said(capsys, "cub200", "--data", tmp_path)
    assert f"{pictures} of 11,788  photographs: images/*/*.jpg" in out
    assert f"{pictures - 1} of {pictures}  focus maps" in out
    assert f"  next: semantic-guidance preprocess --dataset cub200 --data {tmp_path}\n" in out
    (root / "images.txt").unlink()
    out = said(capsys, "cub200", "--data", tmp_path, status=1)
    assert "0 of 1  list of the photographs" in out
    assert f"  next: download: unpack CUB_200_2011.tgz (and segmentations.tgz) in {tmp_path}/cub200\n" in out


def test_real_masks_are_found_beside_the_root_and_in_it(tmp_path: Path):
    make_cub(tmp_path)
    root = find_root(CUB200, tmp_path)
    (tmp_path / "cub200" / "segmentations" / "001.A").mkdir(parents=True)
    (tmp_path / "cub200" / "segmentations" / "001.A" / "a.png").touch()

    def masks() -> int:
        return next(found.count for found in look(CUB200, root) if found.part.what == "real masks")

    assert masks() == 1
    shutil.move(tmp_path / "cub200" / "segmentations", root / "segmentations")
    assert masks() == 1
    assert find_root(CUB200, root) == root / "."


def test_a_folder_of_something_else(tmp_path: Path, capsys):
    out = said(capsys, "--data", tmp_path, status=1)
    assert out.count("nothing of it") == len(SOURCES)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["mnist"], "NAME: got 'mnist', wanted one of cub200, cars196, vkitti"),
        (["--data", "nowhere"], "--data: nowhere: no such folder, wanted"),
    ],
)
def test_refusals(words: list[str], complaint: str, capsys):
    assert cli.main(["datasets", *words]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert complaint in captured.err
