"""Where the papers' data sets are to be had, and what of them is in a folder. Nothing here downloads.

Addresses and sizes are as of 2026; counts are those that the data sets' papers give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from semantic_guidance.core.folders import is_tools, places_of

MASK_KINDS = ("auto", "real", "predicted", "found")
"""Where masks come from: the data set itself, ``semantic-guidance preprocess``, or a `Guide` on the
way, which looks inside the data set's boxes; ``auto`` is what each data set does without being told."""

SPLITS = ("random", "official")
"""Which pictures are held out: some by chance, or those that the data set holds out."""

NEEDED: Final = "needed"
OPTIONAL: Final = "optional"
MADE: Final = "made"


@dataclass(frozen=True)
class Part:
    """Files of a data set.

    Attributes:
        what: they are, for people.
        patterns: where they lie below the root, as in `Path.glob`; one of these places will do.
        count: how many there are; None if as many as pictures.
        role: ``needed``, ``optional``, or ``made`` by ``semantic-guidance preprocess``.
    """

    what: str
    patterns: tuple[str, ...]
    count: int | None = 1
    role: Literal["needed", "optional", "made"] = "needed"


@dataclass(frozen=True)
class Source:
    """A data set as it is published.

    Attributes:
        name: for ``--dataset``.
        title: for people.
        addresses: of pages and archives, each with what is there.
        licence: in short.
        layout: how to lay out what was unpacked, below the folder that ``--data`` names.
        roots: places of the root below that folder, the first is the usual one.
        parts: what belongs to it; the first are the pictures.
        train: the flags that train on it.
        signs: files or folders by which a root of another name is known.
    """

    name: str
    title: str
    addresses: tuple[tuple[str, str], ...]
    licence: str
    layout: str
    roots: tuple[str, ...]
    parts: tuple[Part, ...]
    train: str
    signs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What is there of a part.

    Attributes:
        part: in question.
        count: of its files.
        wanted: how many there should be.
        place: the pattern of where they lie, the usual one if there are none.
    """

    part: Part
    count: int
    wanted: int
    place: str

    @property
    def state(self) -> Literal["complete", "fewer", "missing"]:
        """In a word; more than wanted is complete, too."""
        if self.count == 0:
            return "missing"
        return "complete" if self.count >= self.wanted else "fewer"


CUB200 = Source(
    "cub200",
    "CUB-200-2011: 11,788 photographs of 200 kinds of birds (Wah et al. 2011)",
    (
        ("about it", "https://www.vision.caltech.edu/datasets/cub_200_2011/"),
        ("CUB_200_2011.tgz, 1.2 GB", "https://data.caltech.edu/records/65de6-vp158"),
        ("segmentations.tgz, 39 MB, optional", "https://data.caltech.edu/records/w9d68-gec53"),
    ),
    "photographs of Flickr, whose rights remain with their owners; for non-commercial research and education",
    "unpack CUB_200_2011.tgz (and segmentations.tgz) in DIR/cub200",
    (
        "cub200/CUB_200_2011",
        "CUB_200_2011",
        ".",
        "cub200/CUB_200_2011/CUB_200_2011",
        "CUB_200_2011/CUB_200_2011",
    ),
    (
        Part("photographs", ("images/*/*.jpg",), 11_788),
        Part("list of the photographs", ("images.txt",)),
        Part("official split", ("train_test_split.txt",), role=OPTIONAL),
        Part("boxes", ("bounding_boxes.txt",), role=OPTIONAL),
        Part("real masks", ("segmentations/*/*.png", "../segmentations/*/*.png"), None, OPTIONAL),
        Part("predicted masks", ("segmentations_pred/*/*.jpg",), None, MADE),
        Part("focus maps", ("gbp_global/*/*.jpg",), None, MADE),
        Part("predicted boxes", ("bounding_boxes_pred.txt",), role=MADE),
    ),
    "--use_bilevel --use_gbp",
    ("images.txt",),
)


def _devkits(name: str) -> tuple[str, ...]:
    """The places of a file of Cars-196's devkit."""
    return tuple(f"{place}{name}" for place in ("devkit/", "car_devkit/devkit/", "car_devkit/", ""))


CARS196 = Source(
    "cars196",
    "Cars-196: 16,185 photographs of 196 models of cars, with boxes (Krause et al. 2013)",
    (
        (
            "its page is gone; a copy, 1.9 GB",
            "https://www.kaggle.com/datasets/jessicali9530/stanford-cars-dataset",
        ),
        ("devkit, and how to put it together", "https://github.com/pytorch/vision/issues/7545"),
    ),
    "the photographs' rights remain with their owners; for non-commercial research",
    "DIR/cars_train/00001.jpg ... and DIR/cars_test/00001.jpg ... (or cars_train/cars_train) with DIR/devkit "
    "(or car_devkit), or DIR/car_ims with DIR/cars_annos.mat, or DIR/car_data with DIR/anno_train.csv and "
    "names.csv",
    (".", "stanford_cars", "cars196", "stanford-cars", "stanford-cars-dataset"),
    (
        Part(
            "photographs to learn from",
            (
                "cars_train/*.jpg",
                "cars_train/cars_train/*.jpg",
                "car_ims/*.jpg",
                "car_data/train/*/*.jpg",
                "car_data/car_data/train/*/*.jpg",
            ),
            8_144,
        ),
        Part("names of the models", (*_devkits("cars_meta.mat"), "cars_annos.mat", "names.csv")),
        Part("boxes", (*_devkits("cars_train_annos.mat"), "cars_annos.mat", "anno_train.csv")),
        Part(
            "photographs to test on",
            (
                "cars_test/*.jpg",
                "cars_test/cars_test/*.jpg",
                "car_ims/*.jpg",
                "car_data/test/*/*.jpg",
                "car_data/car_data/test/*/*.jpg",
            ),
            8_041,
            OPTIONAL,
        ),
        Part(
            "boxes of those",
            (
                *_devkits("cars_test_annos_withlabels.mat"),
                *_devkits("cars_test_annos.mat"),
                "cars_annos.mat",
                "anno_test.csv",
            ),
            role=OPTIONAL,
        ),
        Part("masks that 'preprocess' makes", ("segmentations_pred/*/*.jpg",), None, OPTIONAL),
    ),
    "--use_bilevel --use_gbp",
    ("cars_annos.mat", "cars_train", "anno_train.csv"),
)

