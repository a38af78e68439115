"""The papers' data sets as people keep them: layouts, lists, splits; and what is said of wrong ones."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.evaluate.held_out import held_out_subjects
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.learning.bank import open_banks
from semantic_guidance.learning.config import DataConfig
from semantic_guidance.learning.data.cars196 import Cars196
from semantic_guidance.learning.data.cub200 import CUB200
from semantic_guidance.learning.data.folder import DataRequest
from semantic_guidance.learning.data.made import read_predicted_boxes
from semantic_guidance.learning.data.virtual_kitti import VirtualKITTI
from tests.learning.data.test_datasets import CUB_NAMES, bird, cars_annotations, predict, save, two_cars

BIRD = bird()[0]


# CUB-200-2011


def make_cub(folder: Path, names: tuple[str, ...] = CUB_NAMES) -> Path:
    root = folder / "cub200" / "CUB_200_2011"
    for name in names:
        save(root / "images" / name, BIRD)
    (root / "images.txt").write_text("".join(f"{n} {name}\n" for n, name in enumerate(names, 1)))
    return root


def test_predicted_boxes_go_to_the_birds_of_their_index(tmp_path: Path) -> None:
    make_cub(tmp_path)
    predict(tmp_path, " x y w h\n1 1.5 1 9 9\n0 0.5 1 9 9\n")
    data = CUB200(tmp_path, "predicted")
    assert [data[n].guidance.boxes[0][0] for n in range(2)] == [0.5, 1.5]


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)), st.sampled_from(["\n", "\r\n", "\n\n", " \n"]), st.booleans())
def test_the_order_of_rows_means_nothing(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], end: str, fraction: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "boxes.txt"
    rows = [f"{n}{'.0' * fraction} {n}.25 {n + 1} {n + 2} 3" for n in order]
    path.write_bytes(f" x y w h{end}{end.join(rows)}{end}".encode())
    assert read_predicted_boxes(path, 6) == [(n + 0.25, n + 1, n + 2, 3) for n in range(6)]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("0 1 2 3 4\n0 1 2 3 4\n", "two rows for index 0"),
        ("1 1 2 3 4\n2 1 2 3 4\n", r"a row for index 2, wanted 0 to 1"),
        ("1 1 2 3 4\n", "has 1 rows, wanted 2: none is for index 0"),
        ("0.5 1 2 3 4\n1 1 2 3 4\n", r"line 2 is '0\.5 1 2 3 4'"),
    ],
)
def test_predicted_boxes_that_are_not_one_each_are_named(tmp_path: Path, rows: str, complaint: str) -> None:
    make_cub(tmp_path)
    predict(tmp_path, f" x y w h\n{rows}")
    with pytest.raises(InputError, match=rf"bounding_boxes_pred\.txt.*{complaint}"):
        CUB200(tmp_path, "predicted")


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """Five, of which the official split learns from the second and the fourth, with real masks."""
    names = tuple(f"001.A/{n}.jpg" for n in range(5))
    root = make_cub(tmp_path, names)
    for name in names:
        save(root.parent / "segmentations" / name.replace(".jpg", ".png"), bird()[1])
    (root / "train_test_split.txt").write_text("5 0\n4 1\n1 0\n2 1\n3 0\n")
    (root / "bounding_boxes.txt").write_text("".join(f"{n} 20 10 25 15\n" for n in (3, 1, 2, 5, 4)))
    return tmp_path


def test_official_split_and_real_masks_of_birds(birds: Path) -> None:
    config = DataConfig("cub200", str(birds), canvas_size=8, split="official", masks="real")
    train, rest = open_banks(config, EnvConfig(use_bilevel=True))
    assert (len(train), len(rest)) == (2, 3)
    train.fill()
    # The mean over the squares of 7.5 x 5 pixels; the rectangle covers 375 of 2,400.
    assert float(train.pixels[:, 3].float().mean()) / 255 == pytest.approx(375 / 2400, abs=0.01)
    subjects = held_out_subjects(birds, "cub200", split="official", masks="real")
    assert [subject.name for subject in subjects] == ["001.A/0.jpg", "001.A/2.jpg", "001.A/4.jpg"]
    assert subjects[1].mask == birds / "cub200" / "segmentations" / "001.A" / "2.png"
    found = CUB200(birds, "found", "test")
    assert (found.names[0], found[0].guidance, found[0].box) == ("001.A/0.jpg", None, (20, 10, 25, 15))


def test_birds_that_are_linked_have_the_masks_beside_them(birds: Path, capsys) -> None:
    linked = birds / "mine" / "birds"
    linked.parent.mkdir()
    linked.symlink_to(birds / "cub200" / "CUB_200_2011")
    assert (
        CUB200(linked.parent, "real")
        .mask_path(2)
        .samefile(birds / "cub200" / "segmentations" / "001.A" / "2.png")
    )
    assert main(["datasets", "cub200", "--data", str(linked.parent)]) == 0
    told = capsys.readouterr().out
    assert f"  in {linked}:\n" in told
    assert "5 of 11,788  photographs" in told


def test_the_command_line_has_the_split_and_the_masks(
    birds: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        "semantic_guidance.learning.run.loop.train", lambda **values: asked.update(values) or tmp_path
    )
    assert main(["train", "--data", str(birds), "--split", "official", "--masks", "real"]) == 0
    assert (asked["split"], asked["masks"]) == ("official", "real")
    assert main(["train", "--data", str(birds), "--split", "half"]) == 2
    assert main(["train", "--data", str(birds), "--variation", "fog"]) == 2
    assert "--variation is 'fog', wanted none: cub200 has none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "rows", "complaint"),
    [
        ("train_test_split.txt", "1 0\n2 1\n2 0\n", "two rows for picture 2"),
        ("train_test_split.txt", "1 0\n2 1\n", "no half for picture 3"),
        ("train_test_split.txt", "1 2\n", "line 1 is '1 2'"),
        ("bounding_boxes.txt", "1 1 1 2 2\n1 1 1 2 2\n", "two rows for picture 1"),
    ],
)
def test_lists_of_birds_that_are_wrong_are_named(birds: Path, name: str, rows: str, complaint: str) -> None:
    (birds / "cub200" / "CUB_200_2011" / name).write_text(rows)
    with pytest.raises(InputError, match=rf"{name}.*{complaint}"):
        CUB200(birds, "real", "test")


@pytest.mark.parametrize(
    "line",
    ["1 images/001.A/a b.jpg", "1 001.A\\a b.jpg\r", "1\t001.A/a b.jpg  ", "\ufeff1 images\\001.A\\a b.jpg"],
)
def test_names_with_spaces_backslashes_and_the_folder_images(tmp_path: Path, line: str) -> None:
    root = make_cub(tmp_path, ("001.A/a b.jpg",))
    (root / "images.txt").write_bytes(f"{line}\n".encode())
    assert CUB200(tmp_path)[0].name == "001.A/a b.jpg"


def deeper(folder: Path) -> None:
    (folder / "cub200" / "CUB_200_2011").rename(folder / "unpacked")
    (folder / "cub200" / "CUB_200_2011").mkdir()
    (folder / "unpacked").rename(folder / "cub200" / "CUB_200_2011" / "CUB_200_2011")


def test_birds_one_level_too_deep_are_found(birds: Path) -> None:
    deeper(birds)
    assert len(CUB200(birds)) == 5
    assert main(["datasets", "cub200", "--data", str(birds)]) == 0


def packed(folder: Path) -> None:
    (folder / "cub200").mkdir()
    (folder / "cub200" / "CUB_200_2011.tgz").write_bytes(b"")


def without_pictures(folder: Path) -> None:
    images = make_cub(folder) / "images"
    images.rename(folder / "elsewhere")
    images.mkdir()


def classes_linked(folder: Path) -> None:
    images = make_cub(folder) / "images"
    for place in list(images.iterdir()):
        place.rename(folder / place.name)
        place.symlink_to(folder / place.name)


WRONG_BIRDS = {
    "nothing": (
        lambda folder: None,
        {},
        r"images\.txt is missing, wanted CUB-200-2011: DIR/cub200.*it is empty",
    ),
    "packed": (packed, {}, r"CUB_200_2011\.tgz is still packed: unpack it"),
    "no pictures": (
        without_pictures,
        {},
        r"none of the 2 pictures is there, wanted .*_18\.jpg.*it is empty",
    ),
    "linked classes": (classes_linked, {}, "none of the 2 pictures can be read, the first: .*through a link"),
    "no masks": (
        make_cub,
        {"guided": True},
        "segmentations_pred is not a folder.*-guidance preprocess",
    ),
    "no real ones": (make_cub, {"guided": True, "masks": "real"}, "segmentations is not a folder"),
    "no split": (make_cub, {"split": "official"}, r"train_test_split\.txt cannot be read"),
}


@pytest.mark.parametrize("case", WRONG_BIRDS)
def test_a_wrong_layout_is_one_message(tmp_path: Path, case: str) -> None:
    make, wanted, complaint = WRONG_BIRDS[case]
    make(tmp_path)
    with pytest.raises(InputError, match=complaint) as caught:
        DATASETS.get("cub200")(tmp_path, DataRequest(**wanted))
    assert "\n" not in str(caught.value)


def test_a_folder_within_and_an_archive_are_named(birds: Path, capsys) -> None:
    images = birds / "cub200" / "CUB_200_2011" / "images"
    with pytest.raises(InputError, match=rf"wanted the folder above: {images.parent}$"):
        CUB200(images)
    (birds / "all.zip").write_bytes(b"PK")
    for name in ("cub200", "cars196", "vkitti", "folder"):
        with pytest.raises(InputError, match=r"all\.zip is not a folder, .*it is packed: unpack it"):
            DATASETS.get(name)(birds / "all.zip", DataRequest())
    assert main(["evaluate", str(birds / "all.zip")]) == 2
    assert "it is packed: unpack it" in capsys.readouterr().err


# Cars-196


def made_meta(path: Path) -> None:
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    names = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)[None]
    savemat(path, {"class_names": names})


def in_devkit(pictures: str, devkit: str, root: str = "") -> Any:
    def make(folder: Path) -> None:
        for split, count in (("train", 2), ("test", 1)):
            names = [f"0000{n}.jpg" for n in range(1, count + 1)]
            for name in names:
                save(folder / root / pictures.format(split) / name, BIRD)
            cars_annotations(folder / root / devkit / f"cars_{split}_annos.mat", names, split == "train")
        made_meta(folder / root / devkit / "cars_meta.mat")

    return make


def in_full(folder: Path) -> None:
    from scipy.io import savemat

    fields = ["relative_im_path", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "test"]
    records = np.zeros((1, 3), dtype=[(field, object) for field in fields])
    for number, test in enumerate((0, 1, 0)):
        name = f"car_ims/00000{number}.jpg"
        save(folder / name, BIRD)
        for field, value in zip(fields, (name, 21, 11, 45, 25, 2, test), strict=True):
            records[0, number][field] = value
    classes = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)[None]
    savemat(folder / "cars_annos.mat", {"annotations": records, "class_names": classes})


def in_csv(folder: Path) -> None:
    for split, names in (("train", ["00001.jpg", "00002.jpg"]), ("test", ["00001.jpg"])):
        for name in names:
            save(folder / "car_data" / "car_data" / split / "Acura RL Sedan 2012" / name, BIRD)
        with (folder / f"anno_{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([name, 21, 11, 45, 25, 2] for name in names)
    (folder / "names.csv").write_text("AM General Hummer SUV 2000\nAcura RL Sedan 2012\n")


CARS = {
    "papers": in_devkit("cars_{}", "devkit"),
    "Kaggle": in_devkit("cars_{0}/cars_{0}", "car_devkit/devkit"),
    "devkit unpacked": in_devkit("cars_{}", "car_devkit"),
    "torchvision": in_devkit("cars_{}", "devkit", "stanford_cars"),
    "too deep": in_devkit("cars_{0}/cars_{0}", "devkit", "archive/cars"),
    "full": in_full,
    "classes": in_csv,
}


@pytest.mark.parametrize("layout", CARS)
def test_cars_as_people_have_them(tmp_path: Path, layout: str) -> None:
    pytest.importorskip("scipy.io", reason="Cars-196 is in MATLAB's format")
    CARS[layout](tmp_path)
    train, test = (Cars196(tmp_path, split) for split in ("train", "test"))
    assert (len(train), len(test), len(Cars196(tmp_path, "all"))) == (2, 1, 3)
    example = train[1]
    assert (example.label, example.box) == ("Acura RL Sedan 2012", (20.0, 10.0, 25.0, 15.0))
    assert example.image.shape == (3, 40, 60)
    opened = DATASETS.get("cars196")(tmp_path, DataRequest(split="official"))
    assert [len(half) for half in opened.split(1)] == [2, 1]
    assert main(["datasets", "cars196", "--data", str(tmp_path)]) == 0
    parts = ("cars_train", "car_devkit", "car_ims", "car_data")
    for part in [train.root / name for name in parts if (train.root / name).is_dir()]:
        with pytest.raises(
            InputError, match=rf"is a part of Cars-196, wanted the folder above: {train.root}$"
        ):
            Cars196(part)


def test_a_list_of_other_cars_is_named(tmp_path: Path) -> None:
    """Kaggle's copy has the full set's list beside the pictures of the other one."""
    in_full(tmp_path)
    (tmp_path / "cars_train" / "cars_train").mkdir(parents=True)
    (tmp_path / "car_ims").rename(tmp_path / "cars_train" / "x")
    with pytest.raises(InputError, match=r"car_ims is not a folder.*devkit/cars_train_annos\.mat is wanted"):
        Cars196(tmp_path)
    with pytest.raises(InputError, match=rf"wanted the folder above: {tmp_path}$"):
        Cars196(tmp_path / "cars_train" / "x")
    (tmp_path / "cars_annos.mat").unlink()
    with pytest.raises(InputError, match=r"holds no list of Cars-196, wanted DIR/cars_train/NAME\.jpg"):
        Cars196(tmp_path / "cars_train" / "x")


# Virtual KITTI


def make_kitti(rgb: Path, masks: Path | None, variations: tuple[str, ...] = ("clone",)) -> None:
    for variation in variations:
        frames = Path("Scene01", variation, "frames")
        for number in range(2):
            save(rgb / frames / "rgb" / "Camera_0" / f"rgb_0000{number}.jpg", BIRD)
            if masks is not None:
                place = masks / frames / "instanceSegmentation" / "Camera_0" / f"instancegt_0000{number}.png"
                labels = Image.fromarray(two_cars(), "P")
                labels.putpalette([value for index in range(256) for value in (index, 9, 255 - index)])
                place.parent.mkdir(parents=True, exist_ok=True)
                labels.save(place)


@pytest.mark.parametrize(
    ("rgb", "masks"),
    [
        (".", "."),
        ("vkitti_2.0.3_rgb", "vkitti_2.0.3_instanceSegmentation"),
        ("vkitti_2.0.3_rgb/vkitti_2.0.3_rgb", "vkitti_2.0.3_instanceSegmentation"),
        (".", "vkitti_2.0.3_instanceSegmentation"),
    ],
)
def test_virtual_kitti_with_a_folder_an_archive(tmp_path: Path, rgb: str, masks: str) -> None:
    make_kitti(tmp_path / rgb, tmp_path / masks, ("clone", "fog"))
    (tmp_path / "vkitti_2.0.3_textgt" / "Scene01" / "clone").mkdir(parents=True)
    scene = tmp_path / rgb / "Scene01"
    (scene / "clone" / "frames" / "rgb" / "Camera_0" / "._rgb_00000.jpg").write_bytes(b"macOS")
    with pytest.raises(InputError, match=rf"holds no frames, .*; {tmp_path} looks like it$"):
        VirtualKITTI(scene)
    frames = VirtualKITTI(tmp_path)
    assert len(frames) == 2
    assert frames[1].guidance.boxes == ((5, 5, 30, 20), (40, 20, 10, 10))
    assert [len(VirtualKITTI(tmp_path, name)) for name in ("fog", "fog, clone", "all")] == [2, 4, 4]
    with pytest.raises(InputError, match=r"no frames of 'snow', wanted all or some of clone, fog$"):
        VirtualKITTI(tmp_path, "snow")


def test_scenes_on_another_disk_are_followed(tmp_path: Path) -> None:
    make_kitti(tmp_path / "disk", tmp_path / "disk")
    (tmp_path / "data" / "Scene01").mkdir(parents=True)
    (tmp_path / "data" / "Scene01" / "clone").symlink_to(tmp_path / "disk" / "Scene01" / "clone")
    assert len(VirtualKITTI(tmp_path / "data")[0].guidance.boxes) == 2


def test_frames_alone_do_for_a_baseline(tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_kitti(data / "vkitti_2.0.3_rgb", None)
    opened = DATASETS.get("vkitti")
    assert opened(data, DataRequest())[1].guidance is None
    assert opened(data, DataRequest(guided=True, masks="found"))[1].guidance is None
    with pytest.raises(InputError, match=r"none of the 2 masks .* archive vkitti_2\.0\.3_instanceSeg"):
        opened(data, DataRequest(guided=True))
    (data / "vkitti_2.0.3_instanceSegmentation").mkdir()
    with pytest.raises(InputError, match=rf"{data} has it$"):
        opened(data / "vkitti_2.0.3_rgb", DataRequest(guided=True))
    with pytest.raises(InputError, match=rf"holds no frames, .*; {data} looks like it$"):
        opened(tmp_path, DataRequest())
