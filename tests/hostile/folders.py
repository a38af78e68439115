"""Data sets with damaged lists, annotations and pictures, and links that lead out of them."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from semantic_guidance.learning.data.cars196 import Cars196
from semantic_guidance.learning.data.cub200 import BOXES, CUB200, FOCUS, MASKS
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.data.folder import PictureDataset, PictureFolder
from semantic_guidance.learning.data.photographs import Photographs
from semantic_guidance.learning.data.virtual_kitti import VirtualKITTI
from tests.hostile import corpus
from tests.hostile.containers import mutated_mat
from tests.hostile.mutate import NAMES, encoded, mutated_bytes, mutated_text

CUB_NAMES = ("001.Bird/bird_1.jpg", "001.Bird/bird_2.jpg", "002.Owl/owl_1.jpg")


def put(path: Path, content: bytes | str) -> None:
    """Write a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def damage(path: Path, rng: Random, work: Path) -> None:
    """Damage a file: a list by its words, else by its bytes."""
    data = path.read_bytes()
    if path.suffix in (".txt", ".csv") and rng.random() < 0.85:
        text = mutated_text(data.decode("utf-8", "replace"), rng, names=True).replace("{work}", str(work))
        path.write_bytes(encoded(text, rng))
    elif path.suffix == ".mat":
        path.write_bytes(mutated_mat(data, rng, ()))
    else:
        path.write_bytes(mutated_bytes(data, rng, (data,)))


def damage_some(folder: Path, rng: Random, lists: list[Path], astray: float = 0.4) -> None:
    """Damage one or two files, mostly lists; or have a name in a list lead astray, or a link."""
    work = folder.parent
    if rng.random() < 0.3 and lists:
        (lists[0].parent / "images").mkdir(exist_ok=True)
        (lists[0].parent / "images" / "link").symlink_to(work / "guard")
    if rng.random() < astray and lists and lists[0].suffix in (".txt", ".csv"):
        text = lists[0].read_text()
        word = rng.choice(text.replace(",", " ").split())
        lists[0].write_bytes(encoded(text.replace(word, rng.choice(NAMES).replace("{work}", str(work))), rng))
        return
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    for _ in range(rng.choice((1, 1, 2))):
        damage(rng.choice(lists if rng.random() < 0.6 else files), rng, work)


def photo() -> bytes:
    """A JPEG."""
    return corpus.pictures()["JPEG-RGB"]


@functools.cache
def mask() -> bytes:
    """A grey JPEG."""
    return corpus.packed(Image.fromarray(corpus.disc()), "JPEG", quality=95)


def cub(rng: Random, folder: Path, astray: float = 0.4) -> None:
    """CUB-200-2011 of three pictures; `astray` is how often a name leads elsewhere."""
    root = folder / "cub200" / "CUB_200_2011"
    for name in CUB_NAMES:
        for place, data in (("images", photo()), (MASKS, mask()), (FOCUS, mask())):
            put(root / place / name, data)
        real = corpus.packed(Image.fromarray(corpus.disc()), "PNG")
        put(root.parent / "segmentations" / Path(name).with_suffix(".png"), real)
    put(root / "images.txt", "".join(f"{n} {name}\n" for n, name in enumerate(CUB_NAMES, 1)))
    put(root / "bounding_boxes.txt", "".join(f"{n} 8.0 5.0 9.0 9.0\n" for n in (1, 2, 3)))
    put(root / BOXES, " x y w h\n" + "".join(f"{n} 8 5 9 9\n" for n in (0, 1, 2)))
    damage_some(folder, rng, [root / name for name in ("images.txt", "bounding_boxes.txt", BOXES)], astray)


def cub_astray(rng: Random, folder: Path) -> None:
    """The same, mostly with names that lead elsewhere: for what writes beside the pictures."""
    cub(rng, folder, 0.8)


def preprocessing(folder: Path) -> tuple[object, ...]:
    """The words of the command that finds masks."""
    return "preprocess", "--dataset", "cub200", "--data", folder, "--workers", 1, "--overwrite"


def read_cub(rng: Random, folder: Path) -> None:
    """All pictures with one of the kinds of guidance."""
    look(CUB200(folder, rng.choice(("predicted", "real", "box", "none"))))


def look(dataset: PictureDataset) -> None:
    """All examples of a small data set."""
    for index in range(min(len(dataset), 6)):
        example = dataset[index]
        assert example.guidance is None or example.guidance.mask.shape[1:] == example.image.shape[1:]


@functools.cache
def _mats(compressed: bool, flat: bool) -> tuple[bytes, bytes]:
    """Annotations and classes; `flat`: as MATLAB 4 had them, which has no records."""
    from scipy.io import savemat

    fields = ["bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname"]
    records = np.zeros((1, 3), dtype=[(field, object) for field in fields])
    for n in range(3):
        for name, value in zip(fields, (8, 5, 16, 13, 2, f"0000{n + 1}.jpg"), strict=True):
            records[0, n][name] = value
    classes = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)[None]
    found = []
    for name, value in (("annotations", np.eye(3) if flat else records), ("class_names", classes)):
        file = io.BytesIO()
        four = flat and name == "annotations"
        savemat(file, {name: value}, format="4" if four else "5", do_compression=compressed and not four)
        found.append(file.getvalue())
    return found[0], found[1]


