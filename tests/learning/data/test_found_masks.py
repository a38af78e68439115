"""What ``preprocess`` finds in data sets that have boxes, masks of their own, or nothing."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.apps.cli.main import main
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.learning.bank import open_banks
from semantic_guidance.learning.config import DataConfig
from semantic_guidance.learning.data import preprocess, seen
from semantic_guidance.learning.data.cars196 import Cars196
from semantic_guidance.learning.data.folder import DataRequest
from semantic_guidance.learning.data.virtual_kitti import VirtualKITTI
from tests.apps.cli.test_preprocess import ball
from tests.learning.data.test_datasets import bird, cars_annotations, save, two_cars
from tests.learning.data.test_layouts import made_meta, make_kitti

BIRD = bird()[0]


def car(folder: Path) -> np.ndarray:
    """A Cars-196 with something round in a box; returns its true mask."""
    image, truth = ball(1)
    ys, xs = np.nonzero(truth)
    save(folder / "cars_train" / "cars_train" / "00001.jpg", image)
    save(folder / "cars_train" / "cars_train" / "00002.jpg", image)
    cars_annotations(
        folder / "devkit" / "cars_train_annos.mat",
        ["00001.jpg", "00002.jpg"],
        box=[xs.min() + 1, ys.min() + 1, xs.max() + 1, ys.max() + 1],
    )
    made_meta(folder / "devkit" / "cars_meta.mat")
    return truth


def overlap(found: torch.Tensor, truth: np.ndarray) -> float:
    mask = found.numpy() > 0.5
    return float((mask & truth).sum() / (mask | truth).sum())


def test_masks_of_cars_are_no_rectangles(tmp_path: Path, capsys) -> None:
    """A disc fills pi / 4 of its box."""
    truth = car(tmp_path)
    config = DataConfig("cars196", str(tmp_path), canvas_size=160)
    train, _ = open_banks(config, EnvConfig(use_bilevel=True))
    train.fill()
    assert "no masks: they are found inside the boxes" in capsys.readouterr().err
    x, y, w, h = (train.boxes[0] * 160).tolist()
    assert float((train.pixels[0, 3] > 127).sum()) / (w * h) == pytest.approx(np.pi / 4, abs=0.06)
    assert preprocess.preprocess(tmp_path, dataset="cars196") == (2, 0)
    example = Cars196(tmp_path, guidance="predicted")[0]
    assert overlap(example.guidance.mask[0], truth) > 0.93
    x, y, w, h = example.guidance.boxes[0]
    ys, xs = np.nonzero(truth)
    assert (x, y, w, h) == (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
    assert float((example.guidance.mask > 0.5).sum()) / (w * h) == pytest.approx(np.pi / 4, abs=0.06)
    assert float(example.guidance.focus.max()) > 0.5
    again, _ = open_banks(config, EnvConfig(use_bilevel=True, use_gbp=True))
    again.fill()
    assert "no masks" not in capsys.readouterr().err
    assert int(again.pixels[0, 4].max()) > 127


class Finder:
    """In place of a `Guide`: finds the whole box, or half of the frame."""

    def __call__(self, image: torch.Tensor) -> Guidance:
        mask = torch.zeros_like(image[:1])
        mask[:, :, : image.shape[2] // 2] = 1
        return self.from_mask(image, mask)

    def from_mask(self, image: torch.Tensor, mask: torch.Tensor) -> Guidance:
        return Guidance(mask, torch.full_like(mask, 0.8), (Instance.from_mask(mask),))

    def from_box(self, image: torch.Tensor, box: tuple[float, ...]) -> Guidance:
        x, y, w, h = (round(side) for side in box)
        mask = torch.zeros_like(image[:1])
        mask[:, y : y + h, x : x + w] = 1
        return self.from_mask(image, mask)


@pytest.fixture
def finder(monkeypatch) -> None:
    monkeypatch.setattr(seen, "_guide", Finder)


@pytest.mark.usefixtures("finder")
def test_boxes_that_remain_are_told_of(tmp_path: Path, capsys) -> None:
    car(tmp_path)
    assert main(["preprocess", "--dataset", "cars196", "--data", str(tmp_path), "--workers", "1"]) == 0
    assert "2 masks are rectangles: nothing else was found in their boxes" in capsys.readouterr().err


@pytest.mark.usefixtures("finder")
def test_virtual_kitti_keeps_its_own_masks(tmp_path: Path) -> None:
    make_kitti(tmp_path / "vkitti_2.0.3_rgb", tmp_path / "vkitti_2.0.3_instanceSegmentation")
    assert main(["preprocess", "--dataset", "vkitti", "--data", str(tmp_path), "--workers", "1"]) == 0
    guidance = DATASETS.get("vkitti")(tmp_path, DataRequest(guided=True))[0].guidance
    assert len(guidance.instances) == 2
    own = torch.from_numpy(two_cars() > 0)
    assert float(guidance.focus[0][own].mean()) == pytest.approx(0.8, abs=0.05)
    assert float(guidance.focus[0][~own].max()) == 0
    made = VirtualKITTI(tmp_path, guidance="predicted")[0].guidance
    assert torch.equal(made.mask[0] > 0.5, own)


@pytest.mark.usefixtures("finder")
def test_folders_are_preprocessed_and_their_masks_used(tmp_path: Path) -> None:
    for name in ("x/1.jpg", "x/1.png", "2.JPG"):
        save(tmp_path / "mine" / name, BIRD)
    save(tmp_path / "disk" / "3.jpg", BIRD)
    (tmp_path / "mine" / "more").symlink_to(tmp_path / "disk")
    folder = tmp_path / "mine"
    command = ["preprocess", "--dataset", "folder", "--data", str(folder), "--workers", "1"]
    assert main(command) == 0
    made = sorted(
        path.relative_to(folder).as_posix() for path in (folder / "segmentations_pred").rglob("*.jpg")
    )
    assert made == [
        f"segmentations_pred/{name}" for name in ("2.JPG.jpg", "more/3.jpg", "x/1.jpg", "x/1.png.jpg")
    ]
    assert os.listdir(tmp_path / "disk") == ["3.jpg"]
    dataset = DATASETS.get("folder")(folder, DataRequest(guided=True))
    assert dataset.names == ["2.JPG", "more/3.jpg", "x/1.jpg", "x/1.png"]
    assert [each.guidance.boxes for each in map(dataset.__getitem__, range(4))] == [((0, 0, 30, 40),)] * 4
    (folder / "segmentations_pred" / "x" / "1.jpg").unlink()
    assert dataset[2].guidance is None
    before = (folder / "segmentations_pred" / "2.JPG.jpg").stat().st_mtime_ns
    assert main(command) == 0
    assert (folder / "segmentations_pred" / "2.JPG.jpg").stat().st_mtime_ns == before


@pytest.mark.usefixtures("finder")
def test_photographs_of_a_folder_are_never_replaced(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "mine"
    save(folder / "a.jpg", BIRD)
    theirs = save(folder / "segmentations_pred" / "a.jpg", BIRD)
    before = theirs.read_bytes()
    assert main(["preprocess", "--dataset", "folder", "--data", str(folder), "--overwrite"]) == 1
    assert "it stays, wanted another name for it" in capsys.readouterr().err
    assert theirs.read_bytes() == before
    with contextlib.suppress(FileNotFoundError):
        theirs.unlink()
    theirs.parent.rmdir()
    (folder / "segmentations_pred").symlink_to(tmp_path)
    assert main(["preprocess", "--dataset", "folder", "--data", str(folder)]) == 2
    assert "is behind a link" in capsys.readouterr().err
