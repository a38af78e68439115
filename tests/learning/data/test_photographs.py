"""Photographs with masks: crops that keep the object, masks that stay on it, and broken folders."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.data.photographs import Photographs
from tests.learning.packs import write_pack, write_photographs


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> CutoutPack:
    return CutoutPack.load(write_pack(tmp_path_factory.mktemp("pack")))


@pytest.fixture
def folder(tmp_path):
    return write_photographs(tmp_path / "photographs")


def test_folder_is_read(folder):
    found = Photographs.load(folder)
    assert [photo.kind for photo in found.objects] == ["animal", "thing"]
    assert len(found.scenes) == 1
    bgr = cv2.imread(str(folder / "0.jpg"))
    assert np.array_equal(found.objects[0].image, bgr[..., ::-1])


def test_objects_and_scenes_join_a_pack(folder, pack):
    joined = Photographs.load(folder).added_to(pack)
    assert joined.categories == (*pack.categories, "mammals", "photo")
    assert len(joined.cutouts) == len(pack.cutouts) + 2
    assert len(joined.scenes) == len(pack.scenes) + 1
    assert len(joined.others) == len(pack.others)


def test_samples_keep_the_object_and_its_mask(folder, pack, monkeypatch):
    """On a disc of one colour before black, without the camera's effects, the mask is where the colour is."""
    monkeypatch.setattr("semantic_guidance.learning.data.photographs.camera", lambda rng, image: image)
    mask = cv2.imread(str(folder / "1_mask.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(folder / "1.png"), np.dstack([mask] * 3))
    (folder / "1.png").rename(folder / "1.jpg")
    (folder / "0.jpg").unlink()
    photographs = Photographs.load(folder)
    shares, sides = [], []
    for n in range(40):
        made = photographs.sample(np.random.default_rng(n), pack, 64, 96)
        image, seen = made.image, made.mask
        assert image.shape == (64, 96, 3)
        assert image.dtype == seen.dtype == np.float32
        assert np.abs(image[..., 0] - seen).max() < 1e-5
        shares.append(seen.mean())
        sides.append(seen[:, :48].sum() / seen.sum())
    whole = (mask > 0).mean()
    assert min(shares) > 0.4 * whole
    assert max(shares) > 1.5 * whole  # a closer look
    assert np.std(sides) > 0.05  # not always in the middle


def test_some_animals_get_plants(folder, pack, monkeypatch):
    calls = []

    def surround(rng, pack, image, mask):
        calls.append(1)
        return image, mask, ()

    monkeypatch.setattr("semantic_guidance.learning.data.photographs.surround", surround)
    for name in ("1.jpg", "2.jpg"):
        (folder / name).unlink()
    animals = Photographs.load(folder)
    for n in range(60):
        animals.sample(np.random.default_rng(n), pack, 64, 64)
    assert 10 < len(calls) < 32
    (folder / "photographs.csv").write_text("name,kind\n0,thing\n")
    things, before = Photographs.load(folder), len(calls)
    for n in range(20):
        things.sample(np.random.default_rng(n), pack, 64, 64)
    assert len(calls) == before


def spoil_size(folder):
    cv2.imwrite(str(folder / "0_mask.png"), np.full((10, 10), 255, np.uint8))


def spoil_mask(folder):
    cv2.imwrite(str(folder / "0_mask.png"), np.zeros((150, 200), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (lambda folder: (folder / "photographs.csv").unlink(), r"photographs\.csv cannot be read"),
        (lambda folder: (folder / "photographs.csv").write_bytes(b"\xff\xfe"), "not UTF-8"),
        (
            lambda folder: (folder / "photographs.csv").write_text("a,b\n1,2\n"),
            "wanted CSV with columns name, kind",
        ),
        (
            lambda folder: (folder / "photographs.csv").write_text("name,kind\n0,cat\n"),
            "kind of 0 is 'cat', wanted one",
        ),
        (lambda folder: (folder / "photographs.csv").write_text("name,kind\n0,thing\n"), r"1\.jpg is not in"),
        (lambda folder: (folder / "0_mask.png").unlink(), r"0_mask\.png: no such file"),
        (lambda folder: (folder / "0.jpg").write_bytes(b"x"), r"0\.jpg: not a picture"),
        (spoil_size, r"0_mask\.png is of another size than 0\.jpg"),
        (spoil_mask, r"0_mask\.png is empty, wanted an object"),
        (lambda folder: [path.unlink() for path in folder.glob("*.jpg")], "holds no photographs with masks"),
    ],
)
def test_broken_folders_are_refused(folder, spoil, wanted):
    spoil(folder)
    with pytest.raises(ValueError, match=wanted):
        Photographs.load(folder)
