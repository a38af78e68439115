"""The composer: exact masks, determinism, variety; and the pack it reads."""

import csv

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance.learning.data.cutouts import rebuild_pack
from semantic_guidance.learning.data.cutouts.compose import surround
from semantic_guidance.learning.data.cutouts.dataset import CutoutDataset, CutoutPack, compose
from semantic_guidance.learning.data.cutouts.pack import CUTOUT_SIDE, photo_cutout
from semantic_guidance.learning.data.cutouts.photometry import blur, camera, jpeg
from semantic_guidance.learning.data.photographs import Photograph, Photographs
from tests.conftest import ROOT
from tests.learning.packs import write_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return CutoutPack.load(write_pack(tmp_path_factory.mktemp("pack")))


def test_pack_reads_everything(pack):
    assert (len(pack.cutouts), len(pack.scenes), len(pack.others)) == (12, 2, 2)
    for cutout in pack.cutouts:
        assert cutout.shape == (41, 61, 4)  # cropped to the ellipse
        assert cutout[20, 30, 3] == 255


def test_splits_are_a_partition(tmp_path):
    folder = write_pack(tmp_path, cutouts=60)
    train, held_out = CutoutPack.load(folder, "train"), CutoutPack.load(folder, "held_out")
    assert len(train.cutouts) + len(held_out.cutouts) == 60
    assert 1 <= len(held_out.cutouts) <= 15
    with pytest.raises(ValueError, match="split is 'test'"):
        CutoutPack.load(folder, "test")


def test_same_seed_same_picture(pack):
    a = compose(np.random.default_rng([1, 5]), pack, 64, 80)
    b = compose(np.random.default_rng([1, 5]), pack, 64, 80)
    assert np.array_equal(a.image, b.image)
    assert all(np.array_equal(x, y) for x, y in zip(a.masks, b.masks, strict=True))
    c = compose(np.random.default_rng([1, 6]), pack, 64, 80)
    assert not np.array_equal(a.image, c.image)


def test_ranges_shapes_and_variety(pack):
    counts, areas = [], []
    for index in range(150):
        made = compose(np.random.default_rng([2, index]), pack, 48, 64)
        assert made.image.shape == (48, 64, 3)
        assert made.image.dtype == np.float32
        assert 0 <= made.image.min() <= made.image.max() <= 1
        total = sum(made.masks, np.zeros((48, 64), np.float32))
        assert total.max() <= 1 + 1e-5  # objects do not share pixels
        assert all(a.sum() >= b.sum() for a, b in zip(made.masks, made.masks[1:], strict=False))
        counts.append(len(made.masks))
        areas.append(float(made.mask.mean()))
    assert {0, 1, 2} <= set(counts)
    assert min(a for a in areas if a > 0) < 0.03
    assert max(areas) > 0.5