VKITTI_2 = Source(
    "vkitti",
    "Virtual KITTI 2: 42,520 frames of five drives in ten kinds of weather and view (Cabon et al. 2020)",
    (
        ("about it", "https://europe.naverlabs.com/research/computer-vision/proxy-virtual-worlds-vkitti-2/"),
        (
            "frames, 7.5 GB",
            "https://download.europe.naverlabs.com/virtual_kitti_2.0.3/vkitti_2.0.3_rgb.tar",
        ),
        (
            "masks, 0.2 GB",
            "https://download.europe.naverlabs.com/virtual_kitti_2.0.3/vkitti_2.0.3_instanceSegmentation.tar",
        ),
    ),
    "CC BY-NC-SA 3.0",
    "unpack both in DIR, so that there is DIR/Scene01/clone/frames/rgb and .../frames/instanceSegmentation, "
    "or each in a folder of its archive's name; the frames alone do for a baseline",
    (".",),
    (
        Part(
            "frames",
            (
                "Scene*/*/frames/rgb/Camera_*/rgb_*.jpg",
                "vkitti_2.*_rgb/Scene*/*/frames/rgb/Camera_*/rgb_*.jpg",
            ),
            42_520,
        ),
        Part(
            "masks",
            (
                "Scene*/*/frames/instanceSegmentation/Camera_*/instancegt_*.png",
                "vkitti_2.*_instanceSegmentation/Scene*/*/frames/instanceSegmentation/Camera_*/*.png",
            ),
            None,
        ),
    ),
    "--use_bilevel --use_gbp",
)

VKITTI_1 = Source(
    "vkitti",
    "Virtual KITTI 1.3.1, the first version: 21,260 frames (Gaidon et al. 2016)",
    (
        ("about it", "https://europe.naverlabs.com/research/computer-vision/proxy-virtual-worlds-vkitti-1/"),
        (
            "frames, 14 GB",
            "https://download.europe.naverlabs.com/virtual-kitti-1.3.1/vkitti_1.3.1_rgb.tar",
        ),
        (
            "masks",
            "https://download.europe.naverlabs.com/virtual-kitti-1.3.1/vkitti_1.3.1_scenegt.tar",
        ),
    ),
    "CC BY-NC-SA 3.0",
    "unpack both in DIR, so that there is DIR/vkitti_1.3.1_rgb and DIR/vkitti_1.3.1_scenegt",
    (".",),
    (
        Part("frames", ("vkitti_1.3.1_rgb/*/*/*.png",), 21_260),
        Part("masks", ("vkitti_1.3.1_scenegt/*/*/*.png",), None),
        Part("colours of the masks", ("vkitti_1.3.1_scenegt/*_scenegt_rgb_encoding.txt",), 50),
    ),
    "--use_bilevel --use_gbp",
)

SOURCES = (CUB200, CARS196, VKITTI_2, VKITTI_1)


def find_root(source: Source, folder: Path) -> Path:
    """Where a data set lies below a folder; where it should lie, if it is not there."""
    places = [folder / place for place in source.roots]
    parts = [part for part in source.parts if part.role == NEEDED]
    there = (place for place in places if any(_count(place, part, any_will_do=True)[0] for part in parts))
    named = (place for sign in source.signs for place in places_of(folder, sign))
    return next(there, next(named, places[0]))


def look(source: Source, root: Path, note: Callable[[str], None] = lambda what: None) -> list[Found]:
    """What is there of each part of a data set.

    Args:
        source: the data set.
        root: as `find_root` gives it.
        note: called with what is counted next, since that may take a while.
    """
    found: list[Found] = []
    for part in source.parts:
        note(part.what)
        count, place = _count(root, part)
        # A part of a data set has masks for its own pictures.
        pictures = found[0].count if found else count
        found.append(Found(part, count, max(1, pictures) if part.count is None else part.count, place))
    return found


def next_step(source: Source, found: list[Found], data: str) -> str:
    """The next thing to do, as a command if there is one for it.

    Args:
        source: the data set.
        found: as `look` gives it.
        data: the folder as it was given.
    """
    lacking = [each for each in found if each.part.role == NEEDED and each.state == "missing"]
    if lacking:
        return f"download: {source.layout.replace('DIR', data)}"
    if any(each.part.role == MADE and each.state != "complete" for each in found):
        return f"semantic-guidance preprocess --dataset {source.name} --data {data}"
    return f"semantic-guidance train --dataset {source.name} --data {data} {source.train}"


def _count(root: Path, part: Part, any_will_do: bool = False) -> tuple[int, str]:
    """How many files of a part there are, in the place that has most, and which one that is."""
    most, best = 0, part.patterns[0]
    for pattern in part.patterns:
        place, rest = (root.parent, pattern[3:]) if pattern.startswith("../") else (root, pattern)
        files = (1 for path in place.glob(rest) if not is_tools(path.name))
        count = next(files, 0) if any_will_do else sum(files)
        if count > most:
            most, best = count, pattern
    return most, best