def cars(rng: Random, folder: Path) -> None:
    """Cars-196 of three pictures."""
    annotations, classes = _mats(rng.random() < 0.6, rng.random() < 0.1)
    for n in (1, 2, 3):
        put(folder / "cars_train" / f"0000{n}.jpg", photo())
    put(folder / "devkit" / "cars_train_annos.mat", annotations)
    put(folder / "devkit" / "cars_meta.mat", classes)
    damage_some(folder, rng, [folder / "devkit" / f"cars_{name}.mat" for name in ("train_annos", "meta")])


def read_cars(rng: Random, folder: Path) -> None:
    """All pictures."""
    look(Cars196(folder))


def kitti(rng: Random, folder: Path) -> None:
    """Virtual KITTI, either version, two frames."""
    ids = (corpus.disc() > 0).astype(np.uint8)
    lists: list[Path] = []
    for n in range(2):
        if rng.random() < 0.5 or lists:
            put(folder / "vkitti_1.3.1_rgb" / "0001" / "clone" / f"0000{n}.png", corpus.pictures()["PNG-RGB"])
            coloured = np.stack([ids * 200, ids * 10, ids], axis=-1)
            ground = folder / "vkitti_1.3.1_scenegt"
            put(ground / "0001" / "clone" / f"0000{n}.png", corpus.packed(Image.fromarray(coloured), "PNG"))
            lists = [ground / "0001_clone_scenegt_rgb_encoding.txt"]
            put(lists[0], "Category(:id) r g b\nSky 0 0 0\nCar:1 200 10 1\nVan:2 9 9 9\n")
            continue
        frames = folder / "Scene01" / "clone" / "frames"
        put(frames / "rgb" / "Camera_0" / f"rgb_0000{n}.jpg", photo())
        labels = Image.fromarray(ids, "L").convert("P")
        put(
            frames / "instanceSegmentation" / "Camera_0" / f"instancegt_0000{n}.png",
            corpus.packed(labels, "PNG"),
        )
    masks = [
        path for path in sorted(folder.rglob("*.png")) if "scenegt" in str(path) or "instance" in str(path)
    ]
    damage_some(folder, rng, lists + masks)


def read_kitti(rng: Random, folder: Path) -> None:
    """All frames."""
    look(VirtualKITTI(folder))


def plain(rng: Random, folder: Path) -> None:
    """A folder of pictures, some damaged, one a link."""
    for n in range(3):
        kind = rng.choice(("JPEG", "PNG", "WEBP", "TIFF", "BMP"))
        data = corpus.pictures()[f"{kind}-RGB"]
        put(folder / f"hostile_{n}.{kind.lower()}", mutated_bytes(data, rng) if n else data)
    if rng.random() < 0.3:
        (folder / "link.jpg").symlink_to(folder)


def read_plain(rng: Random, folder: Path) -> None:
    """All pictures."""
    look(PictureFolder(folder))


@functools.cache
def _pack() -> dict[str, bytes]:
    """The files of a pack of cut-outs."""
    clear = Image.fromarray(np.dstack([corpus.gradient(40, 50), corpus.disc(40, 50)]))
    cut = {f"cutouts/birds/{n}.webp": corpus.packed(clear, "WEBP", lossless=True) for n in range(3)}
    scenes = {f"backgrounds/{n}.jpg": photo() for n in range(2)}
    rows = [f"{name},cutout,birds\n" for name in cut]
    rows += [
        f"{name},background,{kind}\n"
        for name, kind in zip(scenes, ("scene_or_texture", "with_object"), strict=True)
    ]
    return {"manifest.csv": ("name,kind,category\n" + "".join(rows)).encode(), **cut, **scenes}


def cutouts(rng: Random, folder: Path) -> None:
    """A pack of cut-outs."""
    for name, data in _pack().items():
        put(folder / name, data)
    damage_some(folder, rng, [folder / "manifest.csv"])


def read_cutouts(rng: Random, folder: Path) -> None:
    """The pack."""
    CutoutPack.load(folder)


def photographs(rng: Random, folder: Path) -> None:
    """Photographs with masks."""
    for name in ("owl", "cup"):
        put(folder / f"{name}.jpg", photo())
        put(folder / f"{name}_mask.png", corpus.packed(Image.fromarray(corpus.disc()), "PNG"))
    put(folder / "sky.jpg", photo())
    put(folder / "photographs.csv", "name,kind\nowl,animal\ncup,thing\nsky,scene\n")
    damage_some(folder, rng, [folder / "photographs.csv"])


def read_photographs(rng: Random, folder: Path) -> None:
    """The photographs."""
    Photographs.load(folder)
