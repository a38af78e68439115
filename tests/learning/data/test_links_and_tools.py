"""Plain folders as people keep them: links, what tools put there, train and val."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from semantic_guidance.apps.evaluate.subjects import find_subjects
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import is_tools
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.learning.data.folder import DataRequest, PictureFolder
from semantic_guidance.learning.data.photographs import Photographs
from tests.learning.data.test_datasets import bird, save

BIRD = bird()[0]


def test_linked_folders_are_followed_once_and_never_in_circles(tmp_path: Path) -> None:
    folder, disk = tmp_path / "mine", tmp_path / "disk"
    for place in (folder / "a" / "1.jpg", disk / "inner" / "2.jpg", disk / "3.jpg", tmp_path / "4.jpg"):
        save(place, BIRD)
    for link, target in (
        ("a/around", folder),
        ("up", tmp_path),
        ("again", folder / "a"),
        ("inner first", disk / "inner"),
        ("whole", disk),
        ("itself", folder / "itself"),
        ("nowhere", folder / "gone"),
    ):
        (folder / link).symlink_to(target)
    (disk / "back").symlink_to(tmp_path)
    assert PictureFolder(folder).names == ["a/1.jpg", "inner first/2.jpg", "whole/3.jpg"]


def test_folders_that_may_not_be_read_are_told_of(tmp_path: Path, monkeypatch) -> None:
    save(tmp_path / "a" / "1.jpg", BIRD)
    look = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("a"):
            raise PermissionError(13, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"/a cannot be read \(Permission denied\)"):
        PictureFolder(tmp_path)


def test_links_to_files_that_are_gone_are_told_of(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", BIRD)
    (tmp_path / "b.jpg").symlink_to(tmp_path / "unmounted" / "b.jpg")
    folder = PictureFolder(tmp_path)
    assert folder.names == ["a.jpg", "b.jpg"]
    with pytest.raises(FileNotFoundError, match=r"b\.jpg: no such file"):
        folder[1]
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InputError, match=r"none of the 1 pictures is there, wanted .*b\.jpg"):
        PictureFolder(tmp_path)


TOOLS = (
    ".thumbnails/a.jpg",
    ".ipynb_checkpoints/a-checkpoint.jpg",
    "__MACOSX/._a.jpg",
    "._a.jpg",
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
    ".git/a.png",
    "$RECYCLE.BIN/$R1.jpg",
    "System Volume Information/a.jpg",
    "lost+found/a.jpg",
    "x/.DS_Store.jpg",
    "Catalog Previews.lrdata/a.jpg",
    "segmentations_pred/x/b.jpg",
    "gbp_global/x/b.jpg",
    "x/b_mask.png",
)


def test_what_tools_put_into_folders_is_no_picture(tmp_path: Path) -> None:
    pictures = ["Möwe im\u00a0Flug.JPEG", "x/b.jpg", "x/c_mask.png", "x/lost and found.png"]
    for name in (*TOOLS, *pictures):
        save(tmp_path / name, BIRD)
    assert PictureFolder(tmp_path).names == sorted(pictures)
    assert [subject.image.name for subject in find_subjects(tmp_path)] == [pictures[0]]


def test_photographs_of_any_suffix_without_tools_files(tmp_path: Path) -> None:
    image, mask = bird()
    for name in ("a.JPG", "b.jpeg", "._a.jpg"):
        save(tmp_path / name, image)
        save(tmp_path / f"{Path(name).stem}_mask.png", mask)
    (tmp_path / "photographs.csv").write_text("name,kind\na,thing\nb,animal\n")
    assert [photo.kind for photo in Photographs.load(tmp_path).objects] == ["thing", "animal"]


@pytest.mark.parametrize("name", ["a.jpg", "tmp", "Thumbs", "MACOSX", "found", "eaDir", "a.lrdata.jpg"])
def test_ordinary_names_are_no_tools(name: str) -> None:
    assert not is_tools(name)


def test_folders_train_and_val_are_an_official_split(tmp_path: Path) -> None:
    for name in ("train/x/1.jpg", "train/2.jpg", "val/3.jpg", "other/4.jpg"):
        save(tmp_path / name, BIRD)
    opened = DATASETS.get("folder")
    assert len(opened(tmp_path, DataRequest())) == 4
    train, rest = opened(tmp_path, DataRequest(split="official")).split(1)
    assert (train.names, rest.names) == (["train/2.jpg", "train/x/1.jpg"], ["val/3.jpg"])
    (tmp_path / "val").rename(tmp_path / "more")
    with pytest.raises(InputError, match=r"no split of its own.*there are more/, other/, train/"):
        opened(tmp_path, DataRequest(split="official"))