def test_mask_is_where_the_object_is(pack, monkeypatch):
    """Without the camera's effects, the picture off the mask does not depend on the object's colours."""
    from dataclasses import replace

    from semantic_guidance.learning.data.cutouts import compose as module

    monkeypatch.setattr(module, "camera", lambda rng, picture: picture)
    monkeypatch.setattr(module, "harmonise", lambda rng, layer, canvas: layer)
    monkeypatch.setattr(module, "_mirror_below", lambda rng, canvas, layer: canvas)
    dark = [np.concatenate([c[..., :3] // 8, c[..., 3:]], 2) for c in pack.cutouts]
    different = replace(pack, cutouts=tuple(dark))
    checked = 0
    for index in range(40):
        a = compose(np.random.default_rng([3, index]), pack, 64, 64)
        b = compose(np.random.default_rng([3, index]), different, 64, 64)
        if len(a.masks) != 1 or not np.array_equal(a.mask, b.mask) or a.mask.min() > 0:
            continue
        change = np.abs(a.image - b.image).max(2)
        if change[a.mask > 0.5].mean() < 0.1:
            continue
        checked += int(change[a.mask == 0].max() < 1e-6)
    assert checked > 8


def test_what_surrounds_an_object_is_not_the_object(pack):
    """Plants and branches change the picture only off the mask that comes back, which only shrinks."""
    ys, xs = np.mgrid[:64, :80]
    mask = (((ys - 30) / 18) ** 2 + ((xs - 40) / 24) ** 2 < 1).astype(np.float32)
    image = np.random.default_rng(0).random((64, 80, 3), dtype=np.float32)
    hidden, touched = 0, 0
    for index in range(40):
        after, seen, _ = surround(np.random.default_rng([6, index]), pack, image, mask)
        assert after.shape == image.shape
        assert (seen <= mask + 1e-6).all()
        change = np.abs(after - image).max(2)
        assert change[seen == 1].max(initial=0) < 1e-6
        hidden += int(seen.sum() < 0.99 * mask.sum())
        rim = cv2.dilate(mask, np.ones((5, 5), np.uint8)) - mask
        touched += int(change[rim > 0].max() > 0.02)
    assert hidden > 5
    assert touched > 20


def test_dataset_gives_image_and_guidance(pack):
    data = CutoutDataset(pack, 40, 56, length=30, seed=4)
    assert len(data) == 30
    image, guidance = data[3].image, data[3].guidance
    assert image.shape == (3, 40, 56)
    assert guidance.mask.shape == (1, 40, 56)
    assert torch.equal(image, CutoutDataset(pack, 40, 56, seed=4)[3].image)
    for index in range(30):
        guidance = data[index].guidance
        for instance in guidance.instances:
            x, y, w, h = (int(v) for v in instance.box)
            outside = instance.mask.clone()
            outside[:, y : y + h, x : x + w] = 0
            assert float(outside.max()) <= 0.5
    with pytest.raises(IndexError):
        data[30]


def test_objects_of_photographs_become_cutouts():
    photo, mask = np.full((400, 600, 3), (200, 30, 30), np.uint8), np.zeros((400, 600), np.uint8)
    cv2.circle(mask, (300, 200), 150, 255, -1)
    photo[mask > 0] = (10, 220, 90)
    cutout = photo_cutout(photo, mask)
    assert cutout.shape == (CUTOUT_SIDE, CUTOUT_SIDE, 4)
    assert abs((cutout[..., 3] / 255).mean() - np.pi / 4) < 0.01
    assert np.abs(cutout[cutout[..., 3] > 128][:, :3].astype(int) - (10, 220, 90)).max() <= 2
    assert photo_cutout(photo, np.roll(mask, 200, axis=1)) is None  # the frame cuts it
    assert photo_cutout(photo, mask // 255) is None  # nothing there


def test_missing_pieces_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"manifest\.csv cannot be read"):
        CutoutPack.load(tmp_path)
    (tmp_path / "manifest.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="malformed"):
        CutoutPack.load(tmp_path)
    (tmp_path / "manifest.csv").write_text("name,kind,category\nx.webp,cutout,birds\n")
    with pytest.raises(ValueError, match=r"x\.webp: no such file"):
        CutoutPack.load(tmp_path)


def test_wide_blur_equals_the_exact_one():
    rng = np.random.default_rng(0)
    picture = rng.random((90, 120, 3), dtype=np.float32)
    exact = cv2.GaussianBlur(picture, (0, 0), 9)
    assert np.abs(blur(picture, 9) - exact)[15:-15, 15:-15].max() < 0.02
    assert np.array_equal(blur(picture, 0.1), picture)


def test_camera_keeps_range_and_jpeg_is_close():
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.random((40, 50, 3), dtype=np.float32), (0, 0), 4)
    assert np.abs(jpeg(picture, 95) - picture).mean() < 0.02
    for seed in range(40):
        out = camera(np.random.default_rng(seed), picture)
        assert 0 <= out.min() <= out.max() <= 1
        assert out.shape == picture.shape


def test_rebuild_converts_and_names_what_is_missing(tmp_path, capsys):
    from PIL import Image

    stamps = tmp_path / "unpacked" / "usr/share/tuxpaint/stamps/animals"
    stamps.mkdir(parents=True)
    rgba = np.zeros((300, 500, 4), np.uint8)
    rgba[50:250, 100:400] = (200, 30, 30, 255)
    Image.fromarray(rgba).save(stamps / "box.png")
    photo = tmp_path / "unpacked" / "usr/share/wall.jpg"
    Image.fromarray(np.zeros((1000, 2000, 3), np.uint8)).save(photo)
    manifest = tmp_path / "m.csv"
    manifest.write_text(
        "name,kind,category,source_package,source_path\n"
        "cutouts/b.webp,cutout,birds,p,animals/box.png\n"
        "backgrounds/w.jpg,background,scene_or_texture,q,usr/share/wall.jpg\n"
    )
    out = tmp_path / "out"
    args = [str(out), "--manifest", str(manifest), "--unpacked", str(tmp_path / "unpacked")]
    assert rebuild_pack.main(args) == 0
    for name, size in (("cutouts/b.webp", (256, 171)), ("backgrounds/w.jpg", (1024, 512))):
        with Image.open(out / name) as file:
            assert file.size == size
    assert len(CutoutPack.load(out).cutouts) == 1
    photo.unlink()
    capsys.readouterr()
    assert rebuild_pack.main(args) == 2
    assert "wall.jpg: no such file" in capsys.readouterr().err


def test_manifest_that_ships_names_packages_and_licences():
    with rebuild_pack.MANIFEST.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 300
    assert all(row["source_package"] and row["licence"] and row["source_path"] for row in rows)


def test_every_named_photograph_has_a_mask():
    folder = ROOT / "runs" / "segmenter"
    with (folder / "real_photos.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(row["package"] and row["version"] and row["path"] for row in rows)
    names = {row["name"] for row in rows if row["kind"] != "scene"}
    assert names == {path.stem for path in (folder / "masks").glob("*.png")}
    for name in names:
        share = (cv2.imread(str(folder / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE) > 127).mean()
        assert 0.005 < share < 0.99, name


def test_photographs_are_mixed_in(tmp_path):
    """A pack whose pictures are composed has no striped disc; crops of a photograph that is all red do."""
    pack = CutoutPack.load(write_pack(tmp_path / "pack"))
    photo = Photograph(
        np.full((90, 120, 3), (255, 0, 0), np.uint8), np.eye(90, 120, dtype=np.uint8) * 255, "thing"
    )
    both = CutoutDataset(pack, 32, 32, 60, photographs=Photographs((photo,), ()))
    alone = CutoutDataset(pack, 32, 32, 60)
    red = [bool((each.image.mean((1, 2)) - torch.tensor([1.0, 0, 0])).abs().max() < 0.3) for each in both]
    assert 12 <= sum(red) <= 36  # two fifths of 60, by chance
    assert not any(bool((each.image[0] - each.image[1]).mean() > 0.6) for each in alone)
    assert all(
        each.guidance is not None and bool(each.guidance.mask.any())
        for each, is_red in zip(both, red, strict=True)
        if is_red
    )
